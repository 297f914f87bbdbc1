"""The table of phases."""

from alo_operator.api.phases import MEANING_OF, PROMISE_OF, SETTLED, AloStatus, NexusState, Phase, Promise


def test_every_phase_has_a_meaning() -> None:
    """No phase is left out of the table."""
    assert set(MEANING_OF) == set(Phase) == set(PROMISE_OF)


def test_settled_phases_are_those_that_end_an_operation() -> None:
    """Settled means Succeeded, Failed, TimedOut or Cancelled, and nothing else."""
    assert {Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED} == SETTLED


def test_only_success_fulfils() -> None:
    """Of all phases only Succeeded fulfils the promise."""
    assert [phase for phase, promise in PROMISE_OF.items() if promise is Promise.FULFILLED] == [Phase.SUCCEEDED]


def test_other_protocols_see_an_end_where_we_do() -> None:
    """A phase is settled exactly when ALO says COMPLETED and when Nexus does not say running."""
    for phase, meaning in MEANING_OF.items():
        assert (meaning.alo is AloStatus.COMPLETED) == (phase in SETTLED)
        assert (meaning.nexus is NexusState.RUNNING) == (phase not in SETTLED)


def test_nexus_tells_cancelled_from_failed() -> None:
    """Nexus callers see a cancellation as canceled and a timeout as failed."""
    assert MEANING_OF[Phase.CANCELLED].nexus is NexusState.CANCELED
    assert MEANING_OF[Phase.TIMED_OUT].nexus is NexusState.FAILED
