"""What becomes of operations, as the API server tells it: a watch in the background that misses no state."""

import json
import time
from collections.abc import Callable
from typing import Any

from demo.programs import DemoError, Heard, Kubectl
from demo.screen import Row, Screen, Table

Object = dict[str, Any]
TURN = 0.2  # seconds between two looks at what the watch has brought


class Watch:
    """The operations of the namespace: `now` holds them, `gone` the last state of those that were deleted."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.now: dict[str, Object] = {}
        self.gone: dict[str, Object] = {}
        self._events = Heard(
            kubectl.command("get", "asyncoperations", "--watch", "--output-watch-events", "-o", "json"), self._take
        )

    def stop(self) -> None:
        """End the watch."""
        self._events.stop()

    def follow(
        self,
        screen: Screen,
        name: str,
        until: Callable[[Object], bool],
        *,
        began: float | None = None,
        seconds: float = 180,
    ) -> Object:
        """Show the operation as it changes; return it once `until` holds. Raises DemoError after `seconds`.

        `began` is the moment (monotonic) that the shown seconds count from; default: now.
        """
        table = Table(screen)
        began = time.monotonic() if began is None else began
        while True:
            passed = time.monotonic() - began
            found = self.now.get(name)
            if found:
                table.show([row_of(found, passed)])
                if until(found):
                    return found
            if passed > seconds:
                raise DemoError(
                    f"{name} has not come so far within {seconds:g} s: {json.dumps(status_of(found or {}))}"
                )
            self._pause()

    def await_gone(self, name: str, seconds: float = 60) -> Object:
        """Return the last state of a deleted operation. Raises DemoError if it is not gone after `seconds`."""
        deadline = time.monotonic() + seconds
        while name not in self.gone:
            if time.monotonic() > deadline:
                raise DemoError(f"{name} is still there after {seconds:g} s")
            self._pause()
        return self.gone[name]

    def _pause(self) -> None:
        if self._events.ended:
            raise DemoError("kubectl get --watch has ended: is the API server still there?")
        time.sleep(TURN)

    def _take(self, line: str) -> None:
        event = json.loads(line)  # one a line
        found, name = event["object"], event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            self.now.pop(name, None)
            self.gone[name] = found
        else:
            self.now[name] = found


def status_of(operation: Object) -> Object:
    return dict(operation.get("status") or {})


def row_of(operation: Object, seconds: float) -> Row:
    status = status_of(operation)
    reasons = {one["type"]: one["reason"] for one in status.get("conditions", ())}
    reason = reasons.get("Succeeded", "")
    phase = str(status.get("phase", ""))
    return Row(
        seconds=seconds,
        name=operation["metadata"]["name"],
        phase=phase,
        progress=status.get("progress", {}).get("summary", ""),
        reason="" if reason == phase else reason,
    )


def settled(operation: Object) -> bool:
    return status_of(operation).get("promise") in ("Fulfilled", "Rejected")
