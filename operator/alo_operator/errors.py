"""Every error this project raises on purpose.

AloError
├── ConfigurationError      the process cannot start or go on as configured; a person has to act
├── InvalidJob              the work of one operation can never run as written
├── InvalidInput            the input of one operation can never be handed over
├── InvalidCallbackUrl      nothing can ever be sent to the URL of this callback
├── InvalidSigningKey       what a Secret holds for signing cannot be used
├── ReportRefused           what a worker reported is not taken
├── SchemasUnavailable      nobody is there to judge by JSON Schemas just now
├── ApiError                the API server answered with an error
│   ├── BadRequest          400, 413, 422: the request itself is wrong; repeating it cannot help
│   ├── Unauthorized        401
│   ├── Forbidden           403: RBAC, quota, admission or a terminating namespace
│   ├── NotFound            404
│   ├── Conflict            409 on an update: decided on an old resourceVersion
│   ├── AlreadyExists       409 on a create
│   ├── Gone                410: the resourceVersion or continue token is too old
│   └── ServerBusy          429 and 5xx: later
├── ApiUnreachable          no answer: refused, reset, timed out
├── NotLeader               a write was refused here because the Lease is not (or no longer surely) ours
└── ReportError             what a worker hands in did not arrive
    ├── InvalidResult       it cannot be written down as it is
    ├── ResultTooLarge      no way that is open to this worker carries so much
    ├── ResultRefused       it was refused for good: repeating it cannot help
    └── ReportUnavailable   nobody took it in the time there was

Cancelled                   SIGTERM, raised inside a worker; no AloError, nor any Exception: see there
"""

from __future__ import annotations


class AloError(Exception):
    """Base of all errors of this project."""

    retryable = False


class ConfigurationError(AloError):
    """Something outside the code is wrong; the message says what, `advice` says what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}. {advice}")
        self.problem, self.advice = problem, advice


class InvalidJob(AloError):
    """`spec.job` can never become a Job; the message names the field and the way out."""


class InvalidInput(AloError):
    """`spec.input` cannot be handed to a worker; the message says why. `too_large`: whether its size is the reason."""

    def __init__(self, message: str, *, too_large: bool = True) -> None:
        super().__init__(message)
        self.too_large = too_large


class InvalidCallbackUrl(AloError):
    """Nothing can ever be sent to this URL; the message says why and what to write, and never repeats the URL."""


class InvalidSigningKey(AloError):
    """What a Secret holds for signing cannot be used; the message says which key and why, and never shows any of it."""


class SchemasUnavailable(AloError):
    """The process that judges by JSON Schemas cannot be started or does not answer; says nothing about any schema."""

    retryable = True


class ReportRefused(AloError):
    """The gateway's refusal of a report: `reason` is the word of `api.reports`, `message` says what to do.

    `retry_after`: seconds after which the same report may be taken; None where asking again is no use.
    """

    def __init__(self, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.retry_after = reason, message, retry_after


class ApiError(AloError):
    """An error answer of the API server.

    `status` is the HTTP code, `reason` the machine word of the Status object ("AlreadyExists"), `message` the API
    server's own sentence, `causes` the reasons in its details, `retry_after` seconds it asked for (None: none).
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message
        self.causes, self.retry_after = causes, retry_after


class BadRequest(ApiError):
    """400, 413 or 422: the same request will never be accepted."""


class Unauthorized(ApiError):
    """401: the credentials are not (or no longer) known."""

    retryable = True


class Forbidden(ApiError):
    """403: RBAC, quota, admission or a terminating namespace; may change without us."""

    retryable = True

    @property
    def over_quota(self) -> bool:
        """Whether a ResourceQuota refused it; the API server tells only in the sentence."""
        return "exceeded quota" in self.message

    @property
    def namespace_terminating(self) -> bool:
        """Whether the namespace is being deleted, so that nothing new can be created in it."""
        return "NamespaceTerminating" in self.causes


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409 on an update, patch or delete: look again, decide again."""

    retryable = True


class AlreadyExists(ApiError):
    """409 on a create: the name is taken."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token has expired."""

    retryable = True


class ServerBusy(ApiError):
    """429 or 5xx: the same request may be accepted later."""

    retryable = True


class ApiUnreachable(AloError):
    """No answer from the API server."""

    retryable = True


class NotLeader(AloError):
    """This replica holds no Lease whose deadline is ahead, so it must not write."""

    retryable = True


class ReportError(AloError):
    """What a worker hands in did not arrive; the message says why and what to do."""


class InvalidResult(ReportError):
    """The value is not JSON, or JSON that Kubernetes does not keep as it is."""


class ResultTooLarge(ReportError):
    """The result has `size` bytes and at most `limit` get through (None: whoever refused it did not say)."""

    def __init__(self, size: int, limit: int | None, advice: str) -> None:
        allowed = "which are too many" if limit is None else f"and may have {limit}"
        super().__init__(f"the result has {size} bytes {allowed}: {advice}")
        self.size, self.limit = size, limit


class ResultRefused(ReportError):
    """The result was refused for good.

    `status` is the HTTP code (None where it was refused before it was sent), `reason` the machine word of the answer.
    """

    def __init__(self, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class ReportUnavailable(ReportError):
    """Nobody took the report: no answer, or only answers to come again later. Another attempt may get through."""

    retryable = True


class Cancelled(BaseException):
    """The work was told to stop.

    Like KeyboardInterrupt it passes by `except Exception`, so that code which goes on after any error does not go on
    after this one.
    """
