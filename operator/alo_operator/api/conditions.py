"""Condition types and reasons: words that users and tools match on, so they change only with the API version."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Types of `status.conditions`; the last three mirror the outcome for kstatus (Flux, Helm, Argo CD)."""

    ACCEPTED = "Accepted"
    STARTED = "Started"
    SUSPENDED = "Suspended"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    SUCCEEDED = "Succeeded"
    RETAINED = "Retained"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """CamelCase reasons of conditions, failures and causes."""

    # Accepted
    ACCEPTED = "Accepted"
    NOT_SUPPORTED = "NotSupported"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    # Started=False, while waiting
    PENDING = "Pending"
    IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
    CONTAINER_CREATING = "ContainerCreating"
    CREATE_CONTAINER_ERROR = "CreateContainerError"
    CRASH_LOOP_BACK_OFF = "CrashLoopBackOff"
    UNSCHEDULABLE = "Unschedulable"
    NOT_READY = "NotReady"
    QUOTA_EXCEEDED = "QuotaExceeded"
    FORBIDDEN = "Forbidden"
    FAILED_CREATE = "FailedCreate"
    NO_POD = "NoPod"
    # working
    STARTED = "Started"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    RESUMED = "Resumed"
    # fulfilled
    SUCCEEDED = "Succeeded"
    RESULT_LOST = "ResultLost"
    # rejected: by the worker
    NON_ZERO_EXIT = "NonZeroExit"
    OOM_KILLED = "OOMKilled"
    RESULT_TOO_LARGE = "ResultTooLarge"
    INVALID_RESULT = "InvalidResult"
    # rejected: by the request
    INVALID_JOB = "InvalidJob"
    INVALID_IMAGE_NAME = "InvalidImageName"
    INPUT_TOO_LARGE = "InputTooLarge"
    INVALID_INPUT = "InvalidInput"
    INVALID_TEMPLATE = "InvalidTemplate"
    JOB_NAME_CONFLICT = "JobNameConflict"
    # rejected: by the surroundings
    EVICTED = "Evicted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    JOB_FAILED = "JobFailed"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    # cancelled and timed out
    CANCELLED = "Cancelled"
    SCHEDULE_TO_START_TIMEOUT = "ScheduleToStartTimeout"
    START_TO_CLOSE_TIMEOUT = "StartToCloseTimeout"
    SCHEDULE_TO_CLOSE_TIMEOUT = "ScheduleToCloseTimeout"
    POD_ABANDONED = "PodAbandoned"
    # Retained: the record's time is over, and it is kept for the sake of
    OWNED_BY_ARGO_CD = "OwnedByArgoCD"
    OWNED_BY_FLUX = "OwnedByFlux"
    OWNED_BY_HELM = "OwnedByHelm"
    OWNED_BY_CONTROLLER = "OwnedByController"
    # of Events alone: a callback was not told
    DELIVERY_FAILED = "DeliveryFailed"
    DELIVERY_DROPPED = "DeliveryDropped"


class FailureType(StrEnum):
    """`status.failure.type`: who has to act, before reading any reason."""

    WORKER = "WorkerFailed"  # the work ran and said no
    REQUEST = "InvalidRequest"  # the operation as written can never run
    INFRASTRUCTURE = "InfrastructureFailed"  # nodes, evictions, Jobs deleted by somebody else
    TIMEOUT = "TimedOut"
    CANCELLED = "Cancelled"


class CancelSource(StrEnum):
    """`status.cancellation.source`: who asked for the work to be stopped."""

    SPEC = "Spec"
    DELETION = "Deletion"
    TIMEOUT = "Timeout"
    FAILURE = "Failure"  # the operator found that the work can never start
