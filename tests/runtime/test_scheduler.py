"""Sharing one engine by deadline."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from edge_runtime.runtime.scheduler import Scheduler


def test_places_are_counted() -> None:
    scheduler = Scheduler(2)
    assert scheduler.acquire(0, 0)
    assert scheduler.acquire(0, 0)
    assert not scheduler.acquire(0, 0.01)
    scheduler.release()
    assert scheduler.acquire(0, 0)


def test_no_places_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Scheduler(0)


def test_earliest_deadline_is_served_first_not_the_first_to_come() -> None:
    scheduler = Scheduler(1)
    assert scheduler.acquire(0, 0)
    served: list[int] = []

    def want(deadline_ns: int) -> None:
        assert scheduler.acquire(deadline_ns, 5)
        served.append(deadline_ns)
        scheduler.release()

    waiters = []
    for waiting, deadline_ns in enumerate((30, 10, 20), start=1):
        waiter = threading.Thread(target=want, args=(deadline_ns,))
        waiter.start()
        waiters.append(waiter)
        while len(scheduler._waiting) < waiting:
            time.sleep(0.001)
    scheduler.release()
    for waiter in waiters:
        waiter.join(5)
    assert served == [10, 20, 30]


def test_a_waiter_that_gave_up_is_not_granted_a_place() -> None:
    scheduler = Scheduler(1)
    assert scheduler.acquire(0, 0)
    assert not scheduler.acquire(0, 0.01)
    scheduler.release()
    assert scheduler.acquire(5, 0), "the place must be free, not granted to the one who left"


def test_overloaded_lanes_get_equal_shares() -> None:
    scheduler = Scheduler(1)
    grants: Counter[str] = Counter()
    stop = threading.Event()

    def lane(name: str, period_ns: int) -> None:
        deadline_ns = 0
        while not stop.is_set():
            if not scheduler.acquire(deadline_ns, 0.2):
                continue
            deadline_ns = time.monotonic_ns() + period_ns
            grants[name] += 1
            while len(scheduler._waiting) < 3 and not stop.is_set():  # overload: the others want it too, however slowly this machine wakes them
                stop.wait(0.001)
            scheduler.release()

    lanes = [threading.Thread(target=lane, args=(f"cam-{number}", 100_000_000)) for number in range(4)]
    for thread in lanes:
        thread.start()
    while sum(grants.values()) < 200:
        time.sleep(0.01)
    stop.set()
    for thread in lanes:
        thread.join(5)
    assert max(grants.values()) - min(grants.values()) <= 2, grants
