"""Size limits of the API, and the one way to make a text fit its limit.

Lengths count characters, as the API server's own `maxLength` does; names that end in BYTES count UTF-8 bytes.
"""

from typing import Final

NAME: Final = 63
OBJECT_NAME: Final = 253
URL: Final = 2048
WORD: Final = 128
REASON: Final = 1024
MESSAGE: Final = 4096
DESCRIPTION: Final = 4096
CONTENT_TYPE: Final = 255
SUMMARY: Final = 32
DIGEST: Final = 128
UID: Final = 64

INPUT_BYTES: Final = 64 * 1024
TEMPLATE_BYTES: Final = 256 * 1024  # of an OperationTemplate's spec as JSON
SCHEMA_BYTES: Final = 64 * 1024
SCHEMA_DEPTH: Final = 64
INLINE_BYTES: Final = 4 * 1024  # of a result that is kept in status itself
RESULT_BYTES: Final = 900 * 1024  # of a result that a worker hands in
METADATA_ENTRIES: Final = 64
METADATA_CHARACTERS: Final = 8 * 1024
CALLBACKS: Final = 16
DELIVERY_ERROR: Final = 256
REDELIVERY: Final = 512
CAUSES: Final = 8
CONDITIONS: Final = 16
ENV: Final = 64

_ELLIPSIS: Final = "…"


def clip(text: str, limit: int = MESSAGE) -> str:
    """`text` in at most `limit` characters; a shortened one ends in an ellipsis."""
    if len(text) <= limit:
        return text
    return text[: limit - len(_ELLIPSIS)] + _ELLIPSIS
