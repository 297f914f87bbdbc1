"""The manifests that readers are shown are accepted by a real API server."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOWN = sorted([*(ROOT / "manifests" / "samples").glob("*.yaml"), *(ROOT / "demo" / "operations").glob("*.yaml")])


def test_manifests_that_are_shown_are_accepted(kubectl):
    """The API server takes each sample and each operation of the demo, without a warning."""
    named = [word for path in SHOWN for word in ("-f", path)]

    done = kubectl("apply", "--dry-run=server", "--validate=strict", *named)

    assert done.stdout.count("created (server dry run)\n") == len(SHOWN) >= 5
    assert not done.stderr
