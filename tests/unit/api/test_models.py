"""The models of both kinds: parsing, the wire, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from alo_operator.api import limits
from alo_operator.api.model import format_time, to_wire
from alo_operator.api.operation import AsyncOperation, OperationTemplate
from alo_operator.api.phases import Phase, Promise
from alo_operator.api.spec import CallbackFormat, OperationSpec, ReadyWhen, Timeouts
from alo_operator.api.status import Condition, ConditionStatus, Delivery, DeliveryState, OperationStatus, Result
from alo_operator.api.template import TemplateSpec

JOB = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x", "env": None}]}}}}

SPEC: dict[str, Any] = {
    "job": JOB,
    "input": {"width": 800, "nothing": None, "deep": {"list": [1, 2.5, None, "x"]}},
    "metadata": {"requestedBy": "billing"},
    "timeouts": {"scheduleToStart": "10m", "startToClose": "1h", "scheduleToClose": "2h"},
    "callbacks": [
        {
            "name": "billing",
            "url": "https://billing.example/alo",
            "format": "StandardWebhooks",
            "secretRef": {"name": "billing-hook", "key": "key"},
        }
    ],
    "suspend": False,
    "cancel": {"reason": "withdrawn"},
    "readyWhen": "Started",
    "retention": {"job": "1h", "record": "720h"},
}

STATUS: dict[str, Any] = {
    "observedGeneration": 2,
    "promise": "Rejected",
    "phase": "TimedOut",
    "specDigest": "v1:sha256:ab",
    "template": {"generation": 3, "digest": "v1:sha256:cd"},
    "effective": {"timeouts": {"startToClose": "1h"}, "retention": {"job": "1h"}},
    "startTime": "2026-01-02T03:04:05Z",
    "completionTime": "2026-01-02T03:04:05.000006Z",
    "conditions": [
        {
            "type": "Completed",
            "status": "True",
            "observedGeneration": 2,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "reason": "TimedOut",
            "message": "",
        }
    ],
    "job": {"name": "resize-1", "uid": "u-1"},
    "progress": {
        "percent": 30,
        "done": 3,
        "total": 10,
        "unit": "files",
        "message": "cat.png",
        "summary": "3/10",
        "updateTime": "2026-01-02T03:04:05Z",
    },
    "reported": {
        "attempt": "u-2",
        "ref": {"kind": "ConfigMap", "name": "r", "key": "result"},
        "bytes": 5000,
        "sha256": "ef",
        "contentType": "text/plain",
    },
    "attempts": {"count": 2, "last": {"pod": "p", "exitCode": 137, "reason": "OOMKilled"}},
    "result": {
        "value": {"null stays": None},
        "contentType": "application/json",
        "bytes": 20,
        "sha256": "00",
        "partial": True,
    },
    "failure": {
        "type": "TimedOut",
        "reason": "StartToCloseTimeout",
        "message": "too slow",
        "retryable": True,
        "causes": [{"kind": "Container", "name": "main", "reason": "Error", "message": "x", "exitCode": 143}],
    },
    "cancellation": {
        "requestTime": "2026-01-02T03:04:05Z",
        "source": "Timeout",
        "reason": "startToClose",
        "deliverTime": "2026-01-02T03:04:05Z",
        "settleTime": "2026-01-02T03:04:05Z",
    },
    "deliveries": [
        {
            "name": "billing",
            "state": "Pending",
            "attempts": 1,
            "lastAttemptTime": "2026-01-02T03:04:05Z",
            "nextAttemptTime": "2026-01-02T03:05:05Z",
            "lastStatus": 503,
            "lastError": "busy",
            "target": "0123456789abcdef",
        }
    ],
    "redelivery": "billing@1",
}

TEMPLATE: dict[str, Any] = {
    "service": "media",
    "description": "resizes images",
    "inputSchema": {"type": "object", "$defs": {"x": True}, "default": None},
    "resultSchema": {"type": "string"},
    "env": [{"name": "WIDTH", "fromInput": "width"}],
    "job": JOB,
    "timeouts": {"startToClose": "1h"},
    "retention": {"record": "0"},
    "concurrency": {"limit": 10},
}


@pytest.mark.parametrize(
    ("model", "wire"),
    [(OperationSpec, SPEC), (OperationStatus, STATUS), (TemplateSpec, TEMPLATE)],
    ids=["spec", "status", "template"],
)
def test_every_field_survives_the_way_through_the_model(model: type[BaseModel], wire: dict[str, Any]) -> None:
    """A wire object with every field set comes out unchanged, nulls inside raw JSON included."""
    assert to_wire(model.model_validate(wire)) == wire


@pytest.mark.parametrize(
    ("model", "wire", "elsewhere"),
    [(OperationSpec, SPEC, {"templateRef"}), (OperationStatus, STATUS, set()), (TemplateSpec, TEMPLATE, set())],
    ids=["spec", "status", "template"],
)
def test_the_samples_above_leave_no_field_out(
    model: type[BaseModel], wire: dict[str, Any], elsewhere: set[str]
) -> None:
    """A field added to a model must be added to the samples of this file too."""
    assert {field.alias for field in model.model_fields.values()} == set(wire) | elsewhere


def test_an_operation_is_read_the_way_the_api_server_sends_it() -> None:
    """Metadata is reduced to what decisions need; unknown fields anywhere are ignored."""
    operation = AsyncOperation.model_validate(
        {
            "apiVersion": "alo-operator.io/v1alpha1",
            "kind": "AsyncOperation",
            "metadata": {
                "name": "resize-7f3c",
                "namespace": "media",
                "uid": "u-1",
                "resourceVersion": "17",
                "generation": 1,
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [{"manager": "kubectl"}],
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-0"}],
            },
            "spec": {"templateRef": {"name": "resize-image"}, "fromTheFuture": 1},
            "status": {"observedGeneration": -1, "promise": "Pending", "phase": "Pending", "fromTheFuture": 1},
        }
    )

    assert operation.metadata.creation_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert operation.metadata.owner_references[0].uid == "u-0"
    assert operation.spec.template_ref is not None
    assert operation.spec.ready_when is ReadyWhen.SUCCEEDED
    assert operation.status == OperationStatus()
    assert "managedFields" not in to_wire(operation)["metadata"]


def test_an_operation_nobody_has_seen_is_pending() -> None:
    """Without a status the models say what the CRD's default says."""
    operation = AsyncOperation.model_validate({"metadata": {"name": "a"}, "spec": {"job": JOB}})

    assert to_wire(operation.status) == {"observedGeneration": -1, "promise": "Pending", "phase": "Pending"}


