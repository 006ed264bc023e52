"""Shares one engine among lanes: the lane with the earliest deadline gets the next free place.

A place is held from preprocessing to the end of inference. There is one place more than the engine has workers, so that the next
frame is prepared while the current ones are inferred; a frame waits in its mailbox, where a newer one may replace it, not in the
engine's queue. A lane's deadline is its last grant + its wanted period. Under overload that is a rotation weighted by `fps`:
nobody starves, and whoever asks for little gets all of it.
"""

from __future__ import annotations

import heapq
import threading


class Scheduler:
    """A counting semaphore whose waiters are served by deadline instead of arrival."""

    def __init__(self, places: int) -> None:
        if places < 1:
            raise ValueError(f"places = {places}: expected at least 1")
        self._free = places
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._arrivals = 0

    def acquire(self, deadline_ns: int, timeout: float) -> bool:
        """Wait for a place. False when none came within `timeout` seconds: nothing is held then."""
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return True
            self._arrivals += 1
            granted = threading.Event()
            entry = (deadline_ns, self._arrivals, granted)
            heapq.heappush(self._waiting, entry)
        if granted.wait(timeout):
            return True
        with self._lock:
            if granted.is_set():  # granted between the time-out and the lock
                return True
            self._waiting.remove(entry)
            heapq.heapify(self._waiting)
            return False

    def release(self) -> None:
        """Give a place back; the earliest deadline gets it."""
        with self._lock:
            if self._waiting:
                heapq.heappop(self._waiting)[2].set()
            else:
                self._free += 1
