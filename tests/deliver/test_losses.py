"""Losses grow while their cause lasts, and become a message once."""

from __future__ import annotations

from edge_runtime.deliver.losses import HELD_NS, MAX_STREAMS, QUIET_NS, Loss, Losses
from edge_runtime.types import Tick


def test_add_merges_one_stream_and_reason() -> None:
    losses = Losses()
    losses.add(Loss("s", "full", 50, 60, 2), Tick(0, 0))
    losses.add(Loss("s", "full", 10, 20, 3), Tick(0, 0))
    losses.add(Loss("s", "age", 1, 2, 1), Tick(0, 0))
    assert sorted(losses, key=lambda each: each.reason) == [Loss("s", "age", 1, 2, 1), Loss("s", "full", 10, 60, 5)]


def test_due_when_quiet_or_held_long() -> None:
    losses = Losses()
    now = 0
    losses.add(Loss("s", "full", 0, 0, 1), Tick(now, 0))
    assert losses.due(Tick(QUIET_NS - 1, QUIET_NS - 1)) == []
    assert losses.due(Tick(QUIET_NS, QUIET_NS)) == [Loss("s", "full", 0, 0, 1)]
    while now < HELD_NS:
        now += QUIET_NS // 2
        losses.add(Loss("s", "full", now, now, 1), Tick(now, 0))
        assert bool(losses.due(Tick(now, 0))) == (now >= HELD_NS)


def test_remove_of_an_older_state_keeps_what_was_added_since() -> None:
    losses = Losses()
    losses.add(Loss("s", "full", 0, 0, 1), Tick(0, 0))
    (told,) = losses
    losses.add(Loss("s", "full", 5, 5, 1), Tick(0, 0))
    losses.remove(told)
    assert list(losses) == [Loss("s", "full", 0, 5, 2)]


def test_add_of_many_streams_stays_bounded_and_loses_no_row() -> None:
    losses = Losses()
    for number in range(3 * MAX_STREAMS):
        losses.add(Loss(f"s{number}", "full", number, number, 1), Tick(0, 0))
    assert len(losses) <= MAX_STREAMS + 1
    assert sum(each.rows for each in losses) == 3 * MAX_STREAMS


def test_reload_is_due_at_once() -> None:
    assert Losses([Loss("s", "full", 0, 0, 1)]).due(Tick(5, 0)) == [Loss("s", "full", 0, 0, 1)]


def test_clock_that_is_set_takes_what_is_owed_with_it() -> None:
    """Lost in January 1970, told in 2026: the gap says when it was by the clock that tells it. What an earlier boot wrote stays."""
    lead_ns, later_ns = 1000, 1_793_873_000 * 10**9
    losses = Losses([Loss("s", "age", 5, 6, 1)])
    losses.add(Loss("s", "full", lead_ns + 10, lead_ns + 20, 2), Tick(20, lead_ns + 20))
    losses.add(Loss("s", "busy", lead_ns - 500, lead_ns + 20, 2), Tick(20, lead_ns + 20))
    before = losses.copy()
    told = {loss.reason: (loss.from_ns, loss.to_ns) for loss in losses.due(Tick(QUIET_NS + 20, later_ns + QUIET_NS + 20))}
    assert told == {"age": (5, 6), "full": (later_ns + 10, later_ns + 20), "busy": (lead_ns - 500, later_ns + 20)}
    assert losses.changed
    for loss in list(losses):
        losses.remove(loss)
    assert len(losses) == 0
    assert {loss.to_ns for loss in before} == {6, lead_ns + 20}
    losses.add(Loss("s", "full", later_ns + 30, later_ns + 30, 1), Tick(30, later_ns + 30))
    assert [loss.from_ns for loss in losses] == [later_ns + 30]


def test_clock_that_is_set_leaves_the_times_of_an_earlier_boot_alone() -> None:
    """Lost while this boot's clock stands in 1970: rows of an earlier boot, whose clock was right."""
    true_ns, later_ns = 1_793_872_000 * 10**9, 1_793_873_000 * 10**9
    losses = Losses()
    losses.add(Loss("s", "full", true_ns, true_ns + 5, 2), Tick(20, 20))
    (loss,) = losses.due(Tick(QUIET_NS + 20, later_ns + QUIET_NS + 20))
    assert (loss.from_ns, loss.to_ns) == (true_ns, true_ns + 5)
