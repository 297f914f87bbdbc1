"""What judging a value by a template's JSON Schema has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Finding(Enum):
    """Who is at fault, if anybody."""

    MATCH = auto()
    MISMATCH = auto()  # the value is not as the schema says
    UNUSABLE = auto()  # the schema is none, or costs too much to judge by


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement; `message` names the place and what is expected there, "" for a match."""

    finding: Finding
    message: str = ""


MATCH = Verdict(Finding.MATCH)
