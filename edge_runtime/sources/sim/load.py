"""`sim:load?rate=500`: numbers at a rate, for whoever wants to know whether every one of them arrives, once and in order.

    due     1 2 3 4 5 6 7 8 9 …             n is due (n − first) / rate seconds after `open`
    read    [1 2 3] [4 5] [6 7 8 9] …        a burst: all that came due since the last one, at least BURST_S apart
    late    ─────────────X [10 … 10 + rate]  more than LATEST_S behind: the schedule moves; no number is ever left out

The numbers go on from where an earlier process committed the last one: `n` of a stream has no hole as long as its spool lives.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from edge_runtime.errors import Disconnected
from edge_runtime.sources.sim.options import LoadOptions

_NS = 1_000_000_000
BURST_S = 0.005  # at high rates, events are handed on so many at a time
LATEST_S = 1.0  # what is caught up after a pause, at most


@dataclass(frozen=True, slots=True)
class Burst:
    """Events `first` to `first + count − 1`; the first was due at `due_ns` of the monotonic clock, the others `period_ns` apart each."""

    first: int
    count: int
    due_ns: int
    period_ns: float


class LoadSource:
    """Bursts of numbers at a rate, paced by the monotonic clock. One thread opens, reads and closes."""

    def __init__(self, options: LoadOptions, first: int = 1) -> None:
        """`first`: the number to begin with."""
        self._period_ns = _NS / options.rate
        self._next = first
        self._began_ns = 0  # when number `_zero` was due
        self._zero = first
        self._given_ns = 0
        self._is_open = False
        self.moved_s = 0.0  # how far the schedule had to move in all

    def open(self) -> None:
        """The next number is due now."""
        self._zero = self._next
        self._began_ns = time.monotonic_ns()
        self._is_open = True

    def read(self, timeout: float) -> Burst | None:
        """All that is due by now; waits up to `timeout` seconds for the first. Raises Disconnected when it is not open."""
        if not self._is_open:
            raise Disconnected("sim:load: not open")
        due_ns = self._due_ns(self._next)
        wait_ns = max(due_ns, self._given_ns + BURST_S * _NS) - time.monotonic_ns()
        if wait_ns > timeout * _NS:
            time.sleep(timeout)
            return None
        if wait_ns > 0:
            time.sleep(wait_ns / _NS)
        now_ns = time.monotonic_ns()
        late_ns = now_ns - due_ns
        if late_ns > LATEST_S * _NS:
            moved_ns = round(late_ns - LATEST_S * _NS)
            self._began_ns += moved_ns
            self.moved_s += moved_ns / _NS
            due_ns += moved_ns
        count = max(1, int((now_ns - self._began_ns) / self._period_ns) - (self._next - self._zero) + 1)
        burst = Burst(self._next, count, round(due_ns), self._period_ns)
        self._next += count
        self._given_ns = now_ns
        return burst

    def close(self) -> None:
        """Give no more."""
        self._is_open = False

    def _due_ns(self, number: int) -> float:
        return self._began_ns + (number - self._zero) * self._period_ns
