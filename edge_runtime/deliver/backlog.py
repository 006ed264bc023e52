"""Which row goes next: the order of delivery, without the disk.

    priority 0   main-st-n/crossing  ▮▮▮▮▮▮…   ┐ topics of one priority take turns,
                 main-st-n/gap       ▮         ┘ so a topic without backlog does not wait for those with one
    priority 1   main-st-n/count     ▮▮▮…        lower priorities wait, but one send in eight is theirs
    priority 2   air/air             ▮▮▮▮…

Each topic has a queue of a few rows read ahead, and a cursor behind them; order within a topic is the order of the spool. Rows that
were handed out stay behind the cursor until they are settled; `rewind` (the connection was lost) begins again at the oldest unsettled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge_runtime.types import SpooledRow

AHEAD = 64  # rows read ahead in one topic
ALL_AHEAD = 4096  # in all topics, about
LOW_EVERY = 8


@dataclass(slots=True)
class _Queue:
    topic: str
    priority: int
    cursor: int = 0  # the last row read from the disk
    more: bool = True  # the disk may hold rows behind the cursor
    paused: bool = False
    rows: deque[SpooledRow] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Want:
    """What should be read next: up to `limit` rows of `topic` behind `after`. `turn` tells an answer that came too late."""

    topic: str
    after: int
    limit: int
    turn: int


class Backlog:
    """Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._classes: dict[int, deque[_Queue]] = {}
        self._queues: dict[str, _Queue] = {}
        self._sends = 0
        self._turn = 0
        self.hungry = False  # a topic runs dry that has more on the disk

    def grown(self, topics: Iterable[tuple[str, int]]) -> None:
        """Rows of these topics (and their priorities) are on the disk."""
        for topic, priority in topics:
            queue = self._queues.get(topic)
            if queue is None:
                queue = self._queues[topic] = _Queue(topic, priority)
                self._classes.setdefault(priority, deque()).append(queue)
                self._classes = dict(sorted(self._classes.items()))
            queue.more = True

    def wants(self) -> list[Want]:
        """What to read so that no topic runs dry, most urgent first."""
        self.hungry = False
        room = self._room
        queues = [queue for queues in self._classes.values() for queue in queues if queue.more and len(queue.rows) <= room // 4]
        return [Want(queue.topic, queue.cursor, room - len(queue.rows), self._turn) for queue in queues]

    def fill(self, want: Want, rows: Sequence[SpooledRow], end: bool) -> None:
        """The answer to a want; `end`: there was nothing behind these rows. Answers from before a rewind are ignored."""
        queue = self._queues[want.topic]
        if want.turn != self._turn or want.after != queue.cursor:
            return
        queue.rows.extend(rows)
        queue.more = not end
        if rows:
            queue.cursor = rows[-1].seq

    def take(self) -> SpooledRow | None:
        """The row that goes next, or None when nothing is read ahead."""
        waiting = [queues for queues in self._classes.values() if any(queue.rows and not queue.paused for queue in queues)]
        if not waiting:
            return None
        self._sends += 1
        lower = self._sends % LOW_EVERY == 0 and len(waiting) > 1
        queues = waiting[1 + self._sends // LOW_EVERY % (len(waiting) - 1)] if lower else waiting[0]
        while not queues[0].rows or queues[0].paused:
            queues.rotate(-1)
        queue = queues[0]
        row = queue.rows.popleft()
        queues.rotate(-1)
        if queue.more and len(queue.rows) <= self._room // 4:
            self.hungry = True
        return row

    def pause(self, topic: str, paused: bool) -> None:
        """Whether rows of `topic` are held back."""
        if topic in self._queues:
            self._queues[topic].paused = paused

    @property
    def _room(self) -> int:
        return max(4, min(AHEAD, ALL_AHEAD // max(1, len(self._queues))))

    @property
    def empty(self) -> bool:
        """Nothing is read ahead, and nothing is known to be on the disk."""
        return not any(queue.rows or queue.more for queue in self._queues.values())

    def refresh(self) -> None:
        """What was read ahead and not taken may read otherwise by now: read it anew."""
        self._turn += 1
        for queue in self._queues.values():
            if queue.rows:
                queue.cursor = queue.rows[0].seq - 1
                queue.more = True
                queue.rows.clear()

    def rewind(self) -> None:
        """What was taken and not settled must be offered again: read everything anew."""
        self._turn += 1
        for queue in self._queues.values():
            queue.rows.clear()
            queue.cursor = 0
            queue.more = True
            queue.paused = False
