"""Recorded footage through the same lanes as the daemon's, without drops and without clocks: same input, config and plan, same bytes.

Cameras are replayed one after the other in the order of the config, so that the output does not depend on how threads interleave.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from edge_runtime.clock import FakeClock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Lane, Watcher
from edge_runtime.runtime.outlet import LinesOutlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.station import Station, cache_kernels, open_stations
from edge_runtime.types import Event, Json

if TYPE_CHECKING:
    from edge_runtime.config.loaded import Loaded
    from edge_runtime.sources import Footage

_TELL_S = 0.2  # how often progress is told


class Progress(Protocol):
    """Told now and then how far a camera's footage is."""

    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What a replay does beside events."""

    start: str | None = None  # RFC 3339
    frames: int | None = None
    annotate: Path | None = None
    record: Path | None = None
    truth: Path | None = None


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """How one camera's replay went, without loading the model. Stage times are wall time of the thread that does it, a frame."""

    name: str
    frames: int
    seconds: float
    frames_per_s: float
    footage_s: float  # how much of the footage's own time the frames stand for
    cpu_ms: float  # CPU time of the whole process, a frame
    events: int
    totals: Mapping[str, Mapping[str, int]]
    stages_ms: Mapping[str, float]


@dataclass(slots=True)
class Summary:
    """How a replay went."""

    startup_s: float = 0.0
    cameras: list[CameraSummary] = field(default_factory=list)

    def as_json(self) -> Json:
        """As `--json` prints it."""
        return asdict(self)


class Replay:
    """One replay: construction reads and checks everything that the user wrote, `run` does the work."""

    def __init__(self, config_file: Path, overrides: Sequence[str] = (), extras: Extras | None = None) -> None:
        """Raises ConfigError: live cameras, missing footage, a bad --start, and whatever is wrong in the file. Nothing was touched then."""
        self._began = time.perf_counter()
        cache_kernels()
        from edge_runtime.config.check import make_plan, require_sound
        from edge_runtime.config.load import load

        loaded = load(config_file, overrides)
        require_sound(loaded)
        self.config = loaded.config
        self._extras = extras or Extras()
        _require_footage(loaded, truth=self._extras.truth is not None)
        self._start_wall_ns = _parse_time(self._extras.start) if self._extras.start else None
        self._inputs = (config_file.read_bytes(), *(text.encode() for text in overrides), repr((self._extras.start, self._extras.frames)).encode())
        self._plan = make_plan(self.config)

    def run(self, out: TextIO, progress: Progress) -> Summary:
        """Every camera, one after the other; events as JSON lines into `out`, which is flushed.

        Raises BundleError, CannotStart, SourceError; OSError when `out` refuses.
        """
        from edge_runtime.present.envelope import Enveloper

        device = self.config.device
        summary = Summary()
        with ExitStack() as stack:
            stations = open_stations(self.config, self._plan.engines)
            for station in stations.values():
                stack.callback(station.close, 2.0)
            enveloper = Enveloper(device.site, device.node, device.location)
            outlet = Tally(LinesOutlet(enveloper, out, self._epoch(stations)))
            summary.startup_s = round(time.perf_counter() - self._began, 3)
            for camera in self.config.camera:
                extras = replace(self._extras, annotate=self._film_of(camera))
                walked = replay_camera(camera, stations[camera.model], outlet, extras, progress, self._start_wall_ns)
                summary.cameras.append(walked)
            out.flush()
        return summary

    def _film_of(self, camera: CameraConfig) -> Path | None:
        """Where a camera's film goes: the path that was asked for, or with several cameras one beside it for each."""
        film = self._extras.annotate
        if film is None or len(self.config.camera) == 1 or not film.name:  # a folder such as "." has no name: whoever opens it refuses it
            return film
        return film.with_name(f"{film.stem}-{camera.name}{film.suffix}")

    def _epoch(self, stations: Mapping[str, Station]) -> str:
        """Six hex digits that change when the config, any footage or any model does: the `id`s of a replay say what they were made from."""
        digest = hashlib.sha256()
        for part in (*self._inputs, *(station.bundle.manifest.sha256.encode() for station in stations.values())):
            digest.update(part + b"\0")
        for camera in self.config.camera:
            for block in _footage_of(camera):
                digest.update(block)
        return digest.hexdigest()[:6]


def replay_camera(
    camera: CameraConfig, station: Station, outlet: Tally, extras: Extras, progress: Progress, start_wall_ns: int | None = None
) -> CameraSummary:
    """One camera's footage through one lane. Raises SourceError, and whatever made the lane fail."""
    from edge_runtime.sources import SourceSpec, make_footage

    source = make_footage(SourceSpec.of(camera), start_wall_ns=start_wall_ns)
    analysis = Analysis(camera, station.bundle.manifest.labels, station.bundle.manifest.identity)
    analysis.stream_fps = lambda: source.stats().stream_fps
    outlet.begin()
    with _watcher(camera, analysis, station, extras) as watcher, _truth_kept(camera, source, extras, start_wall_ns):
        lane = Lane(
            camera,
            source,
            eye=station.eye(camera),
            analysis=analysis,
            outlet=outlet,
            clock=FakeClock(),
            pulses=Pulses(),
            replay=True,
            watcher=watcher,
            frame_limit=extras.frames,
        )
        source.open()
        began, cpu_began = time.perf_counter(), time.process_time()
        lane.start()
        try:
            while not lane.join(_TELL_S) and outlet.refusal is None:
                _tell(progress, lane, source, began)
        except BaseException:
            lane.stop(5.0)
            raise
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        _tell(progress, lane, source, began)
        if outlet.refusal is not None:
            lane.stop(5.0)  # before the film is closed: the lane still writes to it
            raise outlet.refusal
        if lane.failure is not None:
            raise lane.failure
    return _summary(lane, outlet, source.stats().stream_fps, seconds, cpu_s)


