"""What a newcomer sees first has to work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.providers import Capability
from tests.support.namespaces import PREFIX

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_runs_to_its_end_and_finds_everything_as_expected(cluster, crds):
    """`make demo`, with less input, exits with 0 and shows each of its claims to be true."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--quick", "--namespace", f"{PREFIX}demo"],
        cwd=ROOT,
        env=os.environ | {"ALO_CLUSTER_NAME": cluster.name},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything ended as expected" in done.stdout
    for claim in (
        "the answer is right: 400 orders, revenue 12197.95",
        "orders-october unchanged",
        "create an operation under a new name",
        "line 173, order 41572",
        "told to stop after",
        "last state on record, for whoever watched: Cancelled",
        "Succeeded   8/8",
        "still the one Job",
        "while it is paused, no pod of it is there",
        "Cancelled, for the reason that was given",
        "the digits found until then are kept, marked as partial",
        "the same answer as in act 1, by the name of the template",
        "at /file: the value does not match",
        "ConnectionRefused",
        "the receiver has verified and worked on the same answer that is in .status",
        "sent again on request, it has the same id: nothing was done twice",
    ):
        assert claim in done.stdout, f"{claim!r} is missing in:\n{done.stdout}"
