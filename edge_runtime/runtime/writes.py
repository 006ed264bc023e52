"""What this daemon writes to its disk a day: measured by the kernel, held against a budget. Flash wears out by nothing else.

    /proc/self/io  write_bytes    what this process caused to be written, children that ended included  ─┐
    /proc/<pid>/io                the same of each descendant that lives                                ─┴─► total ─► hours ─► a day

    hours   ▂ ▂ ▅ ▂ ▂ … ▂ │▁     the last 23 whole hours and the present one; restored after a restart as if no time had passed
                            per day = bytes × 24 h ÷ the time measured, which counts as an hour at least

The kernel counts pages as they are made dirty: what is on a RAM disk is not counted, what a file system adds (its journal, and a flash's own
rewriting) is not seen. So the budget is of what the project can answer for.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from edge_runtime.clock import Clock
from edge_runtime.types import Event, Json

_log = logging.getLogger("edge_runtime.writes")

LOOK_NS = 10_000_000_000
HOUR_NS = 3600 * 10**9
HOURS = 24
CALM = 0.9  # of the budget: below it the alarm ends
STATE = "writes"
_PROC = Path("/proc")
_DESCENDANTS = 256  # more than that are not ours


class WriteMeter:
    """Bytes a day from readings of a counter that only grows. A state machine: it reads nothing itself."""

    def __init__(self, state: Json = None) -> None:
        """`state`: of an earlier process."""
        state = state or {"hours": [], "bytes": 0, "span_ns": 0}
        self._hours: deque[int] = deque((int(each) for each in state["hours"]), maxlen=HOURS - 1)
        self._bytes = int(state["bytes"])  # of the present hour
        self._span_ns = min(HOUR_NS, int(state["span_ns"]))  # of the present hour that has passed
        self._last_ns: int | None = None
        self.total = 0

    def read(self, mono_ns: int, total: int) -> bool:
        """The counter stands at `total`; whether an hour has become whole. A counter that seems to fall (a child ended just now) has not moved."""
        self._bytes += max(0, total - self.total)
        self.total = max(total, self.total)
        self._span_ns += 0 if self._last_ns is None else mono_ns - self._last_ns
        self._last_ns = mono_ns
        whole = self._span_ns >= HOUR_NS
        while self._span_ns >= HOUR_NS:
            self._hours.append(self._bytes)
            self._bytes = 0
            self._span_ns -= HOUR_NS
        return whole

    @property
    def measured_s(self) -> float:
        """How much time the figure rests on."""
        return (len(self._hours) * HOUR_NS + self._span_ns) / 1e9

    @property
    def day_bytes(self) -> int:
        """Bytes a day."""
        return round((sum(self._hours) + self._bytes) * 86_400 / max(3600.0, self.measured_s))

    def snapshot(self) -> Json:
        """What a later process goes on with."""
        return {"hours": list(self._hours), "bytes": self._bytes, "span_ns": self._span_ns}


class WriteBudget:
    """Measures, and raises an alarm above `budget` bytes a day. `turn` and `health` are called by the supervisor's thread."""

    def __init__(self, budget: int, clock: Clock, tell: Callable[[Event], None], keep: Callable[[Json], None]) -> None:
        """`tell` publishes; `keep` stores a state, once an hour and with each alarm."""
        self._budget = budget
        self._clock = clock
        self._tell = tell
        self._keep = keep
        self._meter = WriteMeter()
        self._look_ns = 0
        self._measured = True
        self._over = False

    def restore(self, state: Json) -> None:
        """Go on with what an earlier process measured, and with the alarm that it raised."""
        self._meter = WriteMeter(state)
        self._over = bool(state and state.get("over", False))

    def turn(self) -> None:
        """Read the counter when it is time to."""
        now = self._clock.now()
        if now.mono_ns < self._look_ns:
            return
        self._look_ns = now.mono_ns + LOOK_NS
        total = written_bytes()
        if total is None:
            if self._measured:
                _log.warning("this kernel does not say what is written to the disk (/proc/self/io): the write budget is not watched")
            self._measured = False
            return
        self._measured = True
        if self._meter.read(now.mono_ns, total):
            self.keep()
        day_bytes = self._meter.day_bytes
        over = day_bytes > (CALM if self._over else 1.0) * self._budget
        if over != self._over:
            self._over = over
            self._say(day_bytes)
            self.keep()

    def keep(self) -> None:
        """Store what was measured, and whether the alarm is raised."""
        self._keep({**self._meter.snapshot(), "over": self._over})

    def health(self) -> Json:
        """Numbers for `health`; None where they cannot be measured."""
        if not self._measured:
            return None
        meter = self._meter
        return {
            "bytes": meter.total,
            "day_bytes": meter.day_bytes,
            "measured_s": round(meter.measured_s),
            "budget": self._budget,
            "over": self._over,
        }

    def _say(self, day_bytes: int) -> None:
        data = {"what": "writes", "state": "raised" if self._over else "ended", "day_bytes": day_bytes, "budget": self._budget}
        self._tell(Event("alarm", "node", self._clock.now(), data))
        if self._over:
            _log.warning(
                "%d MB a day are written to the disk, the budget is %d MB ([device] write_budget): flash wears out", *_mb(day_bytes, self._budget)
            )
        else:
            _log.info("%d MB a day are written to the disk, within the budget of %d MB", *_mb(day_bytes, self._budget))


def written_bytes(pid: int | str = "self") -> int | None:
    """What a process and its descendants caused to be written to disks, in bytes, as far as the kernel says; None when it does not say."""
    # The process first: a child that ends meanwhile is then missing for a moment, and never counted twice.
    own = _write_bytes(pid)
    if own is None:
        return None
    return own + sum(_write_bytes(child) or 0 for child in _descendants(pid))


def _write_bytes(pid: int | str) -> int | None:
    try:
        lines = (_PROC / str(pid) / "io").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes:")), None)


def _descendants(pid: int | str) -> list[int]:
    found: list[int] = []
    ahead: list[int | str] = [pid]
    while ahead and len(found) < _DESCENDANTS:
        children = _children(ahead.pop())
        found += children
        ahead += children
    return found


def _children(pid: int | str) -> list[int]:
    """Each thread has its own."""
    found: list[int] = []
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return found  # the process has ended
    for thread in threads:
        try:
            found += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # the thread has ended
    return found


def _mb(*sizes: int) -> tuple[int, ...]:
    return tuple(round(size / 1e6) for size in sizes)
