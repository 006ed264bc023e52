"""A sensor's stream: numbers and the state that counts them travel together, and go on where the last commit stood."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.config.schema import SensorConfig
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.sensor import SensorRun
from edge_runtime.types import Event, Json

SENSOR = SensorConfig(name="oracle", source="sim:load?rate=2000")


class Kept:
    """An outlet that remembers what went through, call by call."""

    durable = True

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], int]] = []
        self.events: list[Event] = []
        self.broken = False

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        if self.broken:
            raise RuntimeError("broken on purpose")
        self.events += events
        self.calls.append(([int(event.data["n"]) for event in events], int(state["sensor/oracle"]["n"])))

    def live(self, stream: str, tracks: object) -> None:
        raise AssertionError("a sensor has no boxes")


def wait_for(kept: Kept, events: int) -> None:
    deadline = time.monotonic() + 20
    while len(kept.events) < events:
        assert time.monotonic() < deadline, f"{len(kept.events)} of {events} events"
        time.sleep(0.02)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def run(kept: Kept) -> SensorRun:
    return SensorRun(SENSOR, kept, SystemClock(), Pulses())


def test_sensor_emits_numbers_without_a_hole_each_with_the_state_that_counts_it(run: SensorRun, kept: Kept) -> None:
    run.start(None)
    wait_for(kept, 400)
    assert run.stop(5) == {"n": len(kept.events)}
    assert [event.data["n"] for event in kept.events] == list(range(1, len(kept.events) + 1))
    assert all(numbers[-1] == last for numbers, last in kept.calls)
    assert {(event.type, event.stream) for event in kept.events} == {("load", "oracle")}
    assert run.finished
    assert run.failure is None


def test_sensor_times_are_when_numbers_were_due(run: SensorRun, kept: Kept) -> None:
    began_ns = time.monotonic_ns()
    run.start(None)
    wait_for(kept, 400)
    run.stop(5)
    steps = {after.time.mono_ns - before.time.mono_ns for before, after in zip(kept.events[:50], kept.events[1:51], strict=True)}
    assert all(abs(step - 500_000) <= 2 for step in steps)
    assert kept.events[0].time.mono_ns >= began_ns
    assert kept.events[-1].time.mono_ns <= time.monotonic_ns()


def test_sensor_goes_on_after_the_state_of_an_earlier_process(run: SensorRun, kept: Kept) -> None:
    run.start({"n": 41})
    wait_for(kept, 10)
    run.stop(5)
    assert kept.events[0].data == {"n": 42}


def test_sensor_that_failed_is_begun_anew_where_the_last_commit_stood(run: SensorRun, kept: Kept) -> None:
    run.start(None)
    wait_for(kept, 50)
    kept.broken = True
    assert run.join(10)
    assert str(run.failure) == "broken on purpose"
    assert run.health()["state"] == "failed"
    before = len(kept.events)
    kept.broken = False
    run.restart("it failed")
    wait_for(kept, before + 50)
    run.stop(5)
    numbers = [event.data["n"] for event in kept.events]
    assert numbers == list(range(1, len(numbers) + 1)), "what failed did not go through, so its numbers come again"
    told = run.health()
    del told["moved_s"]  # what a busy machine kept it waiting is not asked here
    assert told == {"state": "ended", "reason": "", "n": numbers[-1], "restarts": 1}


def test_sensor_loop_beats_and_leaves_the_pulses_when_it_ends(kept: Kept) -> None:
    pulses = Pulses()
    run = SensorRun(SensorConfig(name="oracle", source="sim:load?rate=0.1"), kept, SystemClock(), pulses)
    run.start(None)
    wait_for(kept, 1)  # it beats before it reads
    pulses.forgive(-3600)
    assert [silence.name for silence in pulses.silent()] == ["oracle/emit"]
    run.stop(5)
    assert pulses.silent() == []
