"""Files that are deleted, replaced, cut short or quietly damaged under a spool that uses them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.deliver import mending
from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.mending import VERIFY_NS
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.spoolfile import PAGE_BYTES
from edge_runtime.deliver.steady import RETRY_NS, SteadySpool
from edge_runtime.types import Tick
from tests.deliver.test_spool import NOW, ROOT, TOPIC, entry
from tests.deliver.test_steady import everything, ids, numbers

LATER = Tick(NOW.mono_ns + RETRY_NS, NOW.wall_ns + RETRY_NS)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SteadySpool]:
    """A hundred rows and a total in `folder/s.db`."""
    (tmp_path / "folder").mkdir()
    made = SteadySpool(SpoolOptions(path=tmp_path / "folder" / "s.db"))
    made.open(NOW)
    made.commit(Batch([entry(n) for n in range(100)], {"lane/s": '{"total":100}'}), NOW)
    yield made
    made.close()


def reopened(path: Path) -> SteadySpool:
    """As the next process finds it: with whatever stands at `path`."""
    made = SteadySpool(SpoolOptions(path=path))
    made.open(NOW)
    return made


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


@pytest.mark.parametrize("gone", ["database", "wal", "both", "replaced", "moved"])
def test_file_that_is_deleted_or_replaced_in_use_is_written_anew_without_a_loss(spool: SteadySpool, tmp_path: Path, gone: str) -> None:
    path = tmp_path / "folder" / "s.db"
    before = ids(everything(spool))
    if gone in ("database", "both"):
        path.unlink()
    if gone in ("wal", "both"):
        wal_of(path).unlink()
    if gone == "replaced":
        path.unlink()
        path.write_bytes(b"what somebody restored here\n" * 1000)
    if gone == "moved":
        path.rename(tmp_path / "elsewhere.db")
    spool.commit(Batch([entry(100)], {"lane/s": '{"total":101}'}), NOW)
    assert spool.stats()["rescued_files"] == 1
    assert not spool.degraded
    after = everything(spool)
    assert numbers(after) == list(range(101))
    assert ids(after)[:100] == before
    assert len(spool.losses) == 0
    assert any(path.parent.glob("s.db.corrupt-*")) == (gone == "replaced"), "what is not ours is kept for a person to look at"
    spool.close()
    again = reopened(path)
    assert ids(everything(again)) == ids(after)
    assert again.state["lane/s"] == '{"total":101}'
    again.close()


def test_file_that_is_deleted_in_use_is_noticed_without_traffic(spool: SteadySpool, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    path.unlink()
    spool.expire(NOW)
    assert path.exists()
    assert numbers(everything(spool)) == list(range(100))


def test_folder_that_is_deleted_in_use_is_no_loss_once_it_is_back(spool: SteadySpool, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    before = ids(everything(spool))
    shutil.rmtree(folder)
    spool.commit(Batch([entry(100)], {"lane/s": '{"total":101}'}), NOW)
    assert "written anew" in spool.degraded
    assert numbers(everything(spool)) == list(range(101)), "the connection still has what was deleted"
    spool.commit(Batch([entry(101)], settled=[1, 2, 3]), LATER)
    assert spool.degraded
    folder.mkdir()
    later = Tick(LATER.mono_ns + RETRY_NS, 0)
    spool.commit(Batch([entry(102)], {"lane/s": '{"total":103}'}), later)
    assert not spool.degraded
    assert numbers(everything(spool)) == list(range(3, 103))
    assert ids(everything(spool))[:97] == before[3:]
    spool.close()
    again = reopened(folder / "s.db")
    assert numbers(everything(again)) == list(range(3, 103))
    assert again.state["lane/s"] == '{"total":103}'
    again.close()


@pytest.mark.parametrize("part", ["s.db", "s.db-wal"])
def test_file_that_is_cut_short_in_use_loses_what_is_declared(spool: SteadySpool, tmp_path: Path, part: str) -> None:
    path = tmp_path / "folder" / "s.db"
    for start in range(100, 2100, 100):
        spool.commit(Batch([entry(start + n, size=300) for n in range(100)], {"lane/s": json.dumps({"total": start + 100})}), NOW)
    for start in range(2100, 5100, 100):  # several times as much as the WAL holds, so that both files matter
        spool.commit(Batch([entry(start + n, size=2000) for n in range(100)], {"lane/s": json.dumps({"total": start + 100})}), NOW)
    before = len(everything(spool))
    with (path.parent / part).open("r+b") as file:
        file.truncate((path.parent / part).stat().st_size // 3)
    now = NOW
    seen: list[int] = []
    for attempt in range(4):
        now = Tick(now.mono_ns + RETRY_NS, now.wall_ns)
        spool.commit(Batch([entry(5100 + attempt)]), now)
        seen = numbers(everything(spool, now))
    assert not spool.degraded
    assert seen[-4:] == [5100, 5101, 5102, 5103]
    assert seen == sorted(set(seen))
    lost = sum(loss.rows for loss in spool.losses if loss.reason == "corrupt")
    assert before + 4 - len(seen) == lost > 0
    assert spool.state["lane/s"] == '{"total": 5100}', "totals never go back"
    spool.close()
    again = reopened(path)
    assert again.state["lane/s"] == '{"total": 5100}'
    assert numbers(everything(again)) == seen
    again.close()


def _hide_a_row(path: Path) -> None:
    """Make the index by topic forget its last entry: one byte of its only page, and SQLite is content with it."""
    connection = sqlite3.connect(path)
    ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rows_by_topic'").fetchall()
    connection.close()
    content = bytearray(path.read_bytes())
    start = (root - 1) * PAGE_BYTES
    assert content[start] == 0x0A, "a leaf"
    (cells,) = struct.unpack(">H", content[start + 3 : start + 5])
    content[start + 3 : start + 5] = struct.pack(">H", cells - 1)
    path.write_bytes(bytes(content))


def test_open_row_that_the_index_forgot_is_found_again(spool: SteadySpool, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    spool.close()
    _hide_a_row(path)
    again = reopened(path)
    assert numbers(everything(again)) == list(range(100))
    assert len(again.losses) == 0
    again.close()


def test_expire_looks_for_rows_that_the_index_forgot(spool: SteadySpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "s.db"
    spool.expire(NOW)
    monkeypatch.setattr(spool._disk.spool, "depth", 101)  # as after damage to a page that is read again
    moves = spool.moves
    spool.expire(NOW)
    assert spool.moves == moves, "not every time"
    spool.expire(Tick(NOW.mono_ns + VERIFY_NS, NOW.wall_ns))
    assert spool.moves == moves + 1, "whoever read must read anew"
    assert [(loss.stream, loss.reason, loss.rows) for loss in spool.losses] == [("node", "corrupt", 1)]
    assert spool.depth == 100
    assert path.exists()


def test_open_rows_that_vanished_are_declared_once(spool: SteadySpool, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    spool.close()
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM rows WHERE seq > 40 AND seq <= 50")
    other.close()
    for _ in range(2):
        again = reopened(path)
        assert [(loss.stream, loss.reason, loss.rows) for loss in again.losses] == [("node", "corrupt", 10)]
        assert len(everything(again)) == 90
        again.close()


def test_open_numbers_are_not_given_again_when_the_file_forgot_them(spool: SteadySpool, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s.db"
    spool.commit(Batch(settled=range(1, 101)), NOW)
    spool.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE sqlite_sequence SET seq = 7")
    other.close()
    again = reopened(path)
    again.commit(Batch([entry(5)]), NOW)
    assert [row.seq for row in everything(again)] == [101]
    again.close()


@pytest.mark.parametrize(
    "damage", ["UPDATE meta SET value = 'abcdee' WHERE key = 'epoch'", "UPDATE losses SET rows = 'x'", "UPDATE topics SET priority = 'x'"]
)
def test_open_damage_that_sqlite_does_not_see_is_corrupt(spool: SteadySpool, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "folder" / "s.db"
    rows = everything(spool)
    spool.commit(Batch(refused=[(rows[0].seq, "no")]), NOW)
    spool.close()
    with sqlite3.connect(path) as other:
        assert other.execute(damage).rowcount == 1
    other.close()
    again = reopened(path)
    assert again.corruptions == 1
    assert again.state["lane/s"] == '{"total":100}', "the state is carried over"
    assert [loss.reason for loss in again.losses] == ["corrupt"]
    again.close()


def test_commit_that_failed_and_came_through_nevertheless_is_no_event_twice(
    spool: SteadySpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last fsync failed and said so, but the pages had reached the disk: after opening again its rows stand there, and in memory too."""
    disk = spool._disk.spool
    commit = disk.commit

    def failing(batch: Batch, now: Tick) -> int:
        held = disk.depth, disk.next_seq, disk.dropped
        commit(batch, now)
        disk.depth, disk._next, disk.dropped = held
        raise mending.SpoolError("disk I/O error")

    monkeypatch.setattr(disk, "commit", failing)
    spool.commit(Batch([entry(100), entry(101)], {"lane/s": '{"total":102}'}, settled=[1, 2]), NOW)
    assert spool.degraded == "disk I/O error"
    spool.commit(Batch([entry(102)], {"lane/s": '{"total":103}'}), LATER)
    assert not spool.degraded
    assert numbers(everything(spool)) == list(range(2, 103))
    assert len(spool.losses) == 0
    spool.close()


