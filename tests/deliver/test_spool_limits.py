"""The spool's bounds: size, age, one body, topics. What does not fit is declared, row for row."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.spool import MAX_TOPICS
from edge_runtime.types import Tick
from tests.deliver.test_spool import NOW, ROOT, entry, numbers, opened


@pytest.mark.parametrize(("max_bytes", "largest"), [(256_000_000, 256_000), (25_600_000, 256_000), (8_000_000, 80_000), (1_000_000, 10_000)])
def test_largest_body_is_what_delivery_md_promises(tmp_path: Path, max_bytes: int, largest: int) -> None:
    assert "256 kB, or than a hundredth of a smaller `max_bytes` (80 kB while the disk refuses)" in (ROOT / "DELIVERY.md").read_text()
    spool = opened(tmp_path / "s.db", max_bytes=max_bytes)
    empty = len(entry(1).body)
    assert spool.commit(Batch([entry(1, size=largest - empty), entry(2, size=largest - empty + 1)]), NOW) == 1
    assert [(loss.reason, loss.rows) for loss in spool.losses] == [("oversize", 1)]
    assert numbers(spool) == [1]
    spool.close()


@pytest.mark.parametrize("policy", ["drop_oldest", "reject_new"])
def test_commit_when_full_stays_under_the_cap_and_declares_every_row(tmp_path: Path, policy: str) -> None:
    path = tmp_path / "s.db"
    spool = opened(path, max_bytes=1_000_000, on_full=policy)
    largest = 0
    for number in range(0, 3000, 10):
        spool.commit(Batch([entry(number + n, size=600) for n in range(10)], {"n": str(number + 10)}), NOW)
        largest = max(largest, sum(each.stat().st_size for each in tmp_path.iterdir()))
    assert largest <= 1_000_000
    kept = numbers(spool)
    (loss,) = spool.losses
    assert loss.reason == "full"
    assert loss.stream == "s"
    assert len(kept) + loss.rows == 3000
    assert spool.dropped == loss.rows
    lost = sorted(set(range(3000)) - set(kept))
    assert (loss.from_ns, loss.to_ns) == (NOW.wall_ns + lost[0], NOW.wall_ns + lost[-1])
    assert kept == (list(range(3000 - len(kept), 3000)) if policy == "drop_oldest" else kept)
    assert kept[0] == (3000 - len(kept) if policy == "drop_oldest" else 0)
    assert len(kept) > 500, "the cap is hardly used"
    spool.close()
    spool = opened(path)
    assert [(each.reason, each.rows) for each in spool.losses] == [("full", loss.rows)]
    spool.close()


def test_commit_when_full_keeps_gaps_longest(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db", max_bytes=1_000_000)
    gap = "edge/v1/north/cam-1/obs/s/gap"
    spool.commit(Batch([entry(n, gap) for n in range(5)]), NOW)
    for number in range(300):
        spool.commit(Batch([entry(number, size=5000)]), NOW)
    assert numbers(spool, gap) == [0, 1, 2, 3, 4]
    assert len(numbers(spool)) < 300
    spool.close()


def test_commit_oversize_body_is_a_loss_and_the_rest_is_stored(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    assert spool.commit(Batch([entry(1), entry(2, size=spool.max_body), entry(3)]), NOW) == 2
    assert numbers(spool) == [1, 3]
    assert [(each.reason, each.rows) for each in spool.losses] == [("oversize", 1)]
    spool.close()


def test_commit_topics_are_bounded(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(n, f"t/{n}") for n in range(MAX_TOPICS + 5)]), NOW)
    assert len(spool.topics) == MAX_TOPICS
    assert [(each.reason, each.rows) for each in spool.losses] == [("topics", 5)]
    spool.close()


def test_expire_drops_by_the_monotonic_clock_within_a_boot(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db", max_age_s=60.0)
    for second in range(0, 100, 10):
        then = Tick(NOW.mono_ns + second * 10**9, 0)  # a board without a clock
        spool.commit(Batch([entry(second, now=then)]), then)
    assert spool.expire(Tick(NOW.mono_ns + 95 * 10**9, NOW.wall_ns)) == 4
    assert numbers(spool) == [40, 50, 60, 70, 80, 90]
    assert [(each.reason, each.rows) for each in spool.losses] == [("age", 4)]
    spool.close()


def test_expire_of_an_earlier_boot_goes_by_the_wall_clock_where_it_was_set(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path, max_age_s=60.0)
    spool.commit(Batch([entry(0), entry(100 * 10**9)]), NOW)
    spool.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE boots SET boot = 'another'")
    other.close()
    spool = opened(path, max_age_s=60.0)
    assert spool.oldest == Tick(-1, NOW.wall_ns)
    assert spool.expire(Tick(0, NOW.wall_ns + 61 * 10**9)) == 1
    spool.commit(Batch([entry(5, now=Tick(0, 0))]), NOW)
    assert spool.expire(Tick(10**9, NOW.wall_ns + 62 * 10**9)) == 0
    spool.close()


def test_shrink_gives_pages_back_after_a_backlog(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    for number in range(20):
        spool.commit(Batch([entry(number * 100 + n, size=2000) for n in range(100)]), NOW)
    spool.commit(Batch(settled=range(1, 2001)), NOW)
    full = path.stat().st_size
    for _ in range(20):
        spool.shrink()
    spool.close()
    assert path.stat().st_size < full / 2


def test_many_refused_at_once_fit_into_a_spool_that_is_nearly_full(tmp_path: Path) -> None:
    """Their neighbours stay, so no page becomes free."""
    spool = opened(tmp_path / "s.db", max_bytes=1_000_000)
    for start in range(0, 600, 10):
        spool.commit(Batch([entry(start + n, size=900) for n in range(10)]), NOW)
    assert not len(spool.losses)
    spool.commit(Batch(refused=[(seq, "no") for seq in range(1, 601, 2)]), NOW)
    assert [(loss.reason, loss.rows) for loss in spool.losses] == [("refused", 300)]
    spool.close()
