"""The recorder: what `record` took is on disk within the group commit, and nobody waits for the disk."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.errors import CannotStart
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.intake import INCOMING_BYTES, Intake, Item
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import ClockState, Envelope, Event, SpooledRow, Tick
from tests.peers.broker import until

CLOCK = SystemClock()
ENVELOPER = Enveloper("north", "cam-1", None)


@contextmanager
def recording(path: Path, **options: object) -> Iterator[Recorder]:
    recorder = Recorder(replace(SpoolOptions(path=path, commit_ms=20), **options), ENVELOPER, Pulses(), CLOCK)  # type: ignore[arg-type]
    recorder.open()
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close(5.0)


def crossing(number: int, stream: str = "s") -> Envelope:
    return ENVELOPER.wrap(Event("crossing", stream, CLOCK.now(), {"n": number}), ClockState.NTP)


def taken(recorder: Recorder, count: int) -> list[SpooledRow]:
    rows: list[SpooledRow] = []

    def enough() -> bool:
        while len(rows) < count and (row := recorder.take()) is not None:
            rows.append(row)
        return len(rows) >= count

    until(enough, 10, f"{len(rows)} of {count} rows: {recorder.stats()}")
    return rows


def test_record_then_take_then_settle_empties_the_spool(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        heard = threading.Event()
        recorder.listen(heard.set)
        recorder.record([crossing(n) for n in range(200)], {"lane/s": {"total": 200}})
        assert recorder.flush(5)
        assert recorder.stats()["depth"] == 200
        rows = taken(recorder, 200)
        assert [json.loads(row.body)["data"]["n"] for row in rows] == list(range(200))
        assert recorder.take() is None
        assert heard.is_set()
        recorder.settle([row.seq for row in rows])
        until(lambda: recorder.stats()["depth"] == 0, 5)
        assert recorder.drained


def test_rewind_offers_what_was_not_settled_and_not_what_was(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        recorder.record([crossing(n) for n in range(30)], {})
        rows = taken(recorder, 30)
        recorder.settle([row.seq for row in rows[:10]])
        recorder.rewind()
        assert [row.seq for row in taken(recorder, 20)] == [row.seq for row in rows[10:]]


def test_state_is_as_it_was_when_recorded_and_survives(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        state = {"totals": {"lane1": np.int64(1)}, "sums": np.array([1.5])}
        recorder.record([crossing(1)], {"lane/s": state})
        state["totals"] = {"lane1": np.int64(99)}
    with recording(tmp_path / "s.db") as recorder:
        assert recorder.saved("lane/s") == {"totals": {"lane1": 1}, "sums": [1.5]}
        assert recorder.saved("lane/other") is None
        recorder.record([], {"lane/s": {"totals": {"lane1": 2}}})
        assert recorder.last_alive() is None, "nobody has said yet how long nobody looked"
        assert recorder.saved("lane/s") == {"totals": {"lane1": 2}}, "a camera that is configured again goes on from its newest state"


def test_sign_of_life_is_stored_from_the_first_declared_one_on_and_not_before(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        first = CLOCK.now()
        recorder.record([crossing(1)], recorder.sign_of_life(first))
    for _ in range(2):  # starts that fail before anybody looks
        with recording(tmp_path / "s.db") as recorder:
            last = recorder.last_alive()
            assert last is not None
            recorder.record([crossing(2)], {})
            assert recorder.flush(5)
    with recording(tmp_path / "s.db") as recorder:
        alive = recorder.last_alive()
        assert alive == last
        assert alive is not None
        assert first.mono_ns <= alive.mono_ns <= CLOCK.now().mono_ns
        assert first.wall_ns - 10**9 <= alive.wall_ns
        recorder.record([], recorder.sign_of_life(CLOCK.now()))
        recorder.flush(5)
        recorder.record([crossing(3)], {})
    with recording(tmp_path / "s.db") as recorder:
        later = recorder.last_alive()
        assert later is not None
        assert later.mono_ns > alive.mono_ns


def test_sign_of_life_is_no_younger_than_the_transaction_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded behind it is not stored yet: a process that is killed then was not alive for it."""
    gathered_ns: list[int] = []
    with recording(tmp_path / "s.db") as recorder:
        gather = recorder._intake.gather

        def late() -> object:
            found = gather()
            gathered_ns.append(CLOCK.now().mono_ns)
            return found

        monkeypatch.setattr(recorder._intake, "gather", late)
        recorder.record([crossing(1)], recorder.sign_of_life(CLOCK.now()))
        assert recorder.flush(5)
    with recording(tmp_path / "s.db") as recorder:
        alive = recorder.last_alive()
    assert alive is not None
    assert alive.mono_ns <= gathered_ns[-1]


