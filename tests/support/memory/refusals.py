"""Error answers as the API server gives them, turned into our errors by the client's own code."""

from __future__ import annotations

from typing import Any

from alo_operator.effects.cluster import _error
from alo_operator.errors import ApiError

Body = dict[str, Any]


def refusal(status: int, reason: str, message: str, *causes: str) -> ApiError:
    """The error of an answer with this HTTP status, reason and message."""
    details = {"causes": [{"reason": cause} for cause in causes]}
    return _error("", status, {"reason": reason, "message": message, "details": details}, "")


def bad_request(message: str) -> ApiError:
    return refusal(400, "BadRequest", message)


def unintelligible(message: str) -> ApiError:
    """500 without a reason, which is what the API server says to a resourceVersion it cannot use."""
    return refusal(500, "", message)


def not_found(plural: str, name: str) -> ApiError:
    return refusal(404, "NotFound", f"{plural} {name!r} not found")


def conflict(plural: str, name: str, said: str) -> ApiError:
    return refusal(409, "Conflict", f"Operation cannot be fulfilled on {plural} {name!r}: {said}")


def invalid(plural: str, name: str, problems: list[str]) -> ApiError:
    return refusal(422, "Invalid", f"{plural} {name!r} is invalid: {'; '.join(problems)}")


def expired(message: str) -> ApiError:
    return refusal(410, "Expired", message)


def as_status(error: ApiError) -> Body:
    """The Status object of an error, as a watch tells it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.status,
    }
