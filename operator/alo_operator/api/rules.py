"""Rules in CEL that the API server itself enforces, and their messages.

The messages say what to do. `dyn(...)` and the list brackets in the rule on `input` have reasons: CEL knows no
type for a map of arbitrary JSON and hides the field from typed access, and it counts the cost of comparing two lists
of one element as small whatever is in them.
"""

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


def _same(new: str, old: str, field: str) -> str:
    """Both have `field` and it is equal, or neither has it."""
    return f"has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})"


def _same_hidden(field: str) -> str:
    new, old = f"dyn(self).{field}", f"dyn(oldSelf).{field}"
    return f"has({new}) == has({old}) && (!has({new}) || [{new}] == [{old}])"


def _immutable(field: str) -> Rule:
    rule = _same_hidden(field) if field == "input" else _same("self", "oldSelf", field)
    return {"rule": rule, "message": immutable_message(field), "reason": "FieldValueForbidden"}


def _same_states(kind: str) -> str:
    """Both have a condition of this type in the same state, or neither has one."""

    def states(side: str) -> str:
        conditions = f"{side}.status.conditions"
        return f"(has({conditions}) ? {conditions}.filter(c, c.type == '{kind}').map(c, c.status) : [])"

    return f"{states('self')} == {states('oldSelf')}"


def _freeze() -> Rule:
    """One rule for the whole answer: each rule costs every write of every operation, one per field twice as much.

    It stands at the root, as a rule on status never runs when the new object has no status.
    """
    unsettled = f"!has(oldSelf.status) || !has(oldSelf.status.promise) || oldSelf.status.promise == '{Promise.PENDING}'"
    kept = [
        "has(self.status)",
        *(f"({_same('self.status', 'oldSelf.status', field)})" for field in FROZEN_FIELDS),
        *(_same_states(kind) for kind in FROZEN_CONDITIONS),
    ]
    return {"rule": f"{unsettled} || ({' && '.join(kept)})", "message": FROZEN_MESSAGE, "reason": "FieldValueForbidden"}


def name_rule(kind: str) -> Rule:
    """At the root of a kind; the API server's own rule for names allows dots and 253 characters."""
    return {
        "rule": f"self.metadata.name.size() <= {limits.NAME} && !self.metadata.name.contains('.')",
        "message": f"the name of an {kind} is a DNS label: lower-case letters, digits and dashes, "
        f"at most {limits.NAME} characters",
    }


SPEC_RULES: Final[tuple[Rule, ...]] = (
    {
        "rule": "has(self.templateRef) != has(self.job)",
        "message": "give exactly one of spec.templateRef and spec.job",
    },
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

FREEZE_RULES: Final[tuple[Rule, ...]] = (_freeze(),)