def test_last_alive_of_a_new_spool_is_unknown(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        assert recorder.last_alive() is None


def test_record_from_many_threads_keeps_every_lane_in_order(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:

        def lane(name: str) -> None:
            for number in range(300):
                recorder.record([crossing(number, name)], {f"lane/{name}": {"n": number + 1}})

        threads = [threading.Thread(target=lane, args=(f"s{each}",)) for each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = taken(recorder, 1200)
        for name in ("s0", "s1", "s2", "s3"):
            assert [json.loads(row.body)["data"]["n"] for row in rows if f"/{name}/" in row.topic] == list(range(300))


def test_group_commit_makes_few_transactions_of_many_events(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db", commit_ms=300) as recorder:
        before = int(recorder.stats()["commits"])
        for number in range(500):
            recorder.record([crossing(number)], {"lane/s": {"n": number + 1}})
        until(lambda: recorder.stats()["depth"] == 500, 10)
        assert int(recorder.stats()["commits"]) - before <= 5


def test_close_stores_what_waits(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db", commit_ms=5000) as recorder:
        recorder.record([crossing(1)], {})
    with recording(tmp_path / "s.db") as recorder:
        assert len(taken(recorder, 1)) == 1


def test_full_spool_becomes_a_gap_message_once_somebody_takes(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db", max_bytes=1_000_000) as recorder:
        filler = "x" * 2000
        for number in range(1000):
            recorder.record([ENVELOPER.wrap(Event("crossing", "s", CLOCK.now(), {"n": number, "fill": filler}), ClockState.NTP)], {})
            if number % 20 == 0:
                assert recorder.flush(5)
        assert recorder.flush(5)
        dropped = int(recorder.stats()["dropped"])
        kept = int(recorder.stats()["depth"])
        assert dropped + kept == 1000
        assert recorder.stats()["gaps"] == 0, "nobody takes: no gap is made yet"
        found: list[SpooledRow] = []

        def told() -> bool:
            row = recorder.take()
            if row is not None:
                recorder.settle([row.seq])
                if row.topic.endswith("/gap"):
                    found.append(row)
            return bool(found)

        until(told, 15)
        gap = json.loads(found[0].body)
        assert (gap["type"], gap["stream"]) == ("gap", "s")
        assert gap["data"]["reason"] == "full"
        assert gap["data"]["messages"] == dropped
        assert gap["data"]["from"] <= gap["data"]["to"] <= gap["time"]


def test_refused_row_is_buried_and_told_as_a_gap(tmp_path: Path) -> None:
    with recording(tmp_path / "s.db") as recorder:
        recorder.record([crossing(1)], {})
        (row,) = taken(recorder, 1)
        recorder.settle([], [(row.seq, "not authorized")])
        (gap,) = taken(recorder, 1)
        assert json.loads(gap.body)["data"]["reason"] == "refused"
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT why FROM dead").fetchall() == [("not authorized",)]
    connection.close()


def test_record_never_waits_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(tmp_path / "s.db") as recorder:
        stuck = threading.Event()
        commit = recorder._spool.commit

        def slow(batch: object, now: Tick) -> object:
            stuck.wait(60)
            return commit(batch, now)  # type: ignore[arg-type]

        monkeypatch.setattr(recorder._spool, "commit", slow)
        filler = "x" * 100_000
        envelopes = [ENVELOPER.wrap(Event("crossing", "s", CLOCK.now(), {"n": n, "fill": filler}), ClockState.NTP) for n in range(60)]
        for number, envelope in enumerate(envelopes):
            recorder.record([envelope], {"lane/s": {"n": number + 1}})
        assert recorder.stats()["commits"] == 0, "all was taken while the disk hung"
        assert int(recorder.stats()["overflowed"]) > 10
        stuck.set()
        assert recorder.flush(20)
        assert int(recorder.stats()["depth"]) + int(recorder.stats()["dropped"]) == 60
    with recording(tmp_path / "s.db") as recorder:
        assert recorder.saved("lane/s") == {"n": 60}, "the state goes on although events were lost"


def test_intake_put_when_full_counts_and_keeps_the_bound() -> None:
    intake = Intake(0.2, 10_000_000)
    from edge_runtime.deliver.entry import Entry

    entry = Entry("edge/v1/a/b/obs/s/count", b"x" * 100_000, 1, 5, 7)
    for number in range(100):
        intake.put(Item([entry], {"n": str(number)}), Tick(0, 0))
    batch, items = intake.gather()
    assert sum(each.size for each in batch.entries) <= INCOMING_BYTES
    assert len(batch.entries) + intake.overflowed == 100
    assert items == len(batch.entries)
    assert batch.state == {"n": "99"}
    (loss,) = batch.lost
    assert (loss.stream, loss.reason, loss.rows, loss.from_ns) == ("s", "busy", intake.overflowed, 7)


def test_import_of_recorder_and_publisher_stays_light() -> None:
    heavy = ("paho", "cv2", "numba", "onnxruntime", "av")
    code = f"import sys, edge_runtime.runtime.recorder, edge_runtime.runtime.publisher; print([n for n in {heavy} if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert said.stdout == "[]\n"


def test_open_without_a_folder_cannot_start(tmp_path: Path) -> None:
    recorder = Recorder(SpoolOptions(path=tmp_path / "nowhere" / "s.db"), ENVELOPER, Pulses(), CLOCK)
    with pytest.raises(CannotStart, match="does not exist"):
        recorder.open()
    recorder.close(1.0)


def test_idle_recorder_beats_and_hardly_wakes(tmp_path: Path) -> None:
    pulses = Pulses()
    recorder = Recorder(SpoolOptions(path=tmp_path / "s.db"), ENVELOPER, pulses, CLOCK)
    recorder.open()
    recorder.start()
    until(lambda: recorder._thread.native_id is not None, 5)
    time.sleep(0.3)
    switches = Path(f"/proc/self/task/{recorder._thread.native_id}/status")

    def count() -> int:  # of its own will: a busy machine adds others
        return sum(int(line.split()[1]) for line in switches.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))

    before = count()
    time.sleep(1.5)
    assert count() - before <= 8
    assert pulses.silent() == []
    recorder.close(5.0)
    with pulses._lock:
        assert "recorder" not in pulses._beats
