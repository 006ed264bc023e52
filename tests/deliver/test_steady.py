"""The spool that never gives up, on disks that are really full, really read-only, and files that are really broken."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.spoolfile import DEAD_ROWS
from edge_runtime.deliver.steady import MEMORY_BASE, RETRY_NS, SteadySpool
from edge_runtime.errors import CannotStart
from edge_runtime.types import SpooledRow, Tick
from tests.deliver.test_spool import NOW, TOPIC, entry
from tests.peers.disk import small_disk

LATER = Tick(NOW.mono_ns + RETRY_NS, NOW.wall_ns)


def opened(path: Path, **options: object) -> SteadySpool:
    spool = SteadySpool(replace(SpoolOptions(path=path), **options))  # type: ignore[arg-type]
    spool.open(NOW)
    return spool


def everything(spool: SteadySpool, now: Tick = NOW, topic: str = TOPIC) -> list[SpooledRow]:
    rows: list[SpooledRow] = []
    while found := spool.read(topic, rows[-1].seq if rows else 0, 100, now):
        rows += found
    return rows


def numbers(rows: list[SpooledRow]) -> list[int]:
    return [json.loads(row.body)["n"] for row in rows]


def ids(rows: list[SpooledRow]) -> list[str]:
    return [json.loads(row.body)["id"] for row in rows]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def test_disk_full_keeps_rows_in_memory_and_moves_them_with_their_ids(disk: Path) -> None:
    spool = opened(disk / "s.db")
    spool.commit(Batch([entry(n) for n in range(10)], {"n": "10"}), NOW)
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * 2_000_000)
    number = 10
    while not spool.degraded:
        spool.commit(Batch([entry(number + n, size=4000) for n in range(10)], {"n": str(number + 10)}), NOW)
        number += 10
        assert number < 3000, "the disk never got full"
    assert "full" in spool.degraded or "I/O" in spool.degraded
    spool.commit(Batch([entry(number + n) for n in range(10)], {"n": str(number + 10)}), NOW)
    number += 10
    before = everything(spool)
    assert numbers(before) == list(range(number)), "rows of the disk go before rows of the memory"
    assert any(row.seq > MEMORY_BASE for row in before)

    ballast.unlink()
    moves = spool.moves
    spool.commit(Batch([entry(number)], {"n": str(number + 1)}), Tick(LATER.mono_ns - 1, 0))
    assert spool.degraded, "the disk is not tried again at once"
    spool.commit(Batch([entry(number + 1)], {"n": str(number + 2)}), LATER)
    assert not spool.degraded
    assert spool.moves > moves
    after = everything(spool)
    assert numbers(after) == list(range(number + 2))
    assert ids(after)[: len(before)] == ids(before), "moved rows keep their ids"
    assert len(set(ids(after))) == len(after)
    assert all(row.seq < MEMORY_BASE for row in after)
    spool.close()
    again = opened(disk / "s.db")
    assert again.state["n"] == str(number + 2)
    assert ids(everything(again)) == ids(after)
    again.close()


def test_disk_full_rows_in_memory_are_settled_there(disk: Path) -> None:
    spool = opened(disk / "s.db")
    spool.commit(Batch([entry(0), entry(1)], {"n": "2"}), NOW)
    (disk / "ballast").write_bytes(b"x" * 2_500_000)
    for number in range(2, 2000):
        spool.commit(Batch([entry(number, size=4000)], {"n": str(number)}), NOW)
        if spool.degraded:
            break
    held = [row for row in everything(spool) if row.seq > MEMORY_BASE]
    assert held
    spool.commit(Batch(settled=[row.seq for row in held]), NOW)
    assert [row for row in everything(spool) if row.seq > MEMORY_BASE] == []
    assert numbers(everything(spool))[:2] == [0, 1]
    spool.close()


def test_disk_full_memory_is_bounded_and_what_it_drops_is_declared(disk: Path) -> None:
    spool = opened(disk / "s.db", max_bytes=1_000_000)
    (disk / "ballast").write_bytes(b"x" * 2_800_000)
    for number in range(0, 6000, 10):
        spool.commit(Batch([entry(number + n, size=2000) for n in range(10)]), NOW)
    assert spool.degraded
    kept = everything(spool)
    lost = sum(loss.rows for loss in spool.losses)
    assert lost > 1000
    assert len(kept) + lost == 6000
    (disk / "ballast").unlink()
    spool.commit(Batch(), LATER)
    assert not spool.degraded
    assert len(everything(spool)) + sum(loss.rows for loss in spool.losses) == 6000
    spool.close()


def test_spool_in_memory_backed_folder_is_said_once_and_shown(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = opened(disk / "s.db")
    assert spool.stats()["volatile"] is True
    assert [record.levelname for record in caplog.records if "tmpfs" in record.message] == ["WARNING"]
    spool.close()


@pytest.mark.parametrize("damage", ["noise", "truncated", "empty"])
def test_open_broken_file_is_set_aside_and_declared(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "s.db"
    spool = opened(path, max_age_s=3600.0)
    spool.commit(Batch([entry(n, size=500) for n in range(300)], {"lane/s": '{"total":300}'}), NOW)
    spool.close()
    content = path.read_bytes()
    path.write_bytes({"noise": random.Random(2).randbytes(len(content)), "truncated": content[:9000], "empty": b""}[damage])
    spool = opened(path, max_age_s=3600.0)
    everything(spool)
    assert spool.corruptions == 1
    (loss,) = spool.losses
    assert (loss.stream, loss.reason, loss.to_ns) == ("node", "corrupt", NOW.wall_ns)
    assert loss.from_ns <= NOW.wall_ns, "the oldest row lies in the gap"
    assert len([each for each in tmp_path.glob("s.db.corrupt-*") if not each.name.endswith("-wal")]) == (damage != "empty")
    spool.commit(Batch([entry(1)], {"n": "1"}), NOW)
    assert numbers(everything(spool)) == [1]
    spool.close()


def test_file_that_breaks_while_open_is_replaced_without_losing_the_state(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    spool.commit(Batch([entry(n, size=3000) for n in range(400)], {"lane/s": '{"total":400}'}), NOW)
    before = ids(everything(spool))
    spool.close()
    spool = opened(path)
    content = bytearray(path.read_bytes())
    content[8 * 4096 :] = random.Random(3).randbytes(len(content) - 8 * 4096)
    with path.open("r+b") as file:
        file.write(content)
    rows = everything(spool)
    spool.commit(Batch([entry(1000, size=3000)], {"other": "1"}), NOW)
    spool.commit(Batch([entry(1001)], {}), NOW)
    assert spool.corruptions == 1
    assert not spool.degraded
    rows = everything(spool)
    assert numbers(rows)[-1] == 1001
    assert not set(ids(rows)) & set(before)
    assert rows[-1].seq > 400, "a late acknowledgement of the old file must not delete a row of the new one"
    assert spool.state["lane/s"] == '{"total":400}'
    assert sum(loss.rows for loss in spool.losses) >= 399
    spool.close()
    spool = opened(path)
    assert spool.state["lane/s"] == '{"total":400}'
    spool.close()


def test_state_is_salvaged_from_a_file_whose_rows_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    spool.commit(Batch(state={"lane/s": '{"total":400}'}), NOW)
    spool.commit(Batch([entry(n, size=3000) for n in range(400)]), NOW)
    spool.close()
    path.write_bytes(path.read_bytes()[: 60 * 4096])
    spool = opened(path)
    everything(spool)
    spool.commit(Batch([entry(n, size=3000) for n in range(400)]), NOW)
    everything(spool)
    assert spool.corruptions == 1
    assert spool.state["lane/s"] == '{"total":400}'
    spool.close()


def test_broken_files_that_are_kept_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    for number in range(5):
        path.write_bytes(b"broken" * (1000 + number))
        opened(path).close()
    assert len(list(tmp_path.glob("s.db.corrupt-*"))) == 2


def test_dead_rows_are_bounded(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    for start in range(0, DEAD_ROWS + 200, 100):
        spool.commit(Batch([entry(start + n) for n in range(100)]), NOW)
        spool.commit(Batch(refused=[(row.seq, "no") for row in everything(spool)]), NOW)
    spool.close()
    import sqlite3

    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT count(*), max(seq) FROM dead").fetchone() == (DEAD_ROWS, DEAD_ROWS + 200)
    connection.close()


def test_open_in_a_missing_folder_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="does not exist"):
        opened(tmp_path / "nowhere" / "s.db")
