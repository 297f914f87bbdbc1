"""What the person in front of the screen sees: acts, commands with their output, and a table that lives."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

BOLD, DIM, GREEN, RED, RESET = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"
WIDEST = 110
INDENT = "    "


@dataclass(frozen=True)
class Row:
    """One operation in the table; `seconds` since the table began."""

    seconds: float
    name: str
    phase: str
    progress: str
    reason: str

    def line(self) -> str:
        return f"{self.seconds:5.1f} s  {self.name:<16} {self.phase:<11} {self.progress:<9} {self.reason}".rstrip()

    @property
    def state(self) -> tuple[str, ...]:
        return self.phase, self.progress, self.reason


class Screen:
    """Writes to `out`; colours and a table that is redrawn in place only where that is a terminal."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int:
        return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)

    def write(self, text: str = "") -> None:
        print(text, file=self.out, flush=True)

    def paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{RESET}" if self.colours else text

    def act(self, title: str, why: str) -> None:
        """Begin an act: what is shown, and in a sentence or two why it matters."""
        self.write()
        self.write(self.paint(BOLD, f"== {title} " + "=" * max(3, self.width - len(title) - 4)))
        for line in textwrap.wrap(why, self.width):
            self.write(line)
        self.write()

    def command(self, text: str) -> None:
        self.write(self.paint(BOLD, f"$ {text}"))

    def output(self, text: str) -> None:
        """Show what a command or a worker printed, as it is."""
        for line in text.rstrip().splitlines():
            self.write(INDENT + line)

    def wrapped(self, label: str, text: str) -> None:
        """Show a label and a text that may need several lines."""
        first = f"{INDENT}{label:<10}"
        for line in textwrap.wrap(text, self.width, initial_indent=first, subsequent_indent=" " * len(first)):
            self.write(line)

    def good(self, text: str) -> None:
        self.write(f"{self.paint(GREEN, '  ok')}  {text}")

    def bad(self, text: str) -> None:
        self.write(f"{self.paint(RED, '  NOT AS EXPECTED')}  {text}")


class Table:
    """The state of a few operations: on a terminal redrawn in place, elsewhere one line for each change."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown: dict[str, Row] = {}
        self._drawn = 0

    def show(self, rows: Sequence[Row]) -> None:
        """Bring the screen up to date."""
        if self._screen.live:
            self._redraw(rows)
        else:
            for row in rows:
                shown = self._shown.get(row.name)
                if shown is None or shown.state != row.state:
                    self._screen.write(INDENT + row.line())
        self._shown |= {row.name: row for row in rows}

    def _redraw(self, rows: Sequence[Row]) -> None:
        up = f"\033[{self._drawn}A" if self._drawn else ""
        width = shutil.get_terminal_size((WIDEST, 24)).columns - 1
        self._screen.out.write(up + "".join(f"\r\033[K{(INDENT + row.line())[:width]}\n" for row in rows))
        self._screen.out.flush()
        self._drawn = len(rows)
