"""What the admission policies say is what the code means."""

import re
from pathlib import Path

from alo_operator.api import names
from tests.house.repository import text

POLICIES = Path("manifests/policies")


def test_policies_use_the_names_of_the_code():
    """Label, value and finalizer are those of api/names.py; no other name under our group is asked for."""
    said = {path: text(path) for path in map(POLICIES.joinpath, ("inline-jobs.yaml", "finalizer/finalizer.yaml"))}
    found = {word for content in said.values() for word in re.findall(r"alo-operator\.io/[a-z-]+", content)}

    assert found == {names.LABEL_TENANCY, names.FINALIZER}
    assert f"'{names.TENANCY_TEMPLATES_ONLY}'" in said[POLICIES / "inline-jobs.yaml"]


def test_every_policy_is_explained():
    """docs/security.md names each policy that ships."""
    document = text(Path("docs/security.md"))
    shipped = [name for path in POLICIES.glob("*.yaml") for name in re.findall(r"policyName: (\S+)", text(path))]

    assert len(shipped) == 3
    assert [name for name in shipped if f"`{name}`" not in document] == []
