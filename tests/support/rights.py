"""The rights that the shipped roles grant, one by one, and roles that lack one of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.audit import Request

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "manifests" / "base"

Object = dict[str, Any]


class Right(NamedTuple):
    """One verb on one resource (or resource/subresource); `group` is empty for the core group."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        """As the programs name it when it is missing."""
        kind, slash, subresource = self.resource.partition("/")
        return f"{self.verb} {f'{kind}.{self.group}'.rstrip('.')}{slash}{subresource}"


def rules(file: str) -> list[Object]:
    """Return the rules of all roles in a file of manifests/base."""
    documents = yaml.safe_load_all((BASE / file).read_text("utf-8"))
    return [rule for one in documents if one["kind"] in ("ClusterRole", "Role") for rule in one["rules"]]


def granted(file: str) -> list[Right]:
    """Return what these rules grant. Raises AssertionError for a rule that is not about whole resources."""
    found = []
    for rule in rules(file):
        assert set(rule) == {"apiGroups", "resources", "verbs"}, rule
        found += [
            Right(group, resource, verb)
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        ]
    return found


def asked(requests: Iterable[Request]) -> set[Right]:
    """Return the rights that these requests needed; everybody may look up versions and their own rights."""
    return {
        Right(one.group, "/".join(filter(None, (one.resource, one.subresource))), one.verb)
        for one in requests
        if one.resource and one.resource != "selfsubjectaccessreviews"
    }


def role(name: str, rights: Sequence[Right]) -> Object:
    """Return a ClusterRole with exactly these rights."""
    given = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in rights]
    return {"metadata": {"name": name}, "rules": given}
