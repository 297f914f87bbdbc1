"""Rules in CEL that the API server itself enforces, and their messages.

The messages say what to do. `dyn(...)` and the list brackets in the rule on `input` have reasons: CEL knows no
type for a map of arbitrary JSON and hides the field from typed access, and it counts the cost of comparing two lists
of one element as small whatever is in them.

Every write of every operation pays for the rules, and nearly all that it pays is for field accesses: for each one the
API server copies the schemas of all fields at that level. So `a.?f == b.?f` stands here for "both have f and it is
equal, or neither has it" (two accesses instead of five), rules stand as low as they can, and what only creation has to
satisfy is not looked at again.
"""

from collections.abc import Iterable
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.phases import Promise

Rule = dict[str, Any]

IMMUTABLE_FIELDS: Final = ("templateRef", "job", "input", "metadata", "timeouts")
FROZEN_FIELDS: Final = (
    "promise",
    "phase",
    "result",
    "failure",
    "startTime",
    "completionTime",
    "specDigest",
    "progress",
    "attempts",
)
FROZEN_CONDITIONS: Final = ("Completed", "Succeeded")
FROZEN_MESSAGE: Final = (
    f"the answer of a settled operation never changes (status: {', '.join(FROZEN_FIELDS)} and the conditions "
    f"{' and '.join(FROZEN_CONDITIONS)}): to run the work again, create an operation under a new name"
)


def immutable_message(field: str) -> str:
    """What the API server says when `spec.<field>` is changed, added or removed."""
    return (
        f"spec.{field} defines the work and cannot be changed, added or removed: create an operation under a new name"
    )


def _same(fields: Iterable[str]) -> str:
    """Both sides have each field and it is equal, or neither has it."""

    def values(side: str) -> str:
        return ", ".join(f"dyn({side}).?{field}" for field in fields)

    return f"[{values('self')}] == [{values('oldSelf')}]"


def _immutable(field: str) -> Rule:
    return {"rule": _same([field]), "message": immutable_message(field), "reason": "FieldValueForbidden"}


def _at_creation(rule: str, message: str) -> Rule:
    """For what is fixed at creation: an update does not evaluate `rule`."""
    return {"rule": f"oldSelf.hasValue() || ({rule})", "optionalOldSelf": True, "message": message}


def _frozen(rule: str) -> Rule:
    return {"rule": rule, "message": FROZEN_MESSAGE, "reason": "FieldValueForbidden"}


def _unsettled(status: str) -> str:
    return f"{status}promise.orValue('{Promise.PENDING}') == '{Promise.PENDING}'"


def _final(status: str) -> str:
    """The final conditions that a status has, each as its type and state.

    Not `.?conditions.orValue([])`: CEL forgets there how long the list may be, and counts the rule as too expensive.
    """
    conditions, kinds = f"{status}.conditions", ", ".join(f"'{kind}'" for kind in FROZEN_CONDITIONS)
    return f"has({conditions}) ? {conditions}.map(c, c.type in [{kinds}], c.type + c.status) : []"


def _freeze() -> Rule:
    """At `status`: one rule for the whole answer, as each rule has a price of its own."""
    conditions = f"sets.equivalent({_final('self')}, {_final('oldSelf')})"
    return _frozen(f"{_unsettled('oldSelf.?')} || ({_same(FROZEN_FIELDS)} && {conditions})")


def _stay() -> Rule:
    """At the root: a rule at `status` never runs when the new object has no status."""
    return _frozen(f"has(self.status) || {_unsettled('oldSelf.?status.?')}")


def name_rule(kind: str) -> Rule:
    """At the root of a kind; the API server's own rule for names allows dots and 253 characters."""
    return _at_creation(
        f"self.metadata.name.size() <= {limits.NAME} && !self.metadata.name.contains('.')",
        f"the name of an {kind} is a DNS label: lower-case letters, digits and dashes, "
        f"at most {limits.NAME} characters",
    )


SPEC_RULES: Final[tuple[Rule, ...]] = (
    # An update is held to it by the rules on templateRef and job.
    _at_creation("has(self.templateRef) != has(self.job)", "give exactly one of spec.templateRef and spec.job"),
    *(_immutable(field) for field in IMMUTABLE_FIELDS),
)

METADATA_RULES: Final[tuple[Rule, ...]] = (
    {
        "rule": f"self.map(k, k.size() + self[k].size()).sum() <= {limits.METADATA_CHARACTERS}",
        "message": "spec.metadata is too large: keys and values may have "
        f"{limits.METADATA_CHARACTERS} characters in all",
    },
)

CALLBACK_RULES: Final[tuple[Rule, ...]] = (
    {
        "rule": "self == oldSelf",
        "message": "a callback cannot be changed: remove this one and add another under a new name",
        "reason": "FieldValueForbidden",
    },
    {
        "rule": "self.format != 'StandardWebhooks' || has(self.secretRef)",
        "message": "the format StandardWebhooks signs its messages: give secretRef, or use the format CloudEvents",
    },
)

ROOT_RULES: Final[tuple[Rule, ...]] = (_stay(),)
STATUS_RULES: Final[tuple[Rule, ...]] = (_freeze(),)
