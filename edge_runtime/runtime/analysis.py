"""The analysing half of a lane: detections in, events with their completeness out. A state machine without threads or clocks.

    detections ─► tracker ─► analysers (lines, zones) ─► crossing …            ┐
                                 ▲                                              ├─► events, each window's with what it saw
    stamps ────► window clock ───┴─ close(window) ─► count, occupancy + seen   ┘

The lane calls `step` for each frame in order, `advance` when no frame came for a while, `finish` at the end. Windows close by the
frames' own stamps, so that a crossing always belongs to the window in which its frame was taken, however late inference was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_runtime.config.schema import CameraConfig
from edge_runtime.contracts import Analyser
from edge_runtime.runtime.completeness import Completeness
from edge_runtime.types import Detections, Event, Json, Size, Stamp, Tick, Tracks, Window

_log = logging.getLogger("edge_runtime.analysis")

_UNSEEN = (1920, 1080)  # before the first frame only windows close, and those need no pixels
_ID_MARGIN = 1000  # ids reserved ahead of the last checkpoint, so that none is given twice after a kill


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one frame came to."""

    tracks: Tracks
    events: Sequence[Event]


class Analysis:
    """One camera's tracker, analysers, windows and completeness."""

    def __init__(self, camera: CameraConfig, labels: Sequence[str], model: str, state: Json = None) -> None:
        """`state` is a snapshot of an earlier process, or None. What no longer fits (a rule changed) begins anew, and the log says so.

        With "rebooted" set it is of an earlier boot: the window that was open then is closed with `mono_ns` -1, as nobody knows it in this boot.
        """
        from edge_runtime.analyse.windows import WindowClock
        from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions

        state = state or {}
        self._camera = camera
        self._labels = tuple(labels)
        self._model = model
        options = TrackerOptions(min_score=camera.min_score, track_floor=camera.track_floor)
        self.tracker = ByteTracker(options, first_id=int(state.get("next_id", 1)))
        self.windows = WindowClock(camera.interval_s)
        self.completeness = Completeness(camera.fps)
        self.stream_fps: Callable[[], float | None] = lambda: None
        self._interrupted: Tick | None = None
        self._rebooted = False  # the open window is of an earlier boot
        self._kept: dict[str, Json] = dict(state.get("rules", {}))
        self._analysers: dict[str, Analyser] = {}
        self._size = Size(*state.get("size", _UNSEEN))
        self._build()
        if state.get("window") is not None:
            self._rebooted = bool(state.get("rebooted", False))
            self.windows.restore(state["window"], rebooted=self._rebooted)
            self.completeness.restore(state["seen"])
            self._interrupted = Tick(*state["window"]["last"])

    @property
    def size(self) -> Size:
        """The upright picture that lines and zones refer to; a guess until the first frame came."""
        return self._size

    def totals(self) -> Mapping[str, Mapping[str, int]]:
        """Crossings by line and direction since the spool began."""
        from edge_runtime.analyse.line import LineCounter

        return {rule.removeprefix("line/"): each.totals for rule, each in self._analysers.items() if isinstance(each, LineCounter)}

    def begin(self, now: Tick) -> list[Event]:
        """Sight is owed from now on: the first window opens, or the one goes on that an earlier process left open."""
        windows = self.windows.advance(now)
        events = self._closed(windows)
        if self._interrupted is not None and not windows:
            self.completeness.missed(now.wall_ns - self._interrupted.wall_ns)
        self._interrupted = None
        self.completeness.begin(now)
        return events

    def resize(self, size: Size) -> None:
        """The picture has another size: pixels of old tracks mean nothing any more, totals and sums go on."""
        if size == self._size:
            return
        self.tracker.reset()
        self._keep()
        self._size = size
        self._build()

    def step(self, detections: Detections) -> Outcome:
        """One inferred frame."""
        events = self._arrive(detections.stamp)
        tracks = self.tracker.step(detections)[0]
        return self._analyse(tracks, events)

    def step_still(self, stamp: Stamp) -> Outcome:
        """One frame in which nothing moved: what was there is still there."""
        events = self._arrive(stamp)
        return self._analyse(self.tracker.step_still(stamp), events)

    def advance(self, now: Tick) -> list[Event]:
        """Time passed without a frame."""
        events = self._closed(self.windows.advance(now))
        for analyser in self._analysers.values():
            events += self._signed(analyser.advance(now))
        return events

    def finish(self, now: Tick) -> list[Event]:
        """End of footage, or drain: what is owed, and the last window as partial."""
        events: list[Event] = []
        for tracks in self.tracker.finish():
            events += self._analyse(tracks, []).events
        for analyser in self._analysers.values():
            events += self._signed(analyser.finish())
        return events + self._closed(self.windows.finish(now))

    def snapshot(self) -> Json:
        """What must outlive the process: totals, the open window's sums, the id high-water mark."""
        self._keep()
        window = self.windows.snapshot()
        return {
            "next_id": self.tracker.next_id + _ID_MARGIN,
            "size": list(self._size),
            "rules": dict(self._kept),
            "window": window,
            "seen": None if window is None else self.completeness.snapshot(window["last"][0]),
        }

    def _build(self) -> None:
        self._analysers = make_analysers(self._camera, self._size, self._labels)
        for rule, analyser in self._analysers.items():
            if rule not in self._kept:
                continue
            try:
                analyser.restore(self._kept[rule])
            except ValueError as error:
                _log.warning("%s: %s", self._camera.name, error)

    def _keep(self) -> None:
        for rule, analyser in self._analysers.items():
            self._kept[rule] = analyser.snapshot()

    def _arrive(self, stamp: Stamp) -> list[Event]:
        events = self._closed(self.windows.advance(Tick(stamp.mono_ns, stamp.wall_ns)))
        self.completeness.processed(stamp.mono_ns)
        return events

    def _analyse(self, tracks: Tracks, events: list[Event]) -> Outcome:
        for analyser in self._analysers.values():
            events += self._signed(analyser.step(tracks))
        return Outcome(tracks, events)

    def _closed(self, windows: Sequence[Window]) -> list[Event]:
        events: list[Event] = []
        for window in windows:
            seen = self.completeness.close(window, self.stream_fps())
            for analyser in self._analysers.values():
                events += [replace(event, seen=seen, time=self._known(event.time)) for event in self._signed(analyser.close(window))]
            self._rebooted = False
        return events

    def _known(self, tick: Tick) -> Tick:
        """`tick` as it can be said in this boot."""
        return Tick(-1, tick.wall_ns) if self._rebooted else tick

    def _signed(self, events: Sequence[Event]) -> list[Event]:
        return [replace(event, model=self._model) for event in events]


def make_analysers(camera: CameraConfig, size: Size, labels: Sequence[str]) -> dict[str, Analyser]:
    """The analysers that a camera's rules ask for, by "line/<name>" or "zone/<name>"."""
    from edge_runtime.analyse.line import LineCounter
    from edge_runtime.analyse.zone import ZoneOccupancy

    rules: dict[str, Analyser] = {}
    for line in camera.line:
        rules[f"line/{line.name}"] = LineCounter(line, size, labels, camera.name)
    for zone in camera.zone:
        rules[f"zone/{zone.name}"] = ZoneOccupancy(zone, size, labels, camera.name)
    return rules
