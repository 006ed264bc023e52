"""Pages of the spool overwritten at random places, at rest and in use: it runs on, and what is lost is declared, to the row or to the period.

The oracle knows every row that was stored. What comes out afterwards must be those rows, each with its own content and in order; what does not
come out must be covered: by losses that count it, or by one of the node as a whole that says from when to when.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.mending import VERIFY_NS
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.steady import RETRY_NS, SteadySpool
from edge_runtime.types import Tick

TRIALS = 110
ROWS = 650  # more than SQLite's cache holds: what was overwritten is read again
MAX_AGE_S = 3600.0
START = Tick(10**12, 1_793_872_800 * 10**9)
TOPICS = [f"edge/v1/north/cam-1/obs/s{number}/crossing" for number in range(3)]


class Trial:
    """One spool, the rows that it was given, and what came of them."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.chance = chance
        self.now = START
        self.stored: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.settled: set[int] = set()
        self.spool = self._opened()

    def _opened(self) -> SteadySpool:
        spool = SteadySpool(SpoolOptions(path=self.path, max_age_s=MAX_AGE_S))
        spool.open(self.now)
        return spool

    def store(self, first: int, count: int) -> None:
        """More rows, in a few commits; some of the earlier ones are acknowledged."""
        for start in range(first, first + count, 50):
            entries = []
            for n in range(start, start + 50):
                topic = self.chance.choice(TOPICS)
                self.stored[topic].append(n)
                body = b'{"v":1,"n":%d,"fill":"%s"}' % (n, b"x" * self.chance.randrange(4000))
                entries.append(Entry(topic, body, 0, self.now.mono_ns, self.now.wall_ns + n))
            self.spool.commit(Batch(entries, {"lane/s": json.dumps(start + 49)}), self.now)

    def settle(self) -> None:
        """A part of what stands at the head of one topic."""
        rows = self.spool.read(TOPICS[0], 0, 100, self.now)[: self.chance.randrange(100)]
        self.settled |= {json.loads(row.body)["n"] for row in rows}
        self.spool.commit(Batch(settled=[row.seq for row in rows]), self.now)

    def damage(self) -> str:
        """Overwrite something in the middle of a page of the file or its WAL."""
        files = [self.path, self.path.with_name(self.path.name + "-wal")]
        part = self.chance.choice([each for each in files if each.exists() and each.stat().st_size])
        kind = self.chance.choice(["bit", "bytes", "page", "zeros"])
        with part.open("r+b") as file:
            size = part.stat().st_size
            offset = self.chance.randrange(size)
            length = {"bit": 1, "bytes": self.chance.randint(2, 64), "page": 4096, "zeros": 4096}[kind]
            offset = offset // 4096 * 4096 if length == 4096 else offset
            file.seek(offset)
            before = file.read(length)
            file.seek(offset)
            noise = bytes([before[0] ^ (1 << self.chance.randrange(8))]) if kind == "bit" else self.chance.randbytes(len(before))
            file.write(bytes(len(before)) if kind == "zeros" else noise)
        return kind

    def heard(self) -> dict[str, list[int]]:
        """What a publisher gets to send: everything, read to the end, again after each change, until nothing changes."""
        while True:
            self.now = Tick(self.now.mono_ns + VERIFY_NS + RETRY_NS, self.now.wall_ns + RETRY_NS)
            self.spool.expire(self.now)
            moves = self.spool.moves
            found = {topic: self._read(topic) for topic in TOPICS}
            if self.spool.moves == moves and not self.spool.degraded:
                return found

    def _read(self, topic: str) -> list[int]:
        numbers: list[int] = []
        after = 0
        while rows := self.spool.read(topic, after, 100, self.now):
            for row in rows:
                body = json.loads(row.body)
                assert row.body.startswith(b'{"v":1,"id":"') and set(body["fill"]) <= {"x"}, "a damaged row was handed out"
                numbers.append(body["n"])
            after = rows[-1].seq
        return numbers

    def judge(self) -> str:
        """How the trial ended. Fails when something is lost and not declared, doubled, or out of order."""
        heard = self.heard()
        missing = 0
        for topic, stored in self.stored.items():
            wanted = [n for n in stored if n not in self.settled]
            got = [n for n in heard[topic] if n not in self.settled]  # acknowledged, and its deletion was lost: it comes once more, under its id
            assert got == sorted(set(got)) and set(got) <= set(wanted), "doubled, out of order or of another topic"
            missing += len(wanted) - len(got)
        losses = list(self.spool.losses)
        counted = sum(loss.rows for loss in losses)
        whole = [loss for loss in losses if loss.stream == "node" and loss.reason == "corrupt"]
        covered = any(loss.from_ns <= START.wall_ns and loss.to_ns >= START.wall_ns for loss in whole)
        assert missing <= counted or covered, f"{missing} rows are lost, declared are {losses}"
        if self.spool.corruptions:
            return "file replaced"
        return "rows lost, each declared" if missing else "nothing lost"


@pytest.mark.heavy
def test_random_damage_loses_only_what_is_declared(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ends: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for number in range(TRIALS):
        chance = random.Random(number)
        folder = tmp_path / str(number)
        folder.mkdir()
        trial = Trial(folder / "s.db", chance)
        trial.store(1, ROWS)
        trial.settle()
        in_use = number % 2 == 0
        if not in_use:
            trial.spool.close()
        kind = trial.damage()
        if not in_use:
            trial.spool = trial._opened()
        trial.store(ROWS + 1, 100)
        ends[f"{kind}, {'in use' if in_use else 'at rest'}: {trial.judge()}"] += 1
        assert trial.spool.stats()["state"] == "disk", "it did not run on"
        trial.spool.close()
        trial.spool = trial._opened()
        trial.judge()
        totals["kept" if trial.spool.state.get("lane/s") == json.dumps(ROWS + 100) else "lost"] += 1
        trial.spool.close()
        caplog.clear()
    print(f"\n{TRIALS} damaged files; totals {dict(totals)}")
    for end, count in sorted(ends.items()):
        print(f"  {count} {end}")
    assert totals["lost"] == 0, "what is written after the damage is newer than what the damage took"
    assert len({end.rpartition(": ")[2] for end in ends}) == 3, "the damage is too weak or too strong to show anything"
