"""A disk that answers with errors for a while: EIO, ENOSPC and EROFS from the very calls that SQLite makes, by strace in the kernel's stead.

Every row comes out once, under one id and in order, or is declared lost; totals go on; and the spool is back on the disk at the end.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
STEPS = 60
TRIALS = 4

WRITER = """
import json, os, sys
from pathlib import Path
from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.steady import RETRY_NS, SteadySpool
from edge_runtime.types import Tick
topic = "edge/v1/north/cam-1/obs/s/crossing"
now = Tick(10**12, 1_793_872_800 * 10**9)
path, steps = Path(sys.argv[1]), int(sys.argv[2])
spool = SteadySpool(SpoolOptions(path=path, max_bytes=8_000_000))
spool.open(now)
heard, flight, n, degraded = {}, [], 0, 0
for step in range(steps + 6):
    now = Tick(now.mono_ns + RETRY_NS // 2, now.wall_ns + RETRY_NS // 2)
    entries = [Entry(topic, b'{"v":1,"n":%d,"fill":"%s"}' % (n + k, b"x" * (k * 1500)), 0, now.mono_ns, now.wall_ns) for k in range(7)]
    n += 7
    spool.commit(Batch(entries, {"total": str(n)}, settled=flight), now)
    spool.expire(now)
    degraded += bool(spool.degraded)
    rows = spool.read(topic, 0, 4, now)  # as a publisher after each cut: from the oldest that is not acknowledged
    for row in rows:
        body = json.loads(row.body)
        heard.setdefault(body["n"], []).append(body["id"])
    flight = [row.seq for row in rows]
for _ in range(200):
    now = Tick(now.mono_ns + RETRY_NS, now.wall_ns + RETRY_NS)
    spool.commit(Batch(settled=flight), now)
    degraded += bool(spool.degraded)
    rows = spool.read(topic, 0, 100, now)
    for row in rows:
        body = json.loads(row.body)
        heard.setdefault(body["n"], []).append(body["id"])
    flight = [row.seq for row in rows]
told = {"heard": heard, "stored": n, "degraded": degraded, "state": spool.stats()["state"], "reason": spool.degraded, "depth": spool.depth,
        "lost": sum(loss.rows for loss in spool.losses), "corrupt": spool.corruptions}
spool.close()
again = SteadySpool(SpoolOptions(path=path, max_bytes=8_000_000))
again.open(now)
told["total"] = again.state["total"]
again.close()
Path(sys.argv[3]).write_text(json.dumps(told))
"""


FAULTS = [  # call, error, among which calls it begins, how many fail at most: less than a minute, then what is in memory goes first
    ("pwrite64", "EIO", 200, 50),
    ("pwrite64", "ENOSPC", 200, 50),
    ("pwrite64", "EROFS", 200, 50),
    ("fdatasync", "EIO", 60, 15),
    ("pread64", "EIO", 400, 30),
]


@pytest.mark.parametrize(("call", "error", "within", "most"), FAULTS)
def test_calls_that_fail_for_a_while_lose_nothing_unsaid(tmp_path: Path, call: str, error: str, within: int, most: int) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    chance = random.Random(f"{call} {error}")
    ends: Counter[str] = Counter()
    degraded = noticed = 0
    for number in range(TRIALS):
        folder = tmp_path / str(number)
        folder.mkdir()
        first = chance.randint(within // 2, within)
        told = _run(folder, f"{call}:error={error}:when={first}..{first + chance.randint(most // 3, most)}")
        degraded += told["degraded"]
        noticed += "the disk refused" in told["said"] or "opened again" in told["said"]
        numbers = [int(n) for n in told["heard"]]
        assert told["state"] == "disk", told["reason"]
        assert told["depth"] == 0
        assert told["total"] == str(told["stored"])
        assert len(numbers) + told["lost"] >= told["stored"], f"{told['stored'] - len(numbers)} rows did not come out, declared are {told['lost']}"
        assert all(len(set(ids)) == 1 for ids in told["heard"].values()), "one event under two ids"
        ends["file replaced" if told["corrupt"] else "rows lost and declared" if len(numbers) < told["stored"] else "nothing lost"] += 1
        if not told["corrupt"]:
            assert numbers == sorted(numbers), "out of order"
    print(f"\n{call} fails with {error}: {dict(ends)}; noticed in {noticed}, {degraded} steps in memory")
    assert noticed, "no error ever got through to the spool"


def _run(folder: Path, fault: str) -> dict[str, Any]:
    spool = folder / "s.db"
    only = [part for path in (spool, folder / "s.db-wal") for part in ("-P", str(path))]
    strace = ["strace", "-f", "-o", str(folder / "log"), *only, "-e", f"inject={fault}", "-e", f"trace={fault.partition(':')[0]}"]
    command = [sys.executable, "-c", WRITER, str(spool), str(STEPS), str(folder / "told")]
    done = subprocess.run([*strace, *command], capture_output=True, text=True, cwd=ROOT, check=False)
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "INJECTED" in (folder / "log").read_text(), "the fault was never injected"
    return {**json.loads((folder / "told").read_text()), "said": done.stderr}
