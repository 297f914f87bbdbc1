"""What a user installs before anything works: the CRDs and the RBAC we ship."""

from pathlib import Path

from tests.support.api import Api
from tests.support.kubectl import Kubectl
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
CRDS = ROOT / "crds"
BASE = ROOT / "manifests" / "base"


def install_crds(kubectl: Kubectl, api: Api) -> None:
    """Apply crds/ and return when both kinds are served; a CRD that is there already is brought up to date."""
    names = kubectl("apply", "--server-side", "--force-conflicts", "-f", CRDS, "-o", "name").stdout.split()

    def served() -> bool:
        for name in names:
            found = api.get("customresourcedefinitions", name=name.rpartition("/")[2])
            conditions = (found or {}).get("status", {}).get("conditions") or []  # null at first
            established = [one for one in conditions if one["type"] == "Established" and one["status"] == "True"]
            assert established, f"{name} is not established"
        # A fresh CRD's first lists are refused (429, 404) for up to a second.
        return all(
            kubectl("get", plural, "-A", check=False).code == 0 for plural in ("asyncoperations", "operationtemplates")
        )

    wait_for(served, timeout=30, describe="the API server serves the kinds of crds/")


def install_rbac(kubectl: Kubectl) -> None:
    """Apply manifests/base: the operator's namespace, service account and rights. Raises FileNotFoundError."""
    if not BASE.is_dir():
        raise FileNotFoundError(f"{BASE.relative_to(ROOT)}/ is missing: there is no RBAC to run the operator under")
    kubectl("apply", "--server-side", "--force-conflicts", "-k", BASE)
