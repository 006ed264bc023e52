"""A bounded hand-over between two threads of a lane.

live    capacity 1, latest wins: a frame that nobody fetched in time is replaced and counted
replay  small capacity, the giver waits: nothing is dropped
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """One giver, one taker. Closing wakes both; what is still inside can be taken."""

    def __init__(self, *, capacity: int = 1, latest_wins: bool = True) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._latest_wins = latest_wins
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T, timeout: float) -> T | None:
        """Hand over `item`. Returns the item that did not make it: the one replaced, or `item` itself when closed or out of time."""
        with self._changed:
            if self._closed:
                return item
            loser: T | None = None
            if len(self._items) >= self._capacity:
                if self._latest_wins:
                    loser = self._items.popleft()
                elif not self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity, timeout) or self._closed:
                    return item
            self._items.append(item)
            self._changed.notify_all()
            return loser

    def get(self, timeout: float) -> T | None:
        """The oldest item, or None when none came within `timeout` seconds (or the box is closed and empty)."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._items:
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    return None
                self._changed.wait(left)
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """No more items will be given."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def exhausted(self) -> bool:
        """Closed, and everything was taken."""
        with self._changed:
            return self._closed and not self._items
