"""What is to be done to the disk's rows and losses as soon as it takes writes again."""

from __future__ import annotations

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Loss

MAX_OWED = 50_000


class Owed:
    """Rows that were answered, losses that became messages. At most MAX_OWED rows: the rest is sent again."""

    def __init__(self) -> None:
        self._settled: set[int] = set()
        self._refused: dict[int, str] = {}
        self._closed: list[Loss] = []  # of one batch: while the disk refuses, what it owes waits

    def __len__(self) -> int:
        return len(self._settled) + len(self._refused)

    def __contains__(self, seq: object) -> bool:
        return seq in self._settled or seq in self._refused

    def add(self, batch: Batch) -> None:
        """What `batch` says of rows and losses of the disk."""
        for seq, why in batch.refused:
            if len(self) < MAX_OWED:
                self._refused[seq] = why
        self._settled.update(batch.settled[: max(0, MAX_OWED - len(self))])
        self._closed += batch.closed

    def as_batch(self) -> Batch:
        """All of it."""
        return Batch(settled=list(self._settled), refused=list(self._refused.items()), closed=list(self._closed))

    def clear(self) -> None:
        """It was done."""
        self._settled.clear()
        self._refused.clear()
        self._closed.clear()
