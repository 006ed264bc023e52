"""A disk takes writes again: what the broker answered and what was told meanwhile counts, for rows in memory and for those on the disk."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Loss
from edge_runtime.deliver.owed import Owed
from edge_runtime.deliver.steady import MEMORY_BASE, RETRY_NS, SteadySpool
from edge_runtime.types import Tick
from tests.deliver.test_mending import reopened
from tests.deliver.test_spool import NOW, entry
from tests.deliver.test_steady import everything, numbers, opened
from tests.deliver.test_steady_start import full
from tests.peers.disk import small_disk

LATER = Tick(NOW.mono_ns + RETRY_NS, NOW.wall_ns + RETRY_NS)
LOSS = Loss("s", "full", NOW.wall_ns - 10**9, NOW.wall_ns, 3)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


@contextlib.contextmanager
def refusing(disk: Path, batch: Batch, failing: Batch | None = None) -> Iterator[tuple[SteadySpool, Callable[[], None]]]:
    """A spool whose disk holds `batch` and refuses from then on, first of all `failing`; and what mends the disk."""
    spool = opened(disk / "s.db")
    spool.commit(batch, NOW)
    heal = full(disk)
    spool.commit(failing or Batch([entry(100)]), NOW)
    assert spool.degraded
    try:
        yield spool, heal
    finally:
        spool.close()


def dead(disk: Path) -> list[tuple[int, str]]:
    """Numbers of what was buried, and why, in the order of the table."""
    with contextlib.closing(sqlite3.connect(disk / "s.db")) as connection:
        return [(json.loads(body)["n"], why) for body, why in connection.execute("SELECT body, why FROM dead ORDER BY seq")]


def test_rows_that_were_delivered_from_memory_do_not_move_to_the_disk(disk: Path) -> None:
    with refusing(disk, Batch([entry(0)])) as (spool, heal):
        spool.commit(Batch([entry(101), entry(102)]), NOW)
        delivered = [row.seq for row in everything(spool) if row.seq > MEMORY_BASE][:2]
        heal()
        spool.commit(Batch([entry(103)], settled=delivered), LATER)
        assert not spool.degraded
        assert numbers(everything(spool)) == [0, 102, 103]
        assert spool.depth == 3
        assert spool.stats()["dropped"] == 0


def test_rows_that_were_refused_while_in_memory_lie_in_the_disks_dead_table(disk: Path) -> None:
    with refusing(disk, Batch([entry(0), entry(1)])) as (spool, heal):
        spool.commit(Batch(refused=[(everything(spool)[0].seq, "before")]), NOW)
        spool.commit(Batch([entry(101), entry(102)]), NOW)
        memory = [row.seq for row in everything(spool) if row.seq > MEMORY_BASE]
        spool.commit(Batch(refused=[(memory[0], "in memory")]), NOW)
        heal()
        spool.commit(Batch(refused=[(memory[2], "with the commit that heals")]), LATER)
        assert not spool.degraded
        assert numbers(everything(spool)) == [1, 101]
        assert [(loss.reason, loss.rows) for loss in spool.losses] == [("refused", 3)]
        assert spool.stats()["dropped"] == 3
        before = [row.seq for row in everything(spool)]
        spool.commit(Batch([entry(200)]), LATER)
        assert len(set(before) & {row.seq for row in everything(spool)}) == len(before)
    assert sorted(dead(disk)) == [(0, "before"), (100, "in memory"), (102, "with the commit that heals")]
    again = reopened(disk / "s.db")
    assert numbers(everything(again)) == [1, 101, 200]
    assert len({row.seq for row in everything(again)}) == 3
    again.close()


def test_of_many_that_were_refused_while_in_memory_a_small_spool_keeps_the_newest(disk: Path) -> None:
    spool = opened(disk / "s.db", max_bytes=1_000_000)
    for _ in range(60):
        spool.commit(Batch([entry(n, "t/s/other", size=900) for n in range(10)]), NOW)
    assert not len(spool.losses), "it is nearly full"
    heal = full(disk)
    for number in range(0, 500, 50):
        spool.commit(Batch([entry(number + n, size=900) for n in range(50)]), NOW)
        spool.commit(Batch(refused=[(row.seq, "no") for row in everything(spool)]), NOW)
    assert spool.degraded
    heal()
    spool.commit(Batch(), LATER)
    assert not spool.degraded
    assert [(loss.reason, loss.rows) for loss in spool.losses] == [("refused", 500)]
    spool.close()
    buried = [number for number, _ in dead(disk)]
    assert 10 < len(buried) < 100
    assert buried == list(range(500 - len(buried), 500))


def test_row_of_the_disk_that_was_refused_is_not_offered_again_although_it_could_not_be_buried(disk: Path) -> None:
    with refusing(disk, Batch([entry(0), entry(1)])) as (spool, heal):
        first = everything(spool)[0]
        spool.commit(Batch(refused=[(first.seq, "no")]), NOW)
        assert numbers(everything(spool)) == [1, 100]
        assert spool.depth == 2
        heal()
        spool.commit(Batch(), LATER)
        assert numbers(everything(spool)) == [1, 100]
        assert [(loss.reason, loss.rows) for loss in spool.losses] == [("refused", 1)]
    assert dead(disk) == [(0, "no")]


def test_loss_of_the_disk_that_was_told_by_the_commit_that_failed_is_not_told_again(disk: Path) -> None:
    with refusing(disk, Batch(lost=[LOSS]), Batch([entry(7, topic="t/s/gap")], closed=[LOSS])) as (spool, heal):
        heal()
        spool.commit(Batch(), LATER)
        assert not spool.degraded
        assert list(spool.losses) == []
        assert numbers(everything(spool, topic="t/s/gap")) == [7]


def test_loss_of_the_memory_that_is_told_by_the_commit_that_heals_is_not_told_again(disk: Path) -> None:
    """Of the same stream and for the same reason the disk owes another one: that is still owed."""
    with refusing(disk, Batch(lost=[LOSS])) as (spool, heal):
        spool.commit(Batch(lost=[Loss("s", "full", NOW.wall_ns, NOW.wall_ns, 5)]), NOW)
        due = list(spool.losses)
        assert [loss.rows for loss in due] == [5]
        heal()
        spool.commit(Batch([entry(7, topic="t/s/gap")], closed=due), LATER)
        assert list(spool.losses) == [LOSS]


def test_owed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.deliver import owed

    monkeypatch.setattr(owed, "MAX_OWED", 5)
    made = Owed()
    made.add(Batch(settled=[1, 2, 3], refused=[(4, "no")]))
    made.add(Batch(settled=[5, 6, 7], refused=[(8, "no"), (9, "no")]))
    assert len(made) == 5
    assert [seq in made for seq in (1, 2, 3, 4, 8)] == [True] * 5
    made.clear()
    assert not made.as_batch()
