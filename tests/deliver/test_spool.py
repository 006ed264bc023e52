"""The spool on a real disk: what `commit` returned from is there after anything, and what leaves it is settled or declared lost."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.losses import Loss
from edge_runtime.deliver.spool import SKIP_AFTER_UNCLEAN, Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import Corrupt
from edge_runtime.errors import CannotStart, SpoolError
from edge_runtime.types import Tick
from tests.peers.disk import small_disk

NOW = Tick(10**12, 1_793_872_800 * 10**9)
ROOT = Path(__file__).parents[2]
TOPIC = "edge/v1/north/cam-1/obs/s/crossing"


def entry(number: int, topic: str = TOPIC, now: Tick = NOW, size: int = 0) -> Entry:
    body = json.dumps({"v": 1, "n": number, "fill": "x" * size}, separators=(",", ":")).encode()
    return Entry(topic, body, 0, now.mono_ns, now.wall_ns + number)


def opened(path: Path, **options: object) -> Spool:
    spool = Spool(replace(SpoolOptions(path=path), **options))  # type: ignore[arg-type]
    spool.open()
    return spool


def numbers(spool: Spool, topic: str = TOPIC) -> list[int]:
    rows, after = [], 0
    while found := spool.read(topic, after, 100, NOW):
        rows += [json.loads(row.body)["n"] for row in found]
        after = found[-1].seq
    return rows


def test_commit_survives_reopening_with_ids_that_go_on(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1), entry(2)], {"lane/s": '{"total":2}'}), NOW)
    epoch = spool.epoch
    spool.close()
    spool = opened(tmp_path / "s.db")
    assert spool.epoch == epoch
    assert spool.saved == {"lane/s": '{"total":2}'}
    spool.commit(Batch([entry(3)]), NOW)
    rows = spool.read(TOPIC, 0, 10, NOW)
    assert [(row.seq, json.loads(row.body)["id"], json.loads(row.body)["seq"]) for row in rows] == [(n, f"{epoch}-{n}", n) for n in (1, 2, 3)]
    assert rows[0].body.startswith(b'{"v":1,"id":"')
    spool.close()


def test_seq_is_not_given_again_after_everything_was_settled(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1), entry(2)]), NOW)
    spool.commit(Batch(settled=[1, 2, 2, 99]), NOW)
    assert spool.depth == 0
    spool.close()
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(3)]), NOW)
    assert [row.seq for row in spool.read(TOPIC, 0, 9, NOW)] == [3]
    spool.close()


WRITER = """
import json, sys
from pathlib import Path
from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.types import Tick
spool = Spool(SpoolOptions(path=Path(sys.argv[1])))
spool.open()
total = json.loads(spool.saved.get("total", "0"))
while True:
    for size in (1, 7, 30):
        numbers = range(total + 1, total + size + 1)
        entries = [Entry("edge/v1/north/cam-1/obs/s/crossing", b'{"v":1,"n":%d}' % n, 0, 0, 0) for n in numbers]
        total += size
        spool.commit(Batch(entries, {"total": str(total)}), Tick(0, 0))
        print(total, flush=True)
