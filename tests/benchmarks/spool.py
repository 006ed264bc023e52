"""Appending to the spool, group commit included, beside what SQLite alone can do with the same bytes.

python -m tests.benchmarks.spool [--rounds 3]

through the recorder   envelopes encoded, queued, committed in groups, each group synced: what a lane's events go through
spool                  the same entries, encoded before, in commits of the same size: rows, CRC, books
bare SQLite            one table of seq and body, WAL, synchronous=FULL, executemany in one transaction of the same size; and one by one
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_runtime.clock import SystemClock
from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.measure import Spread, alternate
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import ClockState, Envelope, Event
from tests.benchmarks.table import Row, Section, show

MESSAGES = 40_000
GROUP = 500
SINGLE = 500
TARGET_PER_S = 20_000
_CLOCK = SystemClock()
_ENVELOPER = Enveloper("north", "cam-1", None)
_DATA = {"rule": "lane1", "dir": "forward", "label": "southbound", "class": "car", "score": 0.81, "speed_kmh": 48.2}


class Appending:
    """Each way has a new file for each round in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = itertools.count()
        self._envelopes = [_envelope(number) for number in range(MESSAGES)]
        self.entries = [Entry.of(each) for each in self._envelopes]

    def through_the_recorder(self) -> float:
        """Messages a second, until all of them are on the disk."""
        recorder = Recorder(SpoolOptions(path=self._fresh()), _ENVELOPER, Pulses(), _CLOCK)
        recorder.open()
        recorder.start()
        began = time.perf_counter()
        for start in range(0, MESSAGES, 10):  # as a busy lane gives them: a few at a time, with its state
            recorder.record(self._envelopes[start : start + 10], {"lane/s": {"total": start}})
            if start % 10_000 == 0:
                recorder.flush(60)  # stays within what may wait
        if not recorder.flush(60):
            raise SystemExit("the disk did not take the messages within a minute")
        elapsed_s = time.perf_counter() - began
        stored = recorder.stats()["depth"]
        recorder.close(10)
        if stored != MESSAGES:
            raise SystemExit(f"only {stored} of {MESSAGES} messages were stored: the figure would be wrong")
        return MESSAGES / elapsed_s

    def spool(self) -> float:
        """Messages a second."""
        spool = Spool(SpoolOptions(path=self._fresh()))
        spool.open()
        now = _CLOCK.now()
        began = time.perf_counter()
        for start in range(0, MESSAGES, GROUP):
            spool.commit(Batch(self.entries[start : start + GROUP], {"lane/s": str(start)}), now)
        elapsed_s = time.perf_counter() - began
        spool.close()
        return MESSAGES / elapsed_s

    def bare(self, group: int = GROUP, messages: int = MESSAGES) -> float:
        """Messages a second."""
        connection = sqlite3.connect(self._fresh(), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "locking_mode=EXCLUSIVE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        began = time.perf_counter()
        for start in range(0, messages, group):
            connection.execute("BEGIN")
            pairs = enumerate(self.entries[start : start + group], start)
            connection.executemany("INSERT INTO rows VALUES (?, ?)", ((seq, entry.body) for seq, entry in pairs))
            connection.execute("COMMIT")
        elapsed_s = time.perf_counter() - began
        connection.close()
        return messages / elapsed_s

    def one_by_one(self) -> float:
        """Messages a second, each synced alone."""
        return self.bare(1, SINGLE)

    def _fresh(self) -> Path:
        return self._folder / f"{next(self._count)}.db"


def _envelope(number: int) -> Envelope:
    return _ENVELOPER.wrap(Event("crossing", f"s{number % 4}", _CLOCK.now(), {**_DATA, "track": number}), ClockState.NTP)


def section(folder: Path, rounds: int) -> Section:
    """In turns; the ratio is of the same turn."""
    appending = Appending(folder)
    ways: dict[str, Callable[[], float]] = {
        "recorder, group commit": appending.through_the_recorder,
        f"spool, {GROUP} a commit": appending.spool,
        f"bare SQLite, {GROUP} a commit": appending.bare,
        "bare SQLite, one by one": appending.one_by_one,
    }
    recorder, spool, bare, single = alternate(rounds, *ways.values())
    rows = [Row(name, "messages/s", Spread.of(list(each))) for name, each in zip(ways, (recorder, spool, bare, single), strict=True)]
    rows[0] = Row("recorder, group commit", "messages/s", Spread.of(list(recorder)), TARGET_PER_S)
    for name, figures, others in (
        ("recorder ÷ bare SQLite in groups", recorder, bare),
        ("spool ÷ bare SQLite in groups", spool, bare),
        ("recorder ÷ bare SQLite one by one", recorder, single),
    ):
        rows.append(Row(name, "", Spread.of([one / other for one, other in zip(figures, others, strict=True)])))
    size = round(sum(len(entry.body) for entry in appending.entries) / MESSAGES)
    return Section("spool", f"{MESSAGES} messages of {size} bytes, every commit synced, wall time", rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.spool", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns (default 3)")
    parser.add_argument("--folder", type=Path, help="on which disk to measure (default: the system's folder for temporary files)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="spool-", dir=args.folder) as folder:
        show([section(Path(folder), args.rounds)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
