"""Operations of a template: what they take up from it, and what has to be so before their Job is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from alo_operator.api import limits
from alo_operator.api.conditions import ConditionType, FailureType, Reason
from alo_operator.api.phases import Phase
from alo_operator.api.spec import ReadyWhen
from alo_operator.api.status import Effective, Failure
from alo_operator.desired import record
from alo_operator.desired.adoption import Adopted
from alo_operator.desired.deadlines import condition_of
from alo_operator.desired.fields import Json, compact, section, utf8_size
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Observed
from alo_operator.desired.outcome import Outcome, rejected
from alo_operator.desired.settling import settle, stamp
from alo_operator.desired.steps import Look, Plan, WriteStatus
from alo_operator.desired.template_view import TemplateView
from alo_operator.desired.verdict import Finding, Verdict
from alo_operator.desired.waiting import Waiting
from alo_operator.errors import InvalidInput

IN_LINE: Final = "waiting for its turn: as many operations of the template run as its concurrency.limit allows"


def adopt(observed: Observed) -> Observed:
    """`observed` with what its operation takes up from its template, so that every later status brings it along.

    Once there is a Job that is what it was made from; before, what the template says now.
    """
    operation, job = observed.operation, observed.job
    if operation.spec is None or operation.spec.template_ref is None or operation.status.template:
        return observed
    if job is not None:
        adopted = job.adopted if job.owner_uid == operation.uid else None
    elif operation.status.job or not observed.template:
        adopted = None
    else:
        adopted = Adopted.of(observed.template)
    if adopted is None:
        return observed
    own = operation.spec.timeouts
    timeouts = own.else_of(adopted.timeouts) if own else adopted.timeouts
    update: dict[str, Any] = {"template": adopted.template}
    if timeouts.limited:
        update["effective"] = (operation.status.effective or Effective()).model_copy(update={"timeouts": timeouts})
    status = operation.status.model_copy(update=update)
    return replace(observed, operation=replace(operation, status=status))


def lacking(observed: Observed, now: datetime) -> Plan | None:
    """What to do about a template that is not there or cannot be run; None: it can, or none is wanted."""
    operation = observed.operation
    if operation.spec is None or operation.spec.template_ref is None:
        return None
    template, name = observed.template, operation.spec.template_ref.name
    if template is None:
        if not observed.template_gone:
            return Plan(look=Look.TEMPLATE)
        said = (
            f"there is no OperationTemplate {name} in namespace {operation.namespace}; the operation starts as soon as "
            "it is there"
        )
        accepted = condition_of(operation.status, ConditionType.ACCEPTED)
        same = accepted and accepted.reason == Reason.TEMPLATE_NOT_FOUND and accepted.message == said
        if same and operation.followed:
            return Plan(in_line=False)
        return Plan((WriteStatus(record.without_template(operation, said, stamp(now))),), in_line=False)
    if template.problem:
        return settle(observed, unusable(template, template.problem), now)
    return None


def unfit(observed: Observed, now: datetime) -> Plan | None:
    """What to do about an input that the template does not take; None: it takes it, or says nothing about it."""
    template, verdict = observed.template, observed.input_verdict
    if template is None or template.schemas == (None, None):
        return None
    if verdict is None:
        return Plan(look=Look.INPUT)
    if verdict.finding is Finding.UNUSABLE:
        return settle(observed, unusable(template, verdict.message), now)
    if verdict.finding is Finding.MISMATCH:
        said = (
            f"the input is not what OperationTemplate {template.name} takes: {verdict.message}; correct it and ask "
            "again under a new name"
        )
        return settle(observed, rejected(Reason.INVALID_INPUT, said, FailureType.REQUEST), now)
    return None


def in_line(observed: Observed, now: datetime) -> Plan | None:
    """Waiting for one's turn, which costs no write but for what somebody waits to be told; None: it is its turn."""
    if observed.template is None or observed.template.limit is None or observed.turn:
        return None
    if observed.turn is None:
        return Plan(look=Look.TURN)
    operation = observed.operation
    accepted = condition_of(operation.status, ConditionType.ACCEPTED)
    ready = condition_of(operation.status, ConditionType.READY)
    wrong = accepted is not None and accepted.reason == Reason.TEMPLATE_NOT_FOUND
    gate = operation.spec is not None and operation.spec.ready_when is ReadyWhen.ACCEPTED
    unsaid = gate and (ready is None or ready.reason != ReadyWhen.ACCEPTED)
    behind = operation.status.observed_generation >= 0 and not operation.followed
    if not (wrong or unsaid or behind):
        return Plan()
    why = Waiting(Reason.PENDING, IN_LINE)
    return Plan((WriteStatus(record.waiting(operation, None, why, stamp(now))),))


