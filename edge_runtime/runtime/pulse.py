"""Signs of life: every loop of the daemon beats; the supervisor looks for the ones that stopped.

Loops beat also when idle, reconnecting or offline: a dead camera is not a dead loop.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silence:
    """One loop that did not turn within its limit."""

    name: str
    silent_s: float
    limit_s: float


class Pulses:
    """Who beat when. A loop registers by its first beat and must leave with `retire`."""

    def __init__(self) -> None:
        self._beats: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def beat(self, name: str, limit_s: float = 30.0) -> None:
        """Loop `name` turned; it will do so again within `limit_s`."""
        now = time.monotonic_ns()
        with self._lock:
            self._beats[name] = (now, limit_s)

    def retire(self, name: str) -> None:
        """Loop `name` ended on purpose."""
        with self._lock:
            self._beats.pop(name, None)

    def forgive(self, seconds: float) -> None:
        """The process as a whole stood still for so long: no loop is to blame for that."""
        with self._lock:
            self._beats = {name: (at + round(seconds * 1e9), limit) for name, (at, limit) in self._beats.items()}

    def silent(self) -> list[Silence]:
        """Every loop that is over its limit."""
        now = time.monotonic_ns()
        with self._lock:
            beats = list(self._beats.items())
        late = [Silence(name, (now - at) / 1e9, limit) for name, (at, limit) in beats if now - at > limit * 1e9]
        return sorted(late, key=lambda silence: silence.name)
