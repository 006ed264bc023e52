"""One camera of the daemon: its source, its lane, and what outlives a lane that had to be given up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge_runtime.clock import Clock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Lane
from edge_runtime.runtime.outlet import Outlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.steady import Sight, SteadySource
from edge_runtime.runtime.stream import Tap
from edge_runtime.types import Event, Frame, Json

if TYPE_CHECKING:
    from edge_runtime.runtime.station import Station

_log = logging.getLogger("edge_runtime.camera")


class CameraRun:
    """Starts, watches and restarts one lane. A `StreamRun`: one thread (the supervisor's) calls it; its fields may be read from others."""

    def __init__(self, camera: CameraConfig, station: Station, outlet: Outlet, clock: Clock, pulses: Pulses) -> None:
        self.camera = camera
        self.station = station
        self.restarts = 0
        self._frame_limit: int | None = None
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
            frame_limit=self._frame_limit,
        )

    def limit(self, frames: int | None) -> None:
        """End by itself after so many frames, of this lane and of any that follows it. Call it before `start`."""
        self._frame_limit = self.lane.frame_limit = frames

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

    def ask_to_stop(self) -> None:
        """End after what is in flight. Returns at once."""
        self.lane.ask_to_stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the lane."""
        return self.lane.join(timeout)

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
    def failure(self) -> BaseException | None:
        """Why the lane ended that should not have."""
        return self.lane.failure

    @property
    def finished(self) -> bool:
        """The lane has ended."""
        return self.lane.finished

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