"""


def test_seq_skips_ahead_after_an_unclean_stop(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "s.db")], stdout=subprocess.PIPE, cwd=ROOT)
    assert writer.stdout is not None and writer.stdout.readline()
    writer.kill()
    writer.wait()
    writer.stdout.close()
    spool = opened(tmp_path / "s.db")
    last = int(spool.saved["total"])
    spool.commit(Batch([entry(last + 1)]), NOW)
    assert [row.seq for row in spool.read(TOPIC, last - 1, 9, NOW)] == [last, last + 1 + SKIP_AFTER_UNCLEAN]
    spool.close()


@pytest.mark.system
def test_commit_sigkill_at_random_moments_keeps_totals_and_rows_in_agreement(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    moments = random.Random(7)
    said = 0
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.08))
        writer.kill()
        lines = [line for line in (first + writer.stdout.read()).split("\n")[:-1] if line]
        writer.stdout.close()
        writer.wait()
        said = int(lines[-1])
        spool = opened(path)
        kept = json.loads(spool.saved["total"])
        assert kept >= said, "what was said to be stored is not there"
        assert numbers(spool) == list(range(1, kept + 1)), "rows and total disagree"
        spool.close()
    assert said > 200


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 20), st.sampled_from(["settle", "keep", "reopen", "fail"])), max_size=12), st.data())
def test_state_count_is_the_number_of_rows_ever_added(tmp_path: Path, steps: list[tuple[str, int, str]], data: st.DataObject) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    with ExitStack() as stack:  # also when Hypothesis ends an example in the middle of a draw
        _add_settle_and_reopen(stack, tmp_path / "s.db", steps, data)


def _add_settle_and_reopen(stack: ExitStack, path: Path, steps: list[tuple[str, int, str]], data: st.DataObject) -> None:
    spool = opened(path)
    stack.callback(spool.close)
    added = 0
    alive: list[int] = []
    for topic, count, then in steps:
        batch = Batch([entry(added + n, f"t/{topic}") for n in range(count)], {"n": str(added + count)})
        if then == "fail":  # a key that SQLite cannot bind: the transaction fails when its rows are already inserted
            before = (spool.depth, spool.next_seq, dict(spool.topics))
            with pytest.raises(SpoolError) as caught:
                spool.commit(replace(batch, state={**batch.state, "x": object()}), NOW)  # type: ignore[dict-item]
            assert not isinstance(caught.value, Corrupt)
            assert (spool.depth, spool.next_seq, dict(spool.topics)) == before
            continue
        spool.commit(batch, NOW)
        alive += range(spool.next_seq - count, spool.next_seq)
        added += count
        if then == "settle":
            done = data.draw(st.lists(st.sampled_from(alive), unique=True))
            spool.commit(Batch(settled=done), NOW)
            alive = [seq for seq in alive if seq not in done]
        if then == "reopen":
            spool.close()
            spool = opened(path)
            stack.callback(spool.close)
            assert spool.saved.get("n") == str(added)
    assert spool.depth == len(alive)
    assert spool.next_seq - 1 == added
    assert sorted(row.seq for topic in ("t/a", "t/b") for row in spool.read(topic, 0, 10_000, NOW)) == alive


def test_refused_rows_are_buried_and_declared(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    spool.commit(Batch([entry(n) for n in range(3)]), NOW)
    spool.commit(Batch(settled=[1], refused=[(2, "not authorized"), (77, "never was")]), NOW)
    assert numbers(spool) == [2]
    assert spool.depth == 1
    assert [(each.reason, each.rows) for each in spool.losses] == [("refused", 1)]
    epoch = spool.epoch
    spool.close()
    with sqlite3.connect(path) as other:
        ((seq, topic, body, why),) = other.execute("SELECT seq, topic, body, why FROM dead").fetchall()
    other.close()
    assert (seq, topic, json.loads(body)["id"], why) == (2, TOPIC, f"{epoch}-2", "not authorized")


def test_read_row_with_a_flipped_bit_is_declared_lost(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    spool.commit(Batch([entry(n) for n in range(10)]), NOW)
    spool.close()
    content = bytearray(path.read_bytes())
    place = content.index(b'"n":4')
    content[place + 4] ^= 1  # now it says 5, and SQLite sees nothing wrong
    path.write_bytes(bytes(content))
    spool = opened(path)
    assert numbers(spool) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert list(spool.losses) == [Loss("s", "corrupt", NOW.wall_ns, NOW.wall_ns, 1)]
    assert spool.depth == 9
    spool.close()


@pytest.mark.parametrize("damage", ["noise", "header", "empty", "text"])
def test_open_broken_file_is_corrupt(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "s.db"
    spool = opened(path)
    spool.commit(Batch([entry(n) for n in range(100)]), NOW)
    spool.close()
    content = bytearray(path.read_bytes())
    noise = random.Random(1).randbytes(len(content))
    content[:] = {"noise": noise, "header": noise[:100] + content[100:], "empty": b"", "text": b"hello " * 1000}[damage]
    path.write_bytes(bytes(content))
    with pytest.raises(Corrupt, match=r"s\.db"):
        opened(path)


def test_open_says_what_is_wrong_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="does not exist: create it"):
        opened(tmp_path / "nowhere" / "s.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotStart, match="expected a file, found a folder"):
        opened(tmp_path / "folder")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    with pytest.raises(CannotStart, match="belongs to something else"):
        opened(tmp_path / "other.db")
    first = opened(tmp_path / "s.db")
    with pytest.raises(CannotStart, match="another process has it open"):
        opened(tmp_path / "s.db")
    first.close()


def test_open_newer_format_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(Corrupt, match="disagree"):  # one flipped bit of the header is no newer version
        opened(tmp_path / "s.db")
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    other.close()
    with pytest.raises(CannotStart, match="newer version"):
        opened(tmp_path / "s.db")


def test_open_in_a_read_only_folder_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "ro,size=1m") as disk, pytest.raises(SpoolError, match=r"cannot be written: Read-only"):
        opened(disk / "s.db")


def test_memory_spool_is_the_same_without_a_disk() -> None:
    spool = opened(Path(":memory:"), max_bytes=1_000_000)
    spool.commit(Batch([entry(n) for n in range(5)]), NOW)
    assert numbers(spool) == [0, 1, 2, 3, 4]
    assert [seq for seq, _ in spool.first(2, 10_000)] == [1, 2]
    assert [seq for seq, _ in spool.first(9, 250)] == [1, 2]
    assert [seq for seq, _ in spool.first(9, 1)] == [1]
    spool.close()


def test_loss_that_grows_with_the_commit_that_tells_it_owes_only_what_is_new(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(n) for n in range(3)]), NOW)
    spool.commit(Batch(refused=[(1, "no"), (2, "no")]), NOW)
    (told,) = spool.losses
    spool.commit(Batch(refused=[(3, "no")], closed=[told]), NOW)
    assert [loss.rows for loss in spool.losses] == [1]
    spool.close()
