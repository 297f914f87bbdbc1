"""The builder of templates for unit tests; see `builders`."""

from __future__ import annotations

from typing import Any, Self

from alo_operator.api.names import API_VERSION, TEMPLATE_KIND
from alo_operator.desired.template_view import TemplateView
from tests.support.building import Built

TEMPLATE_UID = "6a0f3d1e-0000-4000-8000-00000000000a"


class MakeTemplate(Built):
    """The template `resize-image`, in generation 1, which runs one container."""

    def __init__(self, name: str = "resize-image", uid: str = TEMPLATE_UID) -> None:
        pod = {"containers": [{"name": "main", "image": "example.test/resize:1"}]}
        super().__init__(
            {
                "apiVersion": API_VERSION,
                "kind": TEMPLATE_KIND,
                "metadata": {
                    "name": name,
                    "namespace": "media",
                    "uid": uid,
                    "resourceVersion": "5",
                    "generation": 1,
                },
                "spec": {"job": {"spec": {"template": {"spec": pod}}}},
            }
        )

    def spec(self, **fields: Any) -> Self:
        """Set fields of spec, in their spelling on the wire."""
        self._body["spec"].update(fields)
        return self

    def job_spec(self, **fields: Any) -> Self:
        self._body["spec"]["job"]["spec"].update(fields)
        return self

    def worker(self, **fields: Any) -> Self:
        self._body["spec"]["job"]["spec"]["template"]["spec"]["containers"][0].update(fields)
        return self

    def generation(self, number: int) -> Self:
        self._body["metadata"]["generation"] = number
        return self

    def view(self) -> TemplateView:
        return TemplateView.from_body(self._body)


def make_template(name: str = "resize-image", uid: str = TEMPLATE_UID) -> MakeTemplate:
    return MakeTemplate(name, uid)
