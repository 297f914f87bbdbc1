"""The words with which the gateway refuses what a worker reports; workers may rely on them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ReportReason(StrEnum):
    """`error.reason` of a refused report."""

    INVALID_REPORT = "InvalidReport"
    UNAUTHENTICATED = "Unauthenticated"
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 - a word
    WRONG_AUDIENCE = "WrongAudience"
    NOT_THIS_OPERATION = "NotThisOperation"
    NO_SINGLE_RESULT = "NoSingleResult"
    COUNTED_BY_JOB = "CountedByJob"
    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    SETTLED = "Settled"
    REPLACED = "Replaced"
    RESULT_DIFFERS = "ResultDiffers"
    TOO_LARGE = "TooLarge"
    TOO_MANY_REPORTS = "TooManyReports"
    INTERNAL_ERROR = "InternalError"
    UNAVAILABLE = "Unavailable"


HTTP_STATUS: Final[dict[ReportReason, int]] = {
    ReportReason.INVALID_REPORT: 400,
    ReportReason.UNAUTHENTICATED: 401,
    ReportReason.TOKEN_EXPIRED: 401,
    ReportReason.WRONG_AUDIENCE: 403,
    ReportReason.NOT_THIS_OPERATION: 403,
    ReportReason.NO_SINGLE_RESULT: 403,
    ReportReason.COUNTED_BY_JOB: 403,
    ReportReason.NOT_FOUND: 404,
    ReportReason.METHOD_NOT_ALLOWED: 405,
    ReportReason.SETTLED: 409,
    ReportReason.REPLACED: 409,
    ReportReason.RESULT_DIFFERS: 409,
    ReportReason.TOO_LARGE: 413,
    ReportReason.TOO_MANY_REPORTS: 429,
    ReportReason.INTERNAL_ERROR: 500,
    ReportReason.UNAVAILABLE: 503,
}
