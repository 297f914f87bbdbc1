"""The words with which status.deliveries[].lastError begins; programs may rely on them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class DeliveryError(StrEnum):
    """Why a callback was not told; a colon and a sentence for people follow the word."""

    INVALID_CALLBACK_URL = "InvalidCallbackUrl"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    HOST_NOT_FOUND = "HostNotFound"
    CONNECTION_REFUSED = "ConnectionRefused"
    CONNECTION_FAILED = "ConnectionFailed"
    CONNECTION_LOST = "ConnectionLost"
    TLS_ERROR = "TLSError"
    TIMEOUT = "Timeout"
    INVALID_ANSWER = "InvalidAnswer"
    HTTP_ERROR = "HTTPError"
    REDIRECT_NOT_FOLLOWED = "RedirectNotFollowed"
    GONE = "Gone"
    SIGNING_KEY_MISSING = "SigningKeyMissing"
    SIGNING_KEY_INVALID = "SigningKeyInvalid"
    DESTINATION_FAILED = "DestinationFailed"
    INTERNAL_ERROR = "InternalError"


MEANING: Final[dict[DeliveryError, str]] = {
    DeliveryError.INVALID_CALLBACK_URL: "Nothing can be sent to the URL as it is written. Final: add another callback.",
    DeliveryError.ADDRESS_NOT_ALLOWED: "The host has an address that messages may not go to; nothing was sent. The "
    "operator's option --delivery-allow lists networks and hosts that may be connected to besides.",
    DeliveryError.HOST_NOT_FOUND: "The host's name has no address.",
    DeliveryError.CONNECTION_REFUSED: "Nobody takes connections at that host and port.",
    DeliveryError.CONNECTION_FAILED: "There was no connection for another reason, such as a missing route.",
    DeliveryError.CONNECTION_LOST: "The receiver hung up before it had answered.",
    DeliveryError.TLS_ERROR: "There is no trust in the receiver's certificate, or no TLS at all; nothing was sent. The "
    "operator's option --delivery-ca names a file with more authorities.",
    DeliveryError.TIMEOUT: "No connection within 5 seconds, or no answer within the time of --delivery-timeout.",
    DeliveryError.INVALID_ANSWER: "What came back is not HTTP, or has headers of more than 8 KiB.",
    DeliveryError.HTTP_ERROR: "The receiver answered with another status than 2xx; it follows.",
    DeliveryError.REDIRECT_NOT_FOLLOWED: "The receiver answered with 3xx: messages go to the callback's own URL only.",
    DeliveryError.GONE: "The receiver answered with 410. Final: it wants no more of these messages.",
    DeliveryError.SIGNING_KEY_MISSING: "The Secret of secretRef is not there, lacks the label "
    'alo-operator.io/signing-key: "true", or has no such key; nothing was sent.',
    DeliveryError.SIGNING_KEY_INVALID: "What the Secret holds is no signing key; nothing was sent.",
    DeliveryError.DESTINATION_FAILED: "Nothing was sent until the schedule was over, as the destination had failed for "
    "others again and again.",
    DeliveryError.INTERNAL_ERROR: "A mistake of the operator's own; its log has more.",
}
