"""The cluster of this test run: started once if it was not up, and left as it was found."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from tests.cluster.errors import ClusterError
from tests.cluster.progress import say
from tests.cluster.providers import Capability, Cluster, Options, Provider, choose, wanted_name

KEEP_VARIABLE = "ALO_KEEP_CLUSTER"


@dataclass
class State:
    """`problem` is why there is none; `ours` whether it was started here."""

    provider: Provider | None = None
    cluster: Cluster | None = None
    problem: str | None = None
    ours: bool = False


_state = State()


def provider() -> Provider:
    """Return the provider of this run. Raises ClusterError for one that is named wrongly."""
    if _state.provider is None:
        _state.provider = choose()
    return _state.provider


def what_is_missing(needed: Iterable[Capability] = ()) -> str | None:
    """Return why a test that needs these capabilities cannot run here, or None if it can."""
    chosen = provider()
    reason = chosen.available()
    if reason is not None:
        return f"no cluster: {reason}"
    # A cluster found running may have been started with less than its provider can do.
    able = _state.cluster.capabilities if _state.cluster else chosen.capabilities
    lacking = [capability.value for capability in needed if capability not in able]
    return f"the {chosen.name} cluster has no {' and no '.join(lacking)}" if lacking else None


def start() -> None:
    """Start the cluster, or find it running; what goes wrong is kept for `running` to raise."""
    if _state.cluster is not None or what_is_missing() is not None:
        return
    try:
        found = provider().find(wanted_name())
        _state.cluster = found or provider().up(Options(name=wanted_name(), services=True))
        _state.ours = found is None
    except ClusterError as error:
        _state.problem = str(error)
        say(f"no cluster: {error}")


def running() -> Cluster:
    """Return the running cluster, started if need be. Raises ClusterError if that failed, once or now."""
    if _state.cluster is None and _state.problem is None:
        start()
    if _state.cluster is None:
        raise ClusterError(_state.problem or what_is_missing() or "no cluster")
    return _state.cluster


def leave_as_found() -> None:
    """Stop the cluster if it was started here, unless ALO_KEEP_CLUSTER=1."""
    if _state.cluster is None or not _state.ours:
        return
    if os.environ.get(KEEP_VARIABLE) == "1":
        say(f"cluster {_state.cluster.name} stays up ({KEEP_VARIABLE}=1); `make cluster-down` stops it")
    else:
        provider().down(wanted_name())
    _state.cluster, _state.ours = None, False
