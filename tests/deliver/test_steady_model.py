"""A disk that refuses and recovers at random moments, held against a model that only counts: what is owed is offered, once, in order, and no more."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from pathlib import Path

import pytest

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.steady import RETRY_NS, SteadySpool
from edge_runtime.types import SpooledRow, Tick
from tests.deliver.test_spool import NOW, entry
from tests.deliver.test_steady import everything, numbers, opened
from tests.peers.disk import small_disk

TOPICS = ("edge/v1/north/cam-1/obs/a/crossing", "edge/v1/north/cam-1/obs/b/crossing")
STEPS = 80


class Model:
    """A spool beside lists of what must be in it. Every step is one commit, as the recorder makes them."""

    def __init__(self, disk: Path, chance: random.Random) -> None:
        self.ballast = disk / "ballast"
        self.spool: SteadySpool = opened(disk / "s.db")
        self.owed: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.ids: dict[int, str] = {}
        self.refused: list[int] = []
        self.told = 0  # of losses that became messages
        self.refusals = self.heals = 0
        self._chance = chance
        self._now = NOW
        self._given = 0
        self._in_hand: list[tuple[str, SpooledRow]] = []  # read, and not answered

    def step(self) -> None:
        was = bool(self.spool.degraded)
        self._spoil_or_mend()
        self._now = Tick(self._now.mono_ns + self._chance.choice([0, RETRY_NS // 2, RETRY_NS]), self._now.wall_ns)
        self.spool.commit(self._batch(), self._now)
        if self._chance.random() < 0.2:
            self.spool.expire(self._now)
        self.refusals += bool(self.spool.degraded) and not was
        self.heals += was and not self.spool.degraded
        self.require()

    def mend(self) -> None:
        """The disk takes writes again, and what waits goes there."""
        self.ballast.unlink(missing_ok=True)
        self._now = Tick(self._now.mono_ns + RETRY_NS, self._now.wall_ns)
        self.spool.commit(Batch(), self._now)
        self.require()

    def require(self) -> None:
        self._in_hand = []
        for topic, owed in self.owed.items():
            rows = everything(self.spool, self._now, topic)
            assert numbers(rows) == owed, "lost, out of order, or offered although it was answered"
            for row, number in zip(rows, owed, strict=True):
                body = json.loads(row.body)
                assert self.ids.setdefault(number, body["id"]) == body["id"], "one message under two ids"
            self._in_hand += [(topic, row) for row in rows]
        assert self.spool.depth == sum(map(len, self.owed.values()))
        assert len(set(self.ids.values())) == len(self.ids)

    def _spoil_or_mend(self) -> None:
        if self.ballast.exists():
            if self._chance.random() < 0.25:
                self.ballast.unlink()
        elif self._chance.random() < 0.15:
            with self.ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)

    def _batch(self) -> Batch:
        """New rows; some of those in hand are answered; now and then all that is lost is told."""
        settled, refused, closed = [], [], []
        for topic, row in self._chance.sample(self._in_hand, min(len(self._in_hand), self._chance.choice([0, 0, 3, 30]))):
            number = json.loads(row.body)["n"]
            self.owed[topic].remove(number)
            if self._chance.random() < 0.2:
                refused.append((row.seq, "no"))
                self.refused.append(number)
            else:
                settled.append(row.seq)
        if self._chance.random() < 0.3:
            closed = list(self.spool.losses)
            self.told += sum(loss.rows for loss in closed)
        entries = []
        for _ in range(self._chance.choice([0, 1, 5, 20])):
            topic = self._chance.choice(TOPICS)
            entries.append(entry(self._given, topic, size=self._chance.choice([0, 300, 3000])))
            self.owed[topic].append(self._given)
            self._given += 1
        return Batch(entries, {"n": str(self._given)}, settled, refused, closed=closed)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_owed_is_offered_whatever_the_disk_does_in_between(tmp_path: Path, seed: int) -> None:
    with small_disk(tmp_path / "disk") as disk:
        model = Model(disk, random.Random(seed))
        for _ in range(STEPS):
            model.step()
        model.mend()
        assert not model.spool.degraded
        assert model.told + sum(loss.rows for loss in model.spool.losses) == len(model.refused)
        model.spool.close()
        with contextlib.closing(sqlite3.connect(disk / "s.db")) as file:
            dead = [json.loads(body)["n"] for (body,) in file.execute("SELECT body FROM dead")]
        assert sorted(dead) == sorted(model.refused)
        print(f"seed {seed}: the disk refused {model.refusals} times and recovered {model.heals}, {len(model.ids)} messages, {len(dead)} buried")
        if seed == 0:
            assert model.heals >= 2, "nothing was tried"
