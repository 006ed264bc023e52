"""A spool that starts on a disk that takes no writes: it runs in memory, goes on from the totals on the disk, and heals."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.steady import HOLD_NS, MEMORY_BASE, RETRY_NS, SteadySpool
from edge_runtime.errors import CannotStart
from edge_runtime.types import Tick
from tests.deliver.test_mending import kill_a_writer, reopened
from tests.deliver.test_spool import NOW, TOPIC, entry
from tests.deliver.test_steady import everything, ids, numbers
from tests.peers.disk import small_disk

LATER = Tick(NOW.mono_ns + RETRY_NS, NOW.wall_ns + RETRY_NS)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def full(disk: Path) -> Callable[[], None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast.unlink


def read_only(disk: Path) -> Callable[[], None]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True) and None


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("spoil", [full, read_only])
def test_open_on_a_disk_that_takes_no_writes_goes_on_in_memory(disk: Path, spoil: Callable[[Path], Callable[[], None]], clean: bool) -> None:
    path = disk / "s.db"
    kill_a_writer(path)
    if clean:
        reopened(path).close()
    else:
        assert (disk / "s.db-wal").stat().st_size
    heal = spoil(disk)
    spool = SteadySpool(SpoolOptions(path=path))
    spool.open(NOW)
    refused = not spool.degraded  # a WAL of some length takes a few writes also on a full disk
    number = 100
    while not spool.degraded:
        assert spoil is full
        spool.commit(Batch([entry(number, size=4000)], {"lane/s": str(number + 1)}), NOW)
        number += 1
    assert not refused or not clean
    assert spool.stats()["state"] == "memory"
    assert spool.stats()["reason"]
    assert spool.state["lane/s"] == str(number), "totals go on, they do not begin at zero"
    spool.commit(Batch([entry(number), entry(number + 1)], {"lane/s": str(number + 2)}), NOW)
    number += 2
    before = everything(spool)
    assert numbers(before) == list(range(number)), "what is on the disk is delivered, and first"
    assert before[-1].seq > MEMORY_BASE > before[0].seq
    spool.commit(Batch(settled=[row.seq for row in before[:30]]), NOW)
    assert ids(everything(spool)) == ids(before)[30:], "what was acknowledged is not offered again, although it could not be deleted"
    assert spool.depth == number - 30

    heal()
    spool.commit(Batch([entry(number)], {"lane/s": str(number + 1)}), LATER)
    assert not spool.degraded
    assert spool.stats()["dropped"] == 0
    after = everything(spool)
    assert numbers(after) == list(range(30, number + 1))
    assert ids(after)[:-1] == ids(before)[30:]
    spool.close()
    again = reopened(path)
    assert ids(everything(again)) == ids(after)
    assert again.state["lane/s"] == str(number + 1)
    again.close()


@pytest.mark.parametrize("spoil", [full, read_only])
def test_open_without_a_file_on_a_disk_that_takes_no_writes_makes_it_later(disk: Path, spoil: Callable[[Path], Callable[[], None]]) -> None:
    heal = spoil(disk)
    spool = SteadySpool(SpoolOptions(path=disk / "s.db"))
    spool.open(NOW)
    assert spool.degraded
    spool.commit(Batch([entry(0)], {"lane/s": "1"}), NOW)
    assert numbers(everything(spool)) == [0]
    spool.commit(Batch([entry(1)], {"lane/s": "2"}), LATER)
    assert spool.degraded, "it was tried again, in vain"
    assert not any(each.name.startswith("s.db") for each in disk.iterdir()), "nothing half made is left behind"
    heal()
    spool.commit(Batch([entry(2)], {"lane/s": "3"}), Tick(LATER.mono_ns + RETRY_NS, 0))
    assert not spool.degraded
    assert numbers(everything(spool)) == [0, 1, 2]
    assert len(spool.losses) == 0
    spool.close()
    again = reopened(disk / "s.db")
    assert again.state["lane/s"] == "3"
    again.close()


def test_open_broken_file_on_a_read_only_disk_is_set_aside_later(disk: Path) -> None:
    path = disk / "s.db"
    path.write_bytes(os.urandom(50_000))
    heal = read_only(disk)
    spool = SteadySpool(SpoolOptions(path=path))
    spool.open(NOW)
    spool.commit(Batch([entry(0)]), NOW)
    assert spool.degraded
    assert spool.corruptions == 0
    heal()
    spool.commit(Batch([entry(1)]), LATER)
    assert not spool.degraded
    assert numbers(everything(spool)) == [0, 1]
    assert [(loss.stream, loss.reason, loss.rows) for loss in spool.losses] == [("node", "corrupt", 0)]
    assert len(list(disk.glob("s.db.corrupt-*"))) == 1
    spool.close()


def test_read_does_not_put_off_the_next_try(disk: Path) -> None:
    heal = full(disk)
    spool = SteadySpool(SpoolOptions(path=disk / "s.db"))
    spool.open(NOW)
    spool.commit(Batch([entry(0)]), NOW)
    for second in range(4):
        spool.read(TOPIC, 0, 10, Tick(NOW.mono_ns + second * 10**9, NOW.wall_ns))
    heal()
    spool.expire(LATER)
    assert not spool.degraded
    spool.close()


def test_open_what_a_person_must_set_right_cannot_start(tmp_path: Path) -> None:
    spool = SteadySpool(SpoolOptions(path=tmp_path / "nowhere" / "s.db"))
    with pytest.raises(CannotStart, match="does not exist"):
        spool.open(NOW)
    first = reopened(tmp_path / "s.db")
    with pytest.raises(CannotStart, match="another process has it open"):
        reopened(tmp_path / "s.db")
    first.close()


def test_rows_in_memory_wait_for_a_disk_that_cannot_be_read_and_then_go_once(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are offered anew at the end of the wait, not at each look: whoever reads anew sends again what is in flight."""
    spool = SteadySpool(SpoolOptions(path=disk / "s.db"))
    monkeypatch.setattr(type(spool._disk), "hidden", True)  # a file that may hold rows, on a disk that answers nothing
    heal = read_only(disk)
    spool.open(NOW)
    spool.commit(Batch([entry(0)]), NOW)
    assert numbers(everything(spool)) == []
    moves = spool.moves
    now = Tick(NOW.mono_ns + HOLD_NS, NOW.wall_ns)
    spool.expire(now)
    assert spool.moves == moves + 1
    assert numbers(everything(spool, now)) == [0]
    for second in range(10, 40, 10):
        spool.expire(Tick(now.mono_ns + second * 10**9, NOW.wall_ns))
    assert spool.moves == moves + 1
    spool.close()
    heal()
