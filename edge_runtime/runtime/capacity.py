"""How many cameras this machine can take, and how the engine should be set for it.

For each kind of camera the whole walk (the lane of `replay`) runs over its footage with every plan worth trying, in turns with the bare
limit:

    round 1   limit · 1×1 · 1×2 · 2×1        plan = workers × threads
    round 2   limit · 1×1 · 1×2 · 2×1
    …

    cameras = seconds of footage ÷ seconds of walking · (1 − RESERVE)

`fps` of the camera is what is wanted of it, so a walk decodes what that rate needs and no more: a walk of 10 s of footage in 2 s means
five such cameras. The reserve is what a replay does not do: hand-over from the capture children, delivery, the rest of the machine.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime import measure
from edge_runtime.runtime.measure import Limit, Spread
from edge_runtime.runtime.outlet import LinesOutlet
from edge_runtime.runtime.replay import CameraSummary, Extras, Tally, replay_camera
from edge_runtime.runtime.station import Station
from edge_runtime.types import Json

if TYPE_CHECKING:
    from edge_runtime.infer.bundle import Bundle

RESERVE = 0.2
_AS_GOOD = 0.97  # a plan within 3 % of the best is as good, and the one with fewer threads is preferred
_TENSORS = 40
_PICTURES = 150  # decoded for the limit, a round

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `seconds` a walk (less where the footage is shorter), `rounds` of each."""

    seconds: float = 4.0
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """One way to run the engine: frames a second of the whole walk, CPU milliseconds a frame, the share of the limit, cameras."""

    workers: int
    threads: int
    fps: Spread
    cpu_ms: Spread
    ratio: Spread
    cameras: float

    def as_json(self) -> Json:
        """As `bench --json` prints it."""
        spreads = {"fps": self.fps.as_json(), "cpu_ms": self.cpu_ms.as_json(), "ratio": self.ratio.as_json()}
        return {"workers": self.workers, "threads": self.threads, **spreads, "cameras": round(self.cameras, 2)}


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """What was measured for one kind of camera."""

    names: tuple[str, ...]
    footage: str
    fps: float
    stages_ms: dict[str, float]
    limit_fps: Spread
    decode_ms: Spread
    infer_ms: Spread
    plans: tuple[PlanFigures, ...]

    @property
    def best(self) -> PlanFigures:
        """The fastest plan, or one as good with fewer threads."""
        enough = _AS_GOOD * max(plan.fps.median for plan in self.plans)
        good = [plan for plan in self.plans if plan.fps.median >= enough]
        return min(good, key=lambda plan: (plan.workers * plan.threads, plan.threads))

    def as_json(self) -> Json:
        """As `bench --json` prints it."""
        return {
            "cameras": list(self.names),
            "footage": self.footage,
            "fps": self.fps,
            "stages_ms": {stage: round(value, 4) for stage, value in self.stages_ms.items()},
            "limit": {"fps": self.limit_fps.as_json(), "decode_ms": self.decode_ms.as_json(), "infer_ms": self.infer_ms.as_json()},
            "plans": [plan.as_json() for plan in self.plans],
            "best": self.best.as_json(),
        }


def plans_to_try(cores: int) -> list[tuple[int, int]]:
    """(workers, threads): one thread, all cores in one session, all cores in one-thread sessions, and half and half."""
    wanted = [(1, 1), (1, cores), (cores, 1), (max(1, cores // 2), 2 if cores > 1 else 1)]
    return sorted(set(wanted), key=lambda plan: (plan[0] * plan[1], plan[1]))


def measure_camera(names: Sequence[str], camera: CameraConfig, bundle: Bundle, effort: Effort, providers: Sequence[str], tell: Tell) -> CameraFigures:
    """Measure one kind of camera, whose source is footage. Raises SourceError, BundleError, CannotStart. `tell` hears what is going on."""
    from edge_runtime.config.plan import usable_cores
    from edge_runtime.infer.engine import EnginePlan
    from edge_runtime.sources import SourceSpec, footage_path

    cores = usable_cores()
    clip = footage_path(SourceSpec.of(camera).url)
    tell("the limit")
    bare = measure.BareInference(bundle.model_path, measure.real_tensors(camera, bundle, _TENSORS))
    pictures = pictures_a_frame(camera)

    def limit() -> Limit:
        return Limit(measure.bare_decode_s(clip, _PICTURES), bare.cost_s(), cores, pictures)

    frames = max(1, round(effort.seconds * limit().fps))
    with ExitStack() as stack:
        stations = []
        for workers, threads in plans_to_try(cores):
            station = Station("bench", bundle, EnginePlan(workers, threads, tuple(providers)))
            station.open()
            stack.callback(station.close, 2.0)
            stations.append(station)
        limits: list[Limit] = []
        walks: list[list[CameraSummary]] = [[] for _ in stations]
        for number in range(1, effort.rounds + 1):
            tell(f"round {number} of {effort.rounds}: the limit")
            limits.append(limit())
            for station, into in zip(stations, walks, strict=True):
                tell(f"round {number} of {effort.rounds}: {station.plan.workers}×{station.plan.threads}")
                into.append(_walk(camera, station, frames))
    tell("each stage")
    stages = measure.stage_times_s(camera, bundle, min(frames, _PICTURES))
    return CameraFigures(
        names=tuple(names),
        footage=str(clip),
        fps=camera.fps,
        stages_ms={stage: 1000 * spent_s for stage, spent_s in stages.items()},
        limit_fps=Spread.of([each.fps for each in limits]),
        decode_ms=Spread.of([1000 * each.decode_s for each in limits]),
        infer_ms=Spread.of([1000 * each.infer_s for each in limits]),
        plans=tuple(_figures(station, walk, limits) for station, walk in zip(stations, walks, strict=True)),
    )


def pictures_a_frame(camera: CameraConfig) -> float:
    """Pictures that the footage holds for each frame that `fps` selects, by its nominal rate."""
    from edge_runtime.sources import SourceSpec, make_footage

    source = make_footage(SourceSpec.of(camera))
    source.open()
    stream_fps = source.stats().stream_fps
    source.close()
    return max(1.0, stream_fps / camera.fps) if stream_fps else 1.0


class _Quiet:
    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None:
        """Nobody watches one walk."""


def _walk(camera: CameraConfig, station: Station, frames: int) -> CameraSummary:
    from edge_runtime.present.envelope import Enveloper

    outlet = Tally(LinesOutlet(Enveloper("bench", "bench", None), io.StringIO(), "000000"))
    return replay_camera(replace(camera, live=False), station, outlet, Extras(frames=frames), _Quiet())


def _figures(station: Station, walks: Sequence[CameraSummary], limits: Sequence[Limit]) -> PlanFigures:
    return PlanFigures(
        workers=station.plan.workers,
        threads=station.plan.threads,
        fps=Spread.of([walk.frames_per_s for walk in walks]),
        cpu_ms=Spread.of([walk.cpu_ms for walk in walks]),
        ratio=Spread.of([walk.frames_per_s / limit.fps for walk, limit in zip(walks, limits, strict=True)]),
        cameras=(1 - RESERVE) * Spread.of([walk.footage_s / walk.seconds for walk in walks]).median,
    )
