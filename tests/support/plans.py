"""What a plan says, for assertions: the status it writes, and conditions in it."""

from __future__ import annotations

from typing import TypeVar

from alo_operator.api.conditions import ConditionType
from alo_operator.api.status import Condition, OperationStatus
from alo_operator.desired.steps import Plan, Step, WriteStatus

S = TypeVar("S")


def kinds(plan: Plan) -> list[type[Step]]:
    """The kinds of its steps, in order."""
    return [type(step) for step in plan.steps]


def only(plan: Plan, kind: type[S]) -> S:
    """Its one step of that kind. Raises AssertionError where there is none, or several."""
    found = [step for step in plan.steps if isinstance(step, kind)]
    assert len(found) == 1, f"not one {kind.__name__} in {plan}"
    return found[0]


def written(plan: Plan) -> OperationStatus:
    """The status it writes. Raises AssertionError where it writes none."""
    return only(plan, WriteStatus).status


def condition(status: OperationStatus, kind: ConditionType) -> Condition | None:
    """The condition of that type, or None."""
    return next((found for found in status.conditions if found.type == kind), None)


def states(status: OperationStatus) -> dict[str, str]:
    """Every condition as `{type: "status/reason"}`."""
    return {found.type: f"{found.status}/{found.reason}" for found in status.conditions}
