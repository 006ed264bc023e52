"""`check --online`: every camera, model and broker of a config is tried for real, side by side, each within its limit.

    camera    open, one frame, close               10 s    one thread each
    model     load, warm up, goldens              150 s    one after the other: each takes the whole machine
    broker    connect, publish, receive an echo    10 s    one thread

Nothing is published but the echo, and nothing is written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.config.check import bundle_of
from edge_runtime.config.plan import Plan
from edge_runtime.config.schema import CameraConfig, Config, ModelConfig
from edge_runtime.config.topics import echo_topic
from edge_runtime.errors import CannotStart, EdgeError
from edge_runtime.types import Json

if TYPE_CHECKING:
    from edge_runtime.sources import FrameSource
    from edge_runtime.types import Frame

CAMERA_S = 10.0
BROKER_S = 10.0
MODEL_S = 150.0
GRACE_S = 5.0  # for closing what was opened


@dataclass(frozen=True, slots=True)
class Finding:
    """How one trial went. `says` is what was found, or what is wrong and what to do; `cause` one word for that (a broker's: link.CAUSES)."""

    kind: str
    name: str
    ok: bool
    says: str
    seconds: float
    cause: str = ""

    def as_json(self) -> Json:
        """As `check --online --json` prints it."""
        return asdict(self)


class Trial(NamedTuple):
    """One thing to try: `attempt` returns what was found, or raises EdgeError with what is wrong."""

    kind: str
    name: str
    attempt: Callable[[], str]


def try_all(config: Config, plan: Plan, tell: Callable[[Finding], None]) -> list[Finding]:
    """Try everything; `tell` hears of each as it ends. One finding for each camera, each used model and the broker, in that order."""
    used = {camera.model for camera in config.camera}
    cameras = [Trial("camera", camera.name, partial(try_camera, camera)) for camera in config.camera]
    models = [Trial("model", model.name, partial(try_model, config, model, plan)) for model in config.model if model.name in used]
    broker = Trial("broker", config.mqtt.url, partial(try_broker, config, plan))
    limit_s = max(BROKER_S, CAMERA_S, MODEL_S * len(models)) + GRACE_S
    return try_rows([*([camera] for camera in cameras), models, [broker]], limit_s, tell)


def try_rows(rows: Sequence[Sequence[Trial]], limit_s: float, tell: Callable[[Finding], None]) -> list[Finding]:
    """Rows side by side, the trials of one row one after the other. What has not ended after `limit_s` is a finding too, and is left behind."""
    found: SimpleQueue[Finding] = SimpleQueue()
    for row in rows:
        # Nobody waits for these threads: a trial that hangs must not keep the command from ending.
        threading.Thread(target=_try_row, args=(row, found), name="try", daemon=True).start()
    names = [(trial.kind, trial.name) for row in rows for trial in row]
    done: dict[tuple[str, str], Finding] = {}
    end_s = time.monotonic() + limit_s
    while len(done) < len(names):
        try:
            finding = found.get(timeout=max(0.0, end_s - time.monotonic()))
        except Empty:
            break
        done[finding.kind, finding.name] = finding
        tell(finding)
    for kind, name in names:
        if (kind, name) not in done:
            done[kind, name] = Finding(kind, name, False, f"did not end within {limit_s:g} s and was left behind", limit_s)
            tell(done[kind, name])
    return [done[name] for name in names]


def try_camera(camera: CameraConfig) -> str:
    """What the camera sends. Raises SourceError; CannotStart when it is open and sends nothing."""
    from edge_runtime.sources import SourceSpec, make_source

    spec = SourceSpec.of(camera)
    source = make_source(spec)
    began = time.monotonic()
    try:
        source.open()
        frame = _first_frame(source, began + CAMERA_S)
        if frame is None:
            raise CannotStart(f"{spec.shown}: open, but no picture within {CAMERA_S:.0f} s: look at the camera's own page, and at the stream's path")
        width, height = frame.upright
        frame.release()
        info = source.describe()
    finally:
        source.close()
    rate = f", {info.fps:g} frames/s" if info is not None and info.fps else ""
    codec = f"{info.codec} " if info is not None else ""
    note = f" ({info.note})" if info is not None and info.note else ""
    return f"{codec}{width}×{height}{rate}, first picture after {time.monotonic() - began:.1f} s{note}"


def try_model(config: Config, model: ModelConfig, plan: Plan) -> str:
    """How loading went. Raises BundleError, CannotStart."""
    from edge_runtime.runtime.station import Station

    station = Station(model.name, bundle_of(config, model), plan.engines[model.name])
    try:
        station.open()
    finally:
        station.close(GRACE_S)
    engine = plan.engines[model.name]
    proven = "goldens reproduced" if station.bundle.manifest.golden is not None else "no goldens to prove it on"
    return f"{station.bundle.manifest.identity}, {engine.workers}×{engine.threads} on {', '.join(engine.providers)}, {proven}"


def try_broker(config: Config, plan: Plan) -> str:
    """How the echo went. Raises ProbeFailed."""
    from edge_runtime.deliver.probe import probe

    topic = echo_topic(config)
    seconds = probe(config.mqtt, f"{plan.client_id}-check", topic, BROKER_S)
    return f"MQTT {config.mqtt.protocol}, echo of {topic} after {1000 * seconds:.0f} ms"


def _first_frame(source: FrameSource, end_s: float) -> Frame | None:
    while (left_s := end_s - time.monotonic()) > 0:
        frame = source.read(min(0.5, left_s))
        if frame is not None:
            return frame
    return None


def _try_row(row: Sequence[Trial], found: SimpleQueue[Finding]) -> None:
    for trial in row:
        began = time.monotonic()
        cause = ""
        try:
            ok, says = True, trial.attempt()
        except EdgeError as error:
            ok, says, cause = False, str(error), getattr(error, "cause", "")
        except Exception as error:  # noqa: BLE001 - a trial that breaks is a finding, and must not silence the others
            ok, says = False, f"unexpected {type(error).__name__}: {error}"
        found.put(Finding(trial.kind, trial.name, ok, says, round(time.monotonic() - began, 2), cause))
