"""What waits for the recorder's next transaction: bounded, and what does not fit is declared as a loss."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.losses import Loss, Losses
from edge_runtime.present.envelope import stream_of
from edge_runtime.types import Envelope, Json, Tick

INCOMING_BYTES = 4_000_000
SETTLE_S = 1.0
SETTLE_ROWS = 256


@dataclass(slots=True)
class Item:
    """One call of `record`: its state belongs to its entries, so both go into one transaction."""

    entries: Sequence[Entry]
    state: dict[str, str]
    size: int = field(init=False)

    @staticmethod
    def of(envelopes: Sequence[Envelope], state: Mapping[str, Json]) -> Item:
        """Encoded: what the caller changes afterwards does not matter. A state of None forgets its key. Raises ValueError, TypeError."""
        texts = {key: "" if value is None else json.dumps(value, separators=(",", ":"), default=_plain) for key, value in state.items()}
        return Item([Entry.of(each) for each in envelopes], texts)

    def __post_init__(self) -> None:
        self.size = sum(entry.size for entry in self.entries) + sum(len(text) for text in self.state.values())


class Intake:
    """Not thread-safe: its owner locks."""

    def __init__(self, commit_s: float, batch_bytes: int) -> None:
        self.given = 0  # items that came
        self.overflowed = 0  # entries that did not fit
        self._commit_s = commit_s
        self._batch_bytes = batch_bytes
        self._items: deque[Item] = deque()
        self._size = 0
        self._since_s = 0.0  # when the oldest item came
        self._settled: list[int] = []  # bounded by what was taken from the backlog
        self._refused: list[tuple[int, str]] = []
        self._settled_since_s = 0.0
        self._lost = Losses()

    def put(self, item: Item, now: Tick) -> bool:
        """Take one item; whether whoever waits for `due_s` should look again.

        When it is full the entries are lost, and the state goes with what is already waiting: totals stay right.
        """
        if self._items and self._size + item.size > INCOMING_BYTES:
            self.overflowed += len(item.entries)
            self._items[-1].state.update(item.state)
            for entry in item.entries:
                self._lost.add(Loss(stream_of(entry.topic), "busy", entry.wall_ns, entry.wall_ns, 1), now)
            return False
        first = not self._items
        if first:
            self._since_s = time.monotonic()
        self._items.append(item)
        self._size += item.size
        self.given += 1
        return first or self._size >= self._batch_bytes

    def settle(self, accepted: Sequence[int], refused: Sequence[tuple[int, str]]) -> bool:
        """The broker's word; whether whoever waits for `due_s` should look again."""
        first = not self._settled and not self._refused
        if first:
            self._settled_since_s = time.monotonic()
        self._settled += accepted
        self._refused += refused
        return first or len(self._settled) >= SETTLE_ROWS

    @property
    def due_s(self) -> float:
        """When (on the monotonic clock) the next transaction should begin; infinity when nothing waits."""
        if self._size >= self._batch_bytes or len(self._settled) >= SETTLE_ROWS:
            return 0.0
        due_s = float("inf")
        if self._items:
            due_s = self._since_s + self._commit_s
        if self._settled or self._refused:
            due_s = min(due_s, self._settled_since_s + SETTLE_S)
        return due_s

    def gather(self) -> tuple[Batch, int]:
        """What goes into one transaction, and of how many items it is."""
        entries: list[Entry] = []
        state: dict[str, str] = {}
        size = taken = 0
        while self._items and (not taken or size + self._items[0].size <= self._batch_bytes):
            item = self._items.popleft()
            entries += item.entries
            state.update(item.state)
            size += item.size
            taken += 1
        self._size -= size
        batch = Batch(entries, state, self._settled, self._refused, list(self._lost))
        self._settled, self._refused, self._lost = [], [], Losses()
        return batch, taken


def _plain(value: Any) -> Json:
    """NumPy's scalars and arrays as JSON knows them. Raises TypeError for what is neither."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"state must be JSON, not {type(value).__name__}: {value!r}")
