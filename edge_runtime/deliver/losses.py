"""Losses: what was lost and is still owed to the subscribers as a `gap`.

A loss grows while its cause lasts; it becomes a message only when someone can take it and it has been quiet for a while, or is a minute
old: a week without a broker ends in one gap a stream and reason, not in a flood of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from edge_runtime.clock import STEP_NS
from edge_runtime.types import Tick

QUIET_NS = 2_000_000_000
HELD_NS = 60_000_000_000
MAX_STREAMS = 256  # above that, losses are told for "node" as a whole


@dataclass(frozen=True, slots=True)
class Loss:
    """`rows` messages of one stream were lost for one reason; their wall times lie in [from_ns, to_ns].

    reason: full (size cap) | age (max_age) | corrupt (file or row) | refused (by the broker) | oversize (no broker would take it) |
    busy (the disk could not follow) | topics (too many)
    """

    stream: str
    reason: str
    from_ns: int
    to_ns: int
    rows: int


class Losses:
    """Losses by stream and reason; bounded by the number of both."""

    def __init__(self, losses: Iterable[Loss] = ()) -> None:
        self._losses: dict[tuple[str, str], Loss] = {(each.stream, each.reason): each for each in losses}
        self._begun: dict[tuple[str, str], int] = {}
        self._grown: dict[tuple[str, str], int] = {}
        self._lead_ns: int | None = None  # of the wall clock before the monotonic one, when it was last looked at
        self.changed = False

    def __iter__(self) -> Iterator[Loss]:
        return iter(list(self._losses.values()))

    def __len__(self) -> int:
        return len(self._losses)

    def add(self, loss: Loss, now: Tick) -> None:
        """Merge one more loss."""
        self._follow(now)
        key = (loss.stream, loss.reason)
        if key not in self._losses and len({stream for stream, _ in self._losses}) >= MAX_STREAMS:
            loss = replace(loss, stream="node")
            key = ("node", loss.reason)
        before = self._losses.get(key)
        if before is not None:
            loss = replace(loss, from_ns=min(before.from_ns, loss.from_ns), to_ns=max(before.to_ns, loss.to_ns), rows=before.rows + loss.rows)
        self._losses[key] = loss
        self._begun.setdefault(key, now.mono_ns)
        self._grown[key] = now.mono_ns
        self.changed = True

    def remove(self, loss: Loss) -> None:
        """It has become a message. Only exactly this state of it is removed: what was added since stays owed."""
        key = (loss.stream, loss.reason)
        if self._losses.get(key) == loss:
            del self._losses[key]
            self._begun.pop(key, None)
            self._grown.pop(key, None)
            self.changed = True

    def due(self, now: Tick) -> list[Loss]:
        """Those that have been quiet, or were held long enough."""
        self._follow(now)
        return [loss for key, loss in self._losses.items() if self._due_ns(key) <= now.mono_ns]

    def wait_s(self, now: Tick) -> float:
        """Seconds until one is due; infinity when nothing is owed."""
        due_ns = min((self._due_ns(key) for key in self._losses), default=None)
        return float("inf") if due_ns is None else max(0, due_ns - now.mono_ns) / 1e9

    def _due_ns(self, key: tuple[str, str]) -> int:
        if key not in self._grown:  # owed by an earlier process
            return 0
        return min(self._grown[key] + QUIET_NS, self._begun[key] + HELD_NS)

    def _follow(self, now: Tick) -> None:
        """The wall clock may have been set since: what was lost before, by this process and in this boot, is told by the clock that tells it."""
        lead_ns, before_ns = now.wall_ns - now.mono_ns, self._lead_ns
        self._lead_ns = lead_ns
        if before_ns is None or abs(lead_ns - before_ns) <= STEP_NS:
            return
        for key in self._grown:
            loss = self._losses[key]
            # By the clock as it was: what lies after now was written by an earlier boot, whose clock was right.
            moved = [each + lead_ns - before_ns if before_ns <= each <= before_ns + now.mono_ns else each for each in (loss.from_ns, loss.to_ns)]
            self._losses[key] = replace(loss, from_ns=min(moved), to_ns=max(moved))
            self.changed = True

    def copy(self) -> Losses:
        """The same, to go back to when a transaction fails."""
        other = Losses()
        other._losses = dict(self._losses)
        other._begun = dict(self._begun)
        other._grown = dict(self._grown)
        other._lead_ns = self._lead_ns
        other.changed = self.changed
        return other