def _tell(progress: Progress, lane: Lane, source: Footage, began: float) -> None:
    done = lane.counters.processed
    expected = source.expected_frames
    if lane.frame_limit is not None:
        expected = lane.frame_limit if expected is None else min(expected, lane.frame_limit)
    progress.update(lane.camera.name, done, expected, done / (time.perf_counter() - began))


def _summary(lane: Lane, outlet: Tally, stream_fps: float | None, seconds: float, cpu_s: float) -> CameraSummary:
    count = lane.counters
    frames = count.processed
    fps = min(lane.camera.fps, stream_fps or lane.camera.fps)
    stages = {"read": count.read_s, "prepare": count.prepare_s, "decode": count.decode_s, "analyse": count.analyse_s}
    return CameraSummary(
        name=lane.camera.name,
        frames=frames,
        seconds=round(seconds, 4),
        frames_per_s=round(frames / seconds, 2),
        footage_s=round(frames / fps, 3),
        cpu_ms=round(1000 * cpu_s / max(1, frames), 4),
        events=outlet.events,
        totals={rule: dict(sorted(ways.items())) for rule, ways in sorted(outlet.crossings.items())},
        stages_ms={stage: round(1000 * spent / max(1, frames), 4) for stage, spent in stages.items()},
    )


@contextmanager
def _watcher(camera: CameraConfig, analysis: Analysis, station: Station, extras: Extras) -> Iterator[Watcher | None]:
    if extras.annotate is None and extras.record is None:
        yield None
        return
    from edge_runtime.runtime.keepsake import watching

    with watching(camera, analysis, station.bundle.manifest.labels, extras.annotate, extras.record) as watcher:
        yield watcher


@contextmanager
def _truth_kept(camera: CameraConfig, source: Footage, extras: Extras, start_wall_ns: int | None) -> Iterator[None]:
    if extras.truth is None:
        yield
        return
    from edge_runtime.sources import Truthful
    from edge_runtime.sources.sim.truthfiles import TruthFiles

    assert isinstance(source, Truthful)  # `_require_footage` refused every other
    with TruthFiles(extras.truth / camera.name, source, camera.fps, (camera.line, camera.zone), start_wall_ns or 0):
        yield


class Tally:
    """Passes events on and counts crossings, for the summary that people read. An output that refuses is `refusal`, not the lane's failure."""

    durable = False

    def __init__(self, inner: LinesOutlet) -> None:
        self._inner = inner
        self.refusal: OSError | None = None
        self.begin()

    def begin(self) -> None:
        self.events = 0
        self.crossings: dict[str, Counter[str]] = {}

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        self.events += len(events)
        for event in events:
            if event.type == "count":  # a rule without traffic is listed too
                self.crossings.setdefault(str(event.data["rule"]), Counter())[str(event.data["dir"])] += 0
            elif event.type == "crossing":
                self.crossings.setdefault(str(event.data["rule"]), Counter())[str(event.data["dir"])] += 1
        if self.refusal is None:
            try:
                self._inner.emit(events, state)
            except OSError as error:
                self.refusal = error

    def live(self, stream: str, tracks: object) -> None:
        """Footage has no live watchers."""


def _require_footage(loaded: Loaded, *, truth: bool) -> None:
    from edge_runtime.sources import SourceSpec, is_live, is_simulated

    problems = []
    for index, camera in enumerate(loaded.config.camera):
        spec = SourceSpec.of(camera)
        why = ""
        if is_live(spec.url):
            why = "a replay reads files and simulated streets only; live cameras need `run`"
        elif truth and not is_simulated(spec.url):
            why = "nobody knows what really passed in footage: --truth is for sim: sources only"
        if why:
            key = "source" if camera.substream is None else "substream"
            problems.append(loaded.problem(("camera", index, key), why, shown=repr(spec.shown)))
    if not loaded.config.camera:
        problems.append(Problem(str(loaded.config.file), 0, "", "no [[camera]]: there is nothing to replay"))
    if problems:
        raise ConfigError(problems)


def _footage_of(camera: CameraConfig) -> Iterator[bytes]:
    """All that decides what a camera's pictures are: the file, or what a street's URL asks for."""
    from edge_runtime.sources import SourceSpec, footage_path, is_simulated, street_options

    url = SourceSpec.of(camera).url
    if is_simulated(url):
        yield repr(street_options(url)).encode()
        return
    with footage_path(url).open("rb") as footage:
        while block := footage.read(1 << 20):
            yield block


def _parse_time(text: str) -> int:
    from datetime import datetime, timedelta, timezone

    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError([Problem("--start", 0, "", f"{text!r}: expected an RFC 3339 time like 2026-11-05T10:00:00Z")]) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1) * 1000
