"""The order of delivery: order in each topic, turns among topics, one send in eight for lower priorities."""

from __future__ import annotations

import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.deliver.backlog import AHEAD, ALL_AHEAD, Backlog
from edge_runtime.types import SpooledRow


class Disk:
    """Rows by topic, in order, as the spool would read them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[SpooledRow]] = defaultdict(list)
        self.seq = 0

    def add(self, backlog: Backlog, topic: str, priority: int, count: int = 1) -> None:
        for _ in range(count):
            self.seq += 1
            self.rows[topic].append(SpooledRow(self.seq, topic, b"", priority))
        backlog.grown([(topic, priority)])

    def feed(self, backlog: Backlog) -> None:
        for want in backlog.wants():
            found = [row for row in self.rows[want.topic] if row.seq > want.after][: want.limit]
            backlog.fill(want, found, end=len(found) < want.limit)

    def take(self, backlog: Backlog) -> SpooledRow | None:
        row = backlog.take()
        if row is None:
            self.feed(backlog)
            row = backlog.take()
        return row


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 90)), min_size=1, max_size=8), st.integers(0, 2**32))
def test_take_with_losses_of_the_line_keeps_the_order_of_each_topic(additions: list[tuple[str, int]], seed: int) -> None:
    chance = random.Random(seed)
    disk, backlog = Disk(), Backlog()
    priorities = {"a": 0, "b": 0, "c": 1, "d": 2}
    settled: dict[str, list[int]] = defaultdict(list)
    for topic, count in additions:
        disk.add(backlog, topic, priorities[topic], count)
    unsettled: list[SpooledRow] = []
    for _ in range(10_000):
        row = disk.take(backlog)
        if row is None and not unsettled:
            break
        if row is not None:
            unsettled.append(row)
        if len(unsettled) <= 3 and row is not None:
            continue
        if chance.random() < 0.02:
            unsettled.clear()
            backlog.rewind()
        else:
            done = unsettled.pop(0)
            settled[done.topic].append(done.seq)
            disk.rows[done.topic].remove(done)
    assert not any(disk.rows.values())
    for topic, seqs in settled.items():
        assert seqs == sorted(seqs), topic


def test_take_gives_one_in_eight_to_lower_priorities() -> None:
    disk, backlog = Disk(), Backlog()
    for topic, priority in (("crossing", 0), ("count", 1), ("air", 2)):
        disk.add(backlog, topic, priority, 1000)
    sent = []
    for _ in range(160):
        disk.feed(backlog)
        row = backlog.take()
        assert row is not None
        sent.append(row.topic)
    assert sent.count("crossing") == 140
    assert sent.count("count") == sent.count("air") == 10


def test_take_topic_without_backlog_does_not_wait_for_one_with() -> None:
    disk, backlog = Disk(), Backlog()
    disk.add(backlog, "north/crossing", 0, 100_000)
    disk.feed(backlog)
    for _ in range(20):
        assert backlog.take() is not None
    disk.add(backlog, "south/crossing", 0)
    disk.feed(backlog)
    assert "south/crossing" in [row.topic for row in (backlog.take(), backlog.take()) if row]


def test_take_when_others_run_dry_gives_the_lower_ones_everything() -> None:
    disk, backlog = Disk(), Backlog()
    disk.add(backlog, "air", 2, 200)
    assert [disk.take(backlog).seq for _ in range(200)] == list(range(1, 201))  # type: ignore[union-attr]
    assert disk.take(backlog) is None
    assert backlog.empty


def test_pause_holds_one_topic_only() -> None:
    disk, backlog = Disk(), Backlog()
    disk.add(backlog, "a", 0, 3)
    disk.add(backlog, "b", 0, 3)
    disk.feed(backlog)
    backlog.pause("a", True)
    assert [row.topic for row in iter(backlog.take, None)] == ["b"] * 3
    backlog.pause("a", False)
    assert [row.topic for row in iter(backlog.take, None)] == ["a"] * 3


def test_fill_answer_from_before_a_rewind_is_ignored() -> None:
    disk, backlog = Disk(), Backlog()
    disk.add(backlog, "a", 0, 5)
    (want,) = backlog.wants()
    backlog.rewind()
    backlog.fill(want, disk.rows["a"], end=True)
    assert backlog.take() is None
    disk.feed(backlog)
    assert [row.seq for row in iter(backlog.take, None)] == [1, 2, 3, 4, 5]


def test_wants_of_many_topics_stay_within_the_bound() -> None:
    disk, backlog = Disk(), Backlog()
    for number in range(1000):
        disk.add(backlog, f"t{number}", 0, AHEAD)
    assert sum(want.limit for want in backlog.wants()) <= ALL_AHEAD
