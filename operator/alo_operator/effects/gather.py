"""Reads that a decision asked for, each of them consistent: from the API server, never from the watch cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from alo_operator.api.names import LABEL_OPERATION_UID
from alo_operator.api.status import Result
from alo_operator.desired.adoption import result_schema
from alo_operator.desired.fields import MAX_DEPTH, section, text, too_deep
from alo_operator.desired.job import job_name_known
from alo_operator.desired.job_view import JobView
from alo_operator.desired.observed import Observed, OperationView
from alo_operator.desired.ownership import may_be_of
from alo_operator.desired.pod_view import PodView
from alo_operator.desired.results import stored_value
from alo_operator.desired.steps import Look
from alo_operator.desired.template_view import TemplateView
from alo_operator.desired.verdict import MATCH, Finding, Verdict
from alo_operator.effects import clock, paths
from alo_operator.effects.allowance import Allowance
from alo_operator.effects.cluster import Cluster
from alo_operator.effects.records import Records
from alo_operator.effects.schemas import Schemas
from alo_operator.errors import NotFound

# Looks at what has not started, over all operations: a burst that only queues must not slow the API server down more.
_LOOKS_PER_SECOND: Final = 4.0
_LOOKS_AT_ONCE: Final = 20.0
_LONGEST_POSTPONEMENT: Final = 60.0
_POD_LIMIT: Final = 2000  # of one operation; enough to find what failed last, and no more than a pass should hold


class Gatherer:
    """Completes an Observed with what a plan has to look at first.

    Raises ApiError, ApiUnreachable and SchemasUnavailable.
    """

    def __init__(self, cluster: Cluster, records: Records, schemas: Schemas | None = None) -> None:
        self._cluster, self._records = cluster, records
        self._schemas = schemas or Schemas()
        self._looks = Allowance(_LOOKS_PER_SECOND, _LOOKS_AT_ONCE)
        self._line_ends = clock.monotonic()

    def postponed(self, look: Look) -> float:
        """Seconds after which to ask again whether `look` may be done (1 to 60); 0: now, and it counts as done."""
        if look is not Look.REASON or not self._looks.take():
            return 0.0
        # Everybody in the line gets a time of their own: asking costs a pass each time.
        now = clock.monotonic()
        self._line_ends = max(self._line_ends, now) + 1 / _LOOKS_PER_SECOND
        return min(max(self._line_ends - now, 1.0), _LONGEST_POSTPONEMENT)

    async def look(self, observed: Observed, look: Look, asked: Result | None = None) -> Observed:
        """`observed` with what `look` asks for filled in; `asked`: the result that Look.RESULT is about."""
        operation = observed.operation
        if look is Look.JOB:
            return await self._job(observed)
        if look is Look.TEMPLATE:
            return await self._template(observed)
        if look is Look.TURN:
            return replace(observed, turn=self._records.take_turn(operation.uid))
        if look is Look.INPUT:
            assert observed.template
            return replace(observed, input_verdict=await self._judge_input(operation, observed.template))
        if look is Look.RESULT:
            assert asked
            return replace(observed, result_verdict=await self._judge_result(observed, asked))
        pods = await self._pods(operation)
        if look is Look.PODS:
            return replace(observed, pods=pods)
        failure = None if pods or not observed.job else await self._creation_failure(operation, observed.job.uid)
        notes = replace(self._records.notes(operation.uid), last_look=clock.now())
        self._records.note(operation.uid, notes)
        return replace(observed, pods=pods, creation_failure=failure, notes=notes)

    async def revive(self, uid: str, namespace: str, name: str) -> None:
        """Read an operation that rests, for its time has come."""
        try:
            body = await self._cluster.get(paths.operation(namespace, name))
        except NotFound:
            body = {}
        if text(body, "metadata", "uid") == uid:
            self._records.operation_revived(body)
        else:
            self._records.operation_gone(uid)  # by itself, or for another one of its name

    async def _job(self, observed: Observed) -> Observed:
        operation = observed.operation
        name = job_name_known(operation)
        try:
            body = await self._cluster.get(paths.job(operation.namespace, name))
        except NotFound:
            self._records.job_gone(operation.uid)
            return replace(observed, job_gone=True, job_doubtful=False)
        job = JobView.from_body(body)
        self._records.job_seen(job)
        return replace(observed, job=job, job_doubtful=False)

    async def _template(self, observed: Observed) -> Observed:
        operation = observed.operation
        assert operation.spec
        assert operation.spec.template_ref
        try:
            body = await self._cluster.get(paths.template(operation.namespace, operation.spec.template_ref.name))
        except NotFound:
            return replace(observed, template_gone=True)
        self._records.template_seen(body)
        return replace(observed, template=TemplateView.from_body(body))

    async def _judge_input(self, operation: OperationView, template: TemplateView) -> Verdict:
        of_input, of_result = template.schemas
        if of_result is not None:
            # Before anything runs: what could not be judged at the end need not begin.
            found = await self._schemas.check(f"{template.digest}/result", of_result)
            if found.finding is not Finding.MATCH:
                return replace(found, message=f"spec.resultSchema: {found.message}")
        if of_input is None:
            return MATCH
        given = section(operation.raw_spec, "input")
        found = await self._schemas.judge(f"{template.digest}/input", of_input, given)
        return (
            replace(found, message=f"spec.inputSchema: {found.message}") if found.finding is Finding.UNUSABLE else found
        )

    async def _judge_result(self, observed: Observed, asked: Result) -> Verdict:
        job, template = observed.job, observed.template
        assert job
        assert job.adopted
        digest = job.adopted.template.digest
        if template and template.digest == digest:
            schema = template.schemas[1]
        else:  # edited or deleted since, so that only the Job still has it
            try:
                schema = result_schema(await self._cluster.get(paths.job(job.namespace, job.name)))
            except NotFound:
                schema = None
        if schema is None:
            return Verdict(Finding.UNUSABLE, "the template was changed and the Job that kept it is gone")
        value = asked.value
        if asked.ref:
            try:
                value = stored_value(await self._cluster.get(paths.config_map(job.namespace, asked.ref.name)), asked)
            except NotFound:
                return Verdict(Finding.MISMATCH, f"the ConfigMap {asked.ref.name} that held it is gone")
            except ValueError as error:
                return Verdict(Finding.MISMATCH, str(error))
        if too_deep(value):
            return Verdict(Finding.MISMATCH, f"it is nested more than {MAX_DEPTH} levels deep")
        return await self._schemas.judge(f"{digest}/result", schema, value)

    async def _pods(self, operation: OperationView) -> tuple[PodView, ...]:
        found: list[PodView] = []
        query = {"labelSelector": f"{LABEL_OPERATION_UID}={operation.uid}"}
        job = job_name_known(operation)
        async for body in self._cluster.pages(paths.pods(operation.namespace), query):
            if may_be_of(body, job):
                found.append(PodView.from_body(body))
            if len(found) == _POD_LIMIT:
                break
        return tuple(found)

    async def _creation_failure(self, operation: OperationView, job_uid: str) -> str | None:
        query = {"fieldSelector": f"involvedObject.uid={job_uid},reason=FailedCreate"}
        events = [body async for body in self._cluster.pages(paths.events(operation.namespace), query)]
        newest = max(events, key=_event_time, default=None)
        return text(newest, "message") if newest else None


def _event_time(event: Mapping[str, Any]) -> str:
    return text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp")
