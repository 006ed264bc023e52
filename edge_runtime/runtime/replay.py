"""Recorded footage through the same lanes as the daemon's, without drops and without clocks: same input, config and plan, same bytes.

Cameras are replayed one after the other in the order of the config, so that the output does not depend on how threads interleave.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from edge_runtime.clock import FakeClock
from edge_runtime.config.schema import CameraConfig, Config
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Lane, Watcher
from edge_runtime.runtime.outlet import LinesOutlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.station import Station, cache_kernels
from edge_runtime.types import Event, Json


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


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """How one camera's replay went. Seconds exclude loading the model; stage times are sums over frames."""

    name: str
    frames: int
    seconds: float
    frames_per_s: float
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


def replay(config_file: Path, overrides: Sequence[str], out: TextIO, extras: Extras, progress: Progress) -> Summary:
    """Replay every camera of the config. Raises ConfigError, BundleError, CannotStart, SourceError."""
    began = time.perf_counter()
    cache_kernels()
    from edge_runtime.config.check import make_plan, require_sound
    from edge_runtime.config.load import load
    from edge_runtime.present.envelope import Enveloper

    loaded = load(config_file, overrides)
    require_sound(loaded)
    config = loaded.config
    _require_footage(config)
    start_wall_ns = _parse_time(extras.start) if extras.start else None
    epoch = _epoch(config, config_file, overrides)
    outlet = _Tally(LinesOutlet(Enveloper(config.device.site, config.device.node, config.device.location), out, epoch))
    summary = Summary()
    with ExitStack() as stack:
        stations = open_stations(config, make_plan(config).engines)
        for station in stations.values():
            stack.callback(station.close, 2.0)
        summary.startup_s = round(time.perf_counter() - began, 3)
        for camera in config.camera:
            summary.cameras.append(_replay_camera(camera, stations[camera.model], outlet, extras, progress, start_wall_ns))
    return summary


def open_stations(config: Config, plans: Mapping[str, object]) -> dict[str, Station]:
    """Every model that a camera uses, loaded. Closes what it opened when one fails."""
    from edge_runtime.config.check import bundle_of
    from edge_runtime.infer.engine import EnginePlan

    used = {camera.model for camera in config.camera}
    stations: dict[str, Station] = {}
    try:
        for model in config.model:
            if model.name not in used:
                continue
            plan = plans[model.name]
            assert isinstance(plan, EnginePlan)
            station = Station(model.name, bundle_of(config, model), plan)
            stations[model.name] = station
            station.open()
    except BaseException:
        for station in stations.values():
            station.close(1.0)
        raise
    return stations


def _replay_camera(
    camera: CameraConfig, station: Station, outlet: _Tally, extras: Extras, progress: Progress, start_wall_ns: int | None
) -> CameraSummary:
    from edge_runtime.sources import SourceSpec, make_footage

    source = make_footage(SourceSpec.of(camera), start_wall_ns=start_wall_ns)
    analysis = Analysis(camera, station.bundle.manifest.labels, station.bundle.manifest.identity)
    outlet.begin()
    with _watcher(camera, analysis, station, extras) as watcher:
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
        analysis.stream_fps = lambda: source.stats().stream_fps
        began = time.perf_counter()
        lane.start()
        try:
            while not lane.join(0.2):
                done = lane.counters.processed
                progress.update(camera.name, done, source.expected_frames, done / (time.perf_counter() - began))
        except BaseException:
            lane.stop(5.0)
            raise
        seconds = time.perf_counter() - began
    if lane.failure is not None:
        raise lane.failure
    count = lane.counters
    stages = {"read": count.read_s, "prepare": count.prepare_s, "decode": count.decode_s, "analyse": count.analyse_s}
    return CameraSummary(
        name=camera.name,
        frames=count.processed,
        seconds=round(seconds, 4),
        frames_per_s=round(count.processed / seconds, 2),
        events=outlet.events,
        totals={rule: dict(sorted(ways.items())) for rule, ways in sorted(outlet.crossings.items())},
        stages_ms={stage: round(1000 * spent / max(1, count.processed), 4) for stage, spent in stages.items()},
    )


@contextmanager
def _watcher(camera: CameraConfig, analysis: Analysis, station: Station, extras: Extras) -> Iterator[Watcher | None]:
    if extras.annotate is None and extras.record is None:
        yield None
        return
    from edge_runtime.runtime.keepsake import watching

    with watching(camera, analysis, station.bundle.manifest.labels, extras.annotate, extras.record) as watcher:
        yield watcher


class _Tally:
    """Passes events on and counts crossings, for the summary that people read."""

    durable = False

    def __init__(self, inner: LinesOutlet) -> None:
        self._inner = inner
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
        self._inner.emit(events, state)

    def live(self, stream: str, tracks: object) -> None:
        """Footage has no live watchers."""


def _require_footage(config: Config) -> None:
    from edge_runtime.sources import is_live, redact

    problems = [
        Problem(
            str(config.file), 0, f'camera "{camera.name}"', f"source = {redact(camera.source)!r}: replay reads files only; live cameras need `run`"
        )
        for camera in config.camera
        if is_live(camera.source)
    ]
    if not config.camera:
        problems.append(Problem(str(config.file), 0, "", "no [[camera]]: there is nothing to replay"))
    if problems:
        raise ConfigError(problems)


def _parse_time(text: str) -> int:
    from datetime import datetime, timezone

    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ConfigError([Problem("--start", 0, "", f"{text!r}: expected an RFC 3339 time like 2026-11-05T10:00:00Z")]) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _epoch(config: Config, config_file: Path, overrides: Sequence[str]) -> str:
    """Six hex digits that change when the config or any footage does: the `id`s of a replay say what they were made from."""
    from edge_runtime.sources import footage_path

    digest = hashlib.sha256(config_file.read_bytes())
    for override in overrides:
        digest.update(override.encode() + b"\0")
    for camera in config.camera:
        with footage_path(camera.source).open("rb") as footage:
            while block := footage.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:6]