def test_file_that_takes_writes_and_cannot_be_read_is_replaced_at_the_third_time(spool: SteadySpool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW

    def unreadable(*_: object) -> None:
        raise mending.SpoolError("disk I/O error")

    for attempt in range(mending.STRIKES):
        assert spool.corruptions == 0
        monkeypatch.setattr(spool._disk.spool, "read", unreadable)
        assert spool.read(TOPIC, 0, 100, now) == []
        now = Tick(now.mono_ns + RETRY_NS, now.wall_ns)
        spool.commit(Batch([entry(100 + attempt)]), now)
        assert not spool.degraded
    assert spool.corruptions == 1
    assert numbers(everything(spool, now)) == [102], "what came after the file was given up"
    assert [(loss.reason, loss.rows) for loss in spool.losses] == [("corrupt", 102)]


KILLED = """
import os, sys
from pathlib import Path
from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.steady import SteadySpool
from tests.deliver.test_spool import NOW, entry
spool = SteadySpool(SpoolOptions(path=Path(sys.argv[1])))
spool.open(NOW)
for start in range(0, 100, 10):
    spool.commit(Batch([entry(start + n) for n in range(10)], {"lane/s": str(start + 10)}), NOW)
os._exit(9)
"""


def kill_a_writer(path: Path) -> None:
    """A hundred rows and a total of 100, most of it in the WAL of a process that is no more."""
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False).returncode == 9
    assert wal_of(path).stat().st_size > 0


def test_open_unclean_wal_that_was_cut_short_goes_on_from_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    kill_a_writer(path)
    with wal_of(path).open("r+b") as wal:
        wal.truncate(wal_of(path).stat().st_size - 100)
    spool = SteadySpool(replace(SpoolOptions(path=path)))
    spool.open(NOW)
    kept = numbers(everything(spool))
    assert kept == list(range(90)), "the last transaction was cut"
    assert spool.state["lane/s"] == "90", "totals agree with the rows; the `down` gap begins at the last sign of life that is left"
    spool.close()
