"""One camera of the daemon: its source, its lane, and what outlives a lane that had to be given up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edge_runtime.clock import Clock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Lane
from edge_runtime.runtime.outlet import Outlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.steady import Sight, SteadySource
from edge_runtime.types import Event, Frame, Json, Tracks

if TYPE_CHECKING:
    from edge_runtime.runtime.station import Station

_log = logging.getLogger("edge_runtime.camera")
_PATIENCE_S = 1.0


class CameraRun:
    """Starts, watches and restarts one lane. One thread (the supervisor's) calls it; its fields may be read from others."""

    def __init__(self, camera: CameraConfig, station: Station, outlet: Outlet, clock: Clock, pulses: Pulses) -> None:
        self.camera = camera
        self.station = station
        self.restarts = 0
        self._outlet = outlet
        self._clock = clock
        self._pulses = pulses
        self._build(None)

    def _build(self, saved: Json) -> None:
        from edge_runtime.sources import SourceSpec, make_source

        manifest = self.station.bundle.manifest
        self._tap = tap = Tap(self._outlet, saved)
        self.source = make_source(SourceSpec.of(self.camera))
        self.steady = SteadySource[Frame](self.camera.name, self.source, lambda sight: self._tell(tap, sight))
        self.analysis = Analysis(self.camera, manifest.labels, manifest.identity, saved)
        self.analysis.stream_fps = lambda: self.source.stats().stream_fps
        self.lane = Lane(
            self.camera,
            self.steady,
            eye=self.station.eye(self.camera),
            analysis=self.analysis,
            outlet=self._tap,
            clock=self._clock,
            pulses=self._pulses,
        )

    def start(self, saved: Json) -> None:
        """Begin. `saved` is the last snapshot of an earlier process, or None: totals, ids and the open window go on from there."""
        if saved is not None:
            self._build(saved)
        self.lane.start()

    def restart(self, why: str) -> None:
        """Give the lane up, whatever it is doing, and begin a new one where its last checkpoint stood."""
        self.restarts += 1
        _log.error("%s: %s: starting it anew", self.camera.name, why)
        self._tap.shut()
        self.lane.abandon()
        self._build(self._tap.state)
        self._tap.emit([Event("camera", self.camera.name, self._clock.now(), {"state": "failed", "reason": why})], {})
        self.lane.start()

    def interrupt(self) -> None:
        """Do not wait for the camera any longer: it is to be stopped."""
        self.steady.leave()
        self.source.interrupt()

    def stop(self, deadline_s: float) -> Json:
        """End after what is in flight; the last window is closed as partial. Returns the state to carry on from."""
        if not self.lane.stop(deadline_s):
            self._tap.shut()
            self.lane.abandon()
        return self._tap.state

    @property
    def state(self) -> str:
        """connecting | live | away | failed | ended."""
        if self.lane.failure is not None:
            return "failed"
        return "ended" if self.lane.finished else self.steady.sight.state

    @property
    def reason(self) -> str:
        """Why it is not live; empty when it is."""
        return str(self.lane.failure) if self.lane.failure is not None else self.steady.sight.reason

    @property
    def connects(self) -> int:
        """How often frames began to flow."""
        return self.steady.connects

    def _tell(self, tap: Tap, sight: Sight) -> None:
        """By the lane's own tap: what the source of a lane that was given up still finds out is no news of the camera."""
        data: dict[str, Json] = {"state": sight.state}
        if sight.reason:
            data["reason"] = sight.reason
        if sight.state == "live":
            data["away_s"] = sight.away_s
        tap.emit([Event("camera", self.camera.name, self._clock.now(), data)], {})


def stop_together(runs: Mapping[str, CameraRun], deadline_s: float) -> dict[str, Json]:
    """Stop cameras within `deadline_s` for all of them: their states. What one waits for at its end is not waited for once a camera."""
    end_s = time.monotonic() + deadline_s
    patient_s = time.monotonic() + min(_PATIENCE_S, deadline_s / 2)
    for run in runs.values():
        run.lane.ask_to_stop()
    for run in runs.values():
        if not run.lane.join(max(0.0, patient_s - time.monotonic())):
            run.interrupt()  # it may be opening a camera that is away
    return {name: run.stop(max(0.1, end_s - time.monotonic())) for name, run in runs.items()}


class Tap:
    """A lane's way to the outlet. It remembers the last state that went through, and can be shut on a lane that was given up."""

    def __init__(self, outlet: Outlet, state: Json) -> None:
        self.state = state
        self._outlet: Outlet | None = outlet
        self._lock = threading.Lock()  # when `shut` has returned, `state` is what went through last, and nothing follows

    @property
    def durable(self) -> bool:
        outlet = self._outlet
        return outlet is not None and outlet.durable

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        with self._lock:
            if self._outlet is None:
                return
            for value in state.values():
                self.state = value
            if events or state:
                self._outlet.emit(events, state)

    def live(self, stream: str, tracks: Tracks) -> None:
        outlet = self._outlet
        if outlet is not None:
            outlet.live(stream, tracks)

    def shut(self) -> None:
        """Nothing goes through any more."""
        with self._lock:
            self._outlet = None
