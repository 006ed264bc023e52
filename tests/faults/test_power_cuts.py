"""Power cuts at any moment: what `commit` returned from is on the disk, and the file is one that a spool goes on with.

The oracle is exact: a file after a cut must be, row for row, the spool as it was after one of the commits, and not one before the last that was
promised. The same images with `synchronous=OFF` must fail: else nothing here would look.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import Corrupt
from edge_runtime.errors import EdgeError
from edge_runtime.types import Tick
from tests.faults.crash_images import Disk, Op, record

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
TOPIC = "edge/v1/north/cam-1/obs/s/crossing"
MAX_BYTES = 1_000_000  # a WAL of 16 pages: a checkpoint every few commits
BATCHES = 160
IMAGES = 540
NOW = Tick(10**12, 1_793_872_800 * 10**9)

WRITER = """
import os
import sys
from pathlib import Path
from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.spool import Spool, SpoolOptions
from tests.faults.test_power_cuts import BATCHES, MAX_BYTES, NOW, TOPIC, rows_of, settled_of
spool = Spool(SpoolOptions(path=Path(sys.argv[1]), max_bytes=MAX_BYTES))
spool.open()
spool.file.connection.execute(f"PRAGMA synchronous={sys.argv[2]}")
for batch in range(1, BATCHES + 1):
    entries = [Entry(TOPIC, b'{"v":1,"n":%d,"fill":"%s"}' % (n, b"x" * (n % 700)), 0, NOW.mono_ns, NOW.wall_ns) for n in rows_of(batch)]
    spool.commit(Batch(entries, {"batch": str(batch), f"lane/{batch % 5}": "x" * (batch % 300)}, settled=settled_of(batch)), NOW)
    os.write(1, b"%d" % batch)
    if batch % 23 == 0:
        spool.shrink()
    if batch == BATCHES // 2:
        spool.close()
        spool = Spool(SpoolOptions(path=Path(sys.argv[1]), max_bytes=MAX_BYTES))
        spool.open()
        spool.file.connection.execute(f"PRAGMA synchronous={sys.argv[2]}")
spool.close()
os.write(1, b"closed")
"""


@cache
def rows_of(batch: int) -> range:
    """The numbers that a batch adds: 1 to 13 of them. The spool gives the same numbers as `seq`."""
    first = 1 + sum(1 + 5 * each % 13 for each in range(1, batch))
    return range(first, first + 1 + 5 * batch % 13)


def settled_of(batch: int) -> list[int]:
    """What is acknowledged by then: all but every tenth of the batch before the last three, and now and then more."""
    return [n for n in rows_of(batch - 3) if n % 10] if batch > 3 else []


@cache
def expected(batch: int) -> list[int]:
    """The rows that are there after a batch."""
    gone = {n for each in range(1, batch + 1) for n in settled_of(each)}
    return [n for each in range(1, batch + 1) for n in rows_of(each) if n not in gone]


def judge(folder: Path, promised: int) -> str:
    """What is wrong with the spool in `folder`; empty when nothing is."""
    spool = Spool(SpoolOptions(path=folder / "s.db", max_bytes=MAX_BYTES))
    try:
        spool.open()
    except EdgeError as error:
        return "corrupt" if isinstance(error, Corrupt) else f"not opened: {error}"
    try:
        batch = int(spool.saved.get("batch", "0"))
        if batch < promised:
            return "committed batches are lost"
        if not spool.verify(NOW):
            return "rows vanished"
        rows, after = [], 0
        while found := spool.read(TOPIC, after, 100, NOW):
            rows += [json.loads(row.body)["n"] for row in found]
            after = found[-1].seq
        if rows != expected(batch):
            return "rows and state disagree"
        if spool.depth != len(rows) or len(spool.losses):
            return "depth or losses are wrong"
        if batch and spool.next_seq <= max(rows_of(batch)):
            return "a number may be given twice"
    except EdgeError as error:
        return f"broken: {type(error).__name__}"
    finally:
        spool.close()
    return ""


def trial(ops: list[Op], folder: Path, images: int) -> Counter[str]:
    """Judge `images` images of cuts at moments all over the recording: a third as the last sync left it, the others with some of what followed."""
    chance = random.Random(7)
    moments = Counter(chance.randrange(len(ops)) for _ in range(images))
    disk = Disk()
    promised = 0
    verdicts: Counter[str] = Counter()
    for moment, op in enumerate(ops):
        disk.take(op)
        if op.kind == "said" and op.data.strip().isdigit():
            promised = int(op.data)
        for copy in range(moments[moment]):
            image = folder / "image"
            image.mkdir()
            disk.after_a_cut(image, None if (moment + copy) % 3 == 0 else chance)
            verdicts[judge(image, promised)] += 1
            shutil.rmtree(image)
    return verdicts


def recording(tmp_path: Path, synchronous: str) -> list[Op]:
    spool = tmp_path / "spool"
    spool.mkdir()
    ops = record(["-c", WRITER, str(spool / "s.db"), synchronous], spool, ROOT)
    kinds = Counter(op.kind for op in ops)
    assert kinds["said"] == BATCHES + 1
    assert kinds["write"] > BATCHES
    assert kinds["unlink"] and kinds["rename"] and kinds["truncate"], "the recording misses what it is for"
    print(f"\nsynchronous={synchronous}: recorded {dict(kinds)}")
    return ops


def test_power_cut_at_any_moment_loses_no_committed_row(tmp_path: Path) -> None:
    verdicts = trial(recording(tmp_path, "FULL"), tmp_path, IMAGES)
    print(f"{IMAGES} power cuts: {verdicts['']} files sound and complete, {sum(verdicts.values()) - verdicts['']} not: {dict(verdicts)}")
    assert verdicts == {"": IMAGES}


def test_power_cut_without_syncs_is_seen_to_lose_rows(tmp_path: Path) -> None:
    """The same images of a spool that does not wait for the disk: proof that the test above can fail."""
    verdicts = trial(recording(tmp_path, "OFF"), tmp_path, IMAGES // 6)
    print(f"{IMAGES // 6} power cuts with synchronous=OFF: {dict(verdicts)}")
    assert verdicts["committed batches are lost"] > 10
    assert verdicts["corrupt"] + verdicts["rows and state disagree"] + verdicts["rows vanished"] > 0
