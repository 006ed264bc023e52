"""A lane's threads: what is dropped is counted, what fails costs one frame, what was read is finished."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.clock import SystemClock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.errors import Disconnected, Exhausted
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Lane
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.types import ColorSpec, Detections, Event, Frame, Geometry, PixelFormat, Size, Stamp
from tests.system.conftest import wait_for

CAMERA = CameraConfig(name="cam", source="x", model="m", fps=50, interval_s=60.0, line=(LineOptions(name="l", points=((0, 0.5), (1, 0.5))),))
SIZE = Size(64, 48)


class Leased:
    """Counts releases of one frame."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


class Frames:
    """`count` gray frames, as fast as they are read or one each `period_s`."""

    def __init__(self, count: int, period_s: float = 0.0) -> None:
        self.leases: list[Leased] = []
        self.closed = 0
        self._count = count
        self._period_s = period_s

    def open(self) -> None: ...

    def read(self, timeout: float) -> Frame | None:
        if len(self.leases) == self._count:
            raise Exhausted("that was all")
        time.sleep(self._period_s)
        lease = Leased()
        self.leases.append(lease)
        now = SystemClock().now()
        plane = np.zeros((SIZE.height, SIZE.width), np.uint8)
        return Frame(Stamp("cam", len(self.leases), now.mono_ns, now.wall_ns), (plane,), PixelFormat.GRAY8, ColorSpec(), SIZE, 0, lease)

    def close(self) -> None:
        self.closed += 1


class SlowEye:
    """An eye whose inference takes `seconds` and fails on the frames given."""

    places = 2

    def __init__(self, seconds: float = 0.0, failing: Sequence[int] = ()) -> None:
        self._seconds = seconds
        self._failing = failing
        self._free = threading.Semaphore(self.places)

    def still(self, frame: Frame) -> bool:
        return False

    def acquire(self, deadline_ns: int, timeout: float) -> bool:
        return self._free.acquire(timeout=timeout)

    def look(self, frame: Frame, deadline_ns: int) -> tuple[Geometry, Future[Any]]:
        result: Future[Any] = Future()

        def infer() -> None:
            self._free.release()
            if frame.stamp.seq in self._failing:
                result.set_exception(RuntimeError("out of memory"))
            else:
                result.set_result([])

        threading.Timer(self._seconds, infer).start()
        return Geometry((1.0, 1.0), (0.0, 0.0), SIZE), result

    def forfeit(self) -> None: ...

    def decode(self, outputs: Any, stamp: Stamp, geometry: Geometry) -> Detections:
        return Detections.empty(stamp)


class Kept:
    """Keeps what comes out."""

    durable = True

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[Mapping[str, Any]] = []

    def emit(self, events: Sequence[Event], state: Mapping[str, Any]) -> None:
        self.events += events
        if state:
            self.states.append(state)

    def live(self, stream: str, tracks: Any) -> None: ...


def lane(frames: Frames, eye: SlowEye, outlet: Kept, pulses: Pulses | None = None, interval_s: float = 60.0, **more: Any) -> Lane:
    clock, pulses = SystemClock(), pulses or Pulses()
    camera = replace(CAMERA, interval_s=interval_s)
    analysis = Analysis(camera, ["car"], "m@1")
    return Lane(camera, frames, eye=eye, analysis=analysis, outlet=outlet, clock=clock, pulses=pulses, **more)  # type: ignore[arg-type]


def test_live_slower_than_the_camera_drops_counts_and_releases_every_frame() -> None:
    frames = Frames(100, period_s=0.005)
    walk = lane(frames, SlowEye(0.03), Kept())
    walk.start()
    assert walk.join(30)
    count = walk.counters
    assert count.read == 100
    assert count.dropped > 10
    assert count.processed + count.dropped == 100
    assert [lease.released for lease in frames.leases] == [1] * 100
    assert frames.closed == 1


def test_replay_drops_nothing_however_slow_inference_is() -> None:
    frames, kept = Frames(60), Kept()
    walk = lane(frames, SlowEye(0.005), kept, replay=True)
    walk.start()
    assert walk.join(30)
    assert (walk.counters.processed, walk.counters.dropped) == (60, 0)