def test_absent_fields_and_empty_lists_stay_off_the_wire() -> None:
    """What says nothing is not written."""
    assert to_wire(OperationSpec(job=JOB)) == {"job": JOB, "suspend": False, "readyWhen": "Succeeded"}


def test_a_template_belongs_to_the_default_service() -> None:
    """A template without a service has the service called default."""
    template = OperationTemplate.model_validate({"metadata": {"name": "t"}, "spec": {"job": JOB}})

    assert template.spec.service == "default"


def test_models_are_frozen() -> None:
    """A status that was read cannot be changed in place."""
    with pytest.raises(ValidationError, match="frozen"):
        OperationStatus().phase = Phase.FAILED


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, "exactly one of templateRef and job"),
        ({"job": JOB, "templateRef": {"name": "t"}}, "exactly one of templateRef and job"),
        ({"job": {}}, "job.spec is missing or not an object"),
        ({"job": {"spec": []}}, "job.spec is missing or not an object"),
        ({"job": JOB, "input": []}, "input"),
        ({"job": JOB, "timeouts": {"startToClose": "1 hour"}}, "timeouts.startToClose"),
        ({"job": JOB, "timeouts": {"startToClose": ""}}, "timeouts.startToClose"),
        ({"job": JOB, "readyWhen": "Soon"}, "readyWhen"),
        ({"job": JOB, "metadata": {str(i): "" for i in range(65)}}, "metadata"),
        ({"job": JOB, "callbacks": [{"name": "A", "url": "https://a.example"}]}, "callbacks.0.name"),
        ({"job": JOB, "callbacks": [{"name": "a", "url": "ftp://a.example"}]}, "callbacks.0.url"),
        ({"templateRef": {"name": "a.b"}}, "templateRef.name"),
    ],
)
def test_a_wrong_spec_is_refused_and_the_place_is_named(spec: dict[str, Any], problem: str) -> None:
    """Each mistake raises a validation error that names the field the way the user wrote it."""
    with pytest.raises(ValidationError) as caught:
        OperationSpec.model_validate(spec)

    places = [".".join(map(str, error["loc"])) + " " + error["msg"] for error in caught.value.errors()]
    assert any(problem in place for place in places), places


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time would be read as whatever zone the machine is in."""
    with pytest.raises(ValidationError, match="timezone"):
        OperationStatus(start_time=datetime(2026, 1, 1))  # noqa: DTZ001


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_survive_the_wire_to_the_microsecond(moment: datetime) -> None:
    """A time is written in UTC with a Z and read back as the same moment."""
    text = to_wire(OperationStatus(start_time=moment))["startTime"]

    assert text.endswith("Z")
    assert OperationStatus.model_validate({"startTime": text}).start_time == moment


def test_times_of_other_zones_become_utc() -> None:
    """A time of any zone is held and written in UTC."""
    moment = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    status = OperationStatus(start_time=moment)

    assert status.start_time == moment
    assert to_wire(status)["startTime"] == format_time(moment) == "2025-12-31T23:00:00Z"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_any_json_but_null_can_be_a_result(value: Any) -> None:
    """A result's value goes through the model untouched; null is the same as no value."""
    wire = to_wire(Result(value=value))

    assert wire == ({} if value is None else {"value": value})
    assert Result.model_validate(wire).value == value


def test_models_can_be_built_by_their_python_names() -> None:
    """Code uses snake_case names and the enums; the wire has Kubernetes' spelling."""
    status = OperationStatus(
        observed_generation=1,
        promise=Promise.PENDING,
        phase=Phase.RUNNING,
        conditions=(
            Condition(
                type="Started",
                status=ConditionStatus.TRUE,
                last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
                reason="Started",
            ),
        ),
        deliveries=(Delivery(name="billing", state=DeliveryState.PENDING),),
    )
    wire = to_wire(status)

    assert wire["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert wire["deliveries"] == [{"name": "billing", "state": "Pending", "attempts": 0}]
    assert to_wire(Timeouts(start_to_close="1h")) == {"startToClose": "1h"}
    assert CallbackFormat("CloudEvents") is CallbackFormat.CLOUD_EVENTS


@given(st.text(max_size=60), st.integers(min_value=1, max_value=50))
def test_clipped_text_fits_and_keeps_its_beginning(text: str, limit: int) -> None:
    """A text within the limit is untouched; a longer one is cut to exactly the limit."""
    clipped = limits.clip(text, limit)

    if len(text) <= limit:
        assert clipped == text
    else:
        assert len(clipped) == limit
        assert clipped == text[: limit - 1] + "…"