def unusable(template: TemplateView, problem: str) -> Outcome:
    """Rejected for a fault of the template, not of the caller."""
    said = (
        f"OperationTemplate {template.name} (generation {template.generation}) cannot be run: {problem}; mend the "
        "template, then ask again under a new name"
    )
    return rejected(Reason.INVALID_TEMPLATE, said, FailureType.REQUEST, retryable=True)


def judged(job: JobView, outcome: Outcome, verdict: Verdict | None) -> Outcome | Look:
    """`outcome` of finished work, held against the resultSchema of its template; Look.RESULT: it has to be judged."""
    if job.adopted is None or not job.adopted.judged or outcome.phase is not Phase.SUCCEEDED:
        return outcome
    if outcome.reason is Reason.RESULT_LOST:
        said = "the work succeeded, but its pod is gone and the result that the template promises with it"
        return _refused(outcome, Reason.RESULT_LOST, said, FailureType.INFRASTRUCTURE, retryable=True)
    if outcome.result is None:
        said = "the work succeeded but gave no result, and the template's resultSchema promises one"
        return _refused(outcome, Reason.INVALID_RESULT, said, FailureType.WORKER)
    if verdict is None:
        return Look.RESULT
    if verdict.finding is Finding.UNUSABLE:
        said = f"the result cannot be judged by the template's resultSchema: {verdict.message}"
        return _refused(outcome, Reason.INVALID_TEMPLATE, said, FailureType.REQUEST, retryable=True)
    if verdict.finding is Finding.MISMATCH:
        said = f"the result is not what the template's resultSchema promises: {verdict.message}"
        return _refused(outcome, Reason.INVALID_RESULT, said, FailureType.WORKER)
    return outcome


def input_variables(template: TemplateView, raw_input: Json) -> list[dict[str, Any]]:
    """The worker's variables that take their values from the input; what the input lacks makes none.

    Raises:
        InvalidInput: a value that no variable can hold, or more than 64 KiB of them.
    """
    variables: list[dict[str, Any]] = []
    total = 0
    for wanted in template.spec.env if template.spec else ():
        if wanted.from_input not in raw_input:
            continue
        found = raw_input[wanted.from_input]
        value = found if isinstance(found, str) else compact(found)
        if "\0" in value:
            raise InvalidInput(
                f"input field {wanted.from_input} has a NUL character, which no environment variable can hold; take it "
                "out and use a new name",
                too_large=False,
            )
        total += utf8_size(value)
        # $(NAME) in a variable's value is replaced by the kubelet; doubled it means itself.
        variables.append({"name": wanted.name, "value": value.replace("$", "$$")})
    if total > limits.INPUT_BYTES:
        raise InvalidInput(
            f"the environment variables of OperationTemplate {template.name} would take {total} bytes of this input "
            f"and may take {limits.INPUT_BYTES}: pass where the data is, under a new name"
        )
    return variables


def job_of(template: TemplateView | None, raw_spec: Json) -> Json:
    """The Job as somebody wrote it: the template's, or the operation's own."""
    return template.spec.job if template and template.spec else section(raw_spec, "job")


def _refused(outcome: Outcome, reason: Reason, said: str, kind: FailureType, *, retryable: bool = False) -> Outcome:
    said = limits.clip(said, limits.REASON)
    failure = Failure(type=kind, reason=reason, message=said, retryable=retryable)
    return replace(outcome, phase=Phase.FAILED, reason=reason, message=said, result=None, failure=failure)