def test_inference_that_fails_on_a_frame_costs_that_frame_and_is_counted() -> None:
    walk = lane(Frames(20), SlowEye(failing=(3, 7)), Kept(), replay=True)
    walk.start()
    assert walk.join(30)
    assert walk.failure is None
    assert (walk.counters.processed, walk.counters.failed) == (18, 2)


def test_inference_that_fails_on_every_frame_closes_windows_that_say_so() -> None:
    frames, kept = Frames(100_000, period_s=0.02), Kept()
    walk = lane(frames, SlowEye(failing=range(100_000)), kept, interval_s=1.0)
    walk.start()
    try:
        wait_for(lambda: sum(event.type == "count" for event in kept.events) >= 4, 20, "windows close although nothing is seen")
    finally:
        assert walk.stop(10)
    seen = next(event.seen for event in kept.events if event.type == "count" and not event.partial)
    assert seen is not None
    assert (seen.frames_expected, seen.frames_processed) == (50, 0)
    assert seen.blind_s > 0.9


def test_stop_finishes_what_is_in_flight_and_closes_the_window_as_partial() -> None:
    frames, kept = Frames(10_000, period_s=0.002), Kept()
    walk = lane(frames, SlowEye(0.01), kept)
    walk.start()
    while walk.counters.processed < 5:
        time.sleep(0.005)
    assert walk.stop(10)
    windows = [event for event in kept.events if event.type == "count"]
    assert {event.data["dir"] for event in windows} == {"forward", "backward"}
    assert all(event.partial for event in windows)
    assert all(event.seen is not None and event.seen.frames_processed == walk.counters.processed for event in windows)
    assert kept.states[-1]["lane/cam"]["window"] is None, "the last state says that no window is open"


@pytest.mark.parametrize("replay", [False, True])
def test_stage_that_raises_ends_every_loop_and_is_kept_as_the_failure(replay: bool) -> None:
    frames = Frames(10_000, period_s=0.001)
    walk = lane(frames, SlowEye(), Kept(), replay=replay)

    def broken(detections: Detections) -> Any:
        raise ZeroDivisionError("a bug")

    walk.analysis.step = broken  # type: ignore[method-assign]
    walk.start()
    assert walk.join(20)
    assert isinstance(walk.failure, ZeroDivisionError)
    assert frames.closed == 1


def test_abandon_then_no_loop_beats_any_more_and_those_that_can_end_do() -> None:
    """A beat of the old lane would hide that the loop of the same name in the new one hangs."""
    hold, pulses = threading.Event(), Pulses()
    walk = lane(Frames(10_000, period_s=0.002), SlowEye(), Kept(), pulses)
    walk.analysis.step = lambda detections: hold.wait(60)  # type: ignore[method-assign, assignment, return-value]
    walk.start()
    try:
        time.sleep(0.3)  # by then the feeding loop waits for room behind the one that hangs
        walk.abandon()
        pulses.beat("cam/feed", 60.0)  # the new lane's
        end = time.monotonic() + 10
        while (alive := {thread.name for thread in threading.enumerate()} & {"cam/read", "cam/feed"}) and time.monotonic() < end:
            time.sleep(0.02)
        assert not alive
        assert set(pulses._beats) == {"cam/feed"}
    finally:
        hold.set()
        walk.join(10)
    assert set(pulses._beats) == {"cam/feed"}, "its end is not the new lane's"


def test_stop_of_a_lane_that_was_never_started_is_harmless() -> None:
    assert lane(Frames(1), SlowEye(), Kept()).stop(0.1)


@pytest.mark.parametrize(("failure", "traces"), [(Disconnected("the file was taken away"), 0), (ArithmeticError("a bug"), 1)])
def test_failure_that_was_raised_on_purpose_shows_no_trace(failure: Exception, traces: int, caplog: pytest.LogCaptureFixture) -> None:
    frames = Frames(1)

    def read(timeout: float) -> Frame | None:
        raise failure

    frames.read = read  # type: ignore[method-assign]
    walk = lane(frames, SlowEye(), Kept(), replay=True)
    with caplog.at_level(logging.INFO, "edge_runtime.lane"):
        walk.start()
        assert walk.join(10)
    assert walk.failure is failure
    assert len(caplog.records) == traces
