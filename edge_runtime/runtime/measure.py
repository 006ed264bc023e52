"""What a frame costs: each stage alone, the bare machine's limit, and figures with their spread.

    limit  =  cores ÷ (CPU seconds a picture of bare decoding · pictures a frame  +  CPU seconds a frame of bare inference)

Bare decoding is PyAV on one thread, bare inference ONNX Runtime on one thread on real tensors: the two things that nobody can leave
out. CPU time is used wherever one thread works alone, because a neighbour on the machine lengthens wall time only. Figures are medians
over rounds; what is compared is measured in turns (A B A B), so that a machine that slows down slows down both.
"""

from __future__ import annotations

import io
import platform
import statistics
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from edge_runtime.config.schema import CameraConfig
from edge_runtime.errors import Exhausted, Unsupported
from edge_runtime.types import Frame, Json, Tracks

if TYPE_CHECKING:
    from edge_runtime.infer.bundle import Bundle

T = TypeVar("T")

STAGES = ("read", "prepare", "infer", "decode", "track", "analyse", "emit")
_PACKAGES = ("onnxruntime", "av", "numba", "numpy", "opencv-python-headless", "paho-mqtt")
_WARM_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure measured several times."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return Spread(statistics.median(values), min(values), max(values))

    def as_json(self) -> Json:
        """Rounded to what such measurements can mean."""
        return {"median": float(f"{self.median:.5g}"), "low": float(f"{self.low:.5g}"), "high": float(f"{self.high:.5g}")}


@dataclass(frozen=True, slots=True)
class Limit:
    """What bare decoding and bare inference leave possible. `pictures` are decoded for each frame that is inferred (30 a second for 10: 3).

    A walk can beat it only where the decoder may leave pictures out that nobody wants: bare decoding never does.
    """

    decode_s: float  # CPU, a picture
    infer_s: float  # CPU, a frame
    cores: int
    pictures: float = 1.0

    @property
    def frame_s(self) -> float:
        """CPU seconds that nobody can save."""
        return self.decode_s * self.pictures + self.infer_s

    @property
    def fps(self) -> float:
        """Inferred frames a second with every core busy."""
        return self.cores / self.frame_s


def alternate(rounds: int, *measures: Callable[[], T]) -> list[list[T]]:
    """Each of `measures` called `rounds` times, in turns; the results by measure."""
    results: list[list[T]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, into in zip(measures, results, strict=True):
            into.append(measure())
    return results


def machine() -> Json:
    """What the figures were measured on."""
    from edge_runtime.config.plan import usable_cores

    return {
        "cores": usable_cores(),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }


def bare_decode_s(clip: Path, pictures: int | None = None) -> float:
    """CPU seconds a picture of decoding `clip` with PyAV on one thread, doing nothing with the pictures. At most `pictures` of them."""
    import av

    with av.open(str(clip)) as container:
        if not container.streams.video:
            raise Unsupported(f"{clip}: expected a video, found none in it")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        began = time.process_time()
        count = 0
        for count, _ in enumerate(container.decode(stream), start=1):
            if count == pictures:
                break
        spent = time.process_time() - began
    if not count:
        raise Unsupported(f"{clip}: expected a video with at least one picture, found none")
    return spent / count


class BareInference:
    """ONNX Runtime on one thread with nothing around it: `cost_s` runs every tensor once."""

    def __init__(self, model: Path, tensors: Sequence[NDArray[Any]]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._tensors = tensors
        for tensor in tensors[:_WARM_FRAMES]:
            self._session.run(None, {self._input: tensor})

    def cost_s(self) -> float:
        """CPU seconds a frame."""
        began = time.process_time()
        for tensor in self._tensors:
            self._session.run(None, {self._input: tensor})
        return (time.process_time() - began) / len(self._tensors)


def frames_of(camera: CameraConfig) -> Generator[Frame, None, None]:
    """The frames that `camera.fps` selects from its footage."""
    from edge_runtime.sources import SourceSpec, make_footage

    source = make_footage(SourceSpec.of(camera))
    source.open()
    try:
        while True:
            frame = source.read(1.0)
            if frame is not None:
                yield frame
    except Exhausted:
        return
    finally:
        source.close()


def real_tensors(camera: CameraConfig, bundle: Bundle, count: int) -> list[NDArray[Any]]:
    """The model's inputs for the first `count` frames of the camera's footage."""
    from edge_runtime.prepare.preprocess import Preprocessor

    preprocess = Preprocessor(bundle.manifest.inputs[0], camera.mask)
    tensors = []
    for frame in frames_of(camera):
        buffer = preprocess.allocate()
        preprocess(frame, buffer)
        tensors.append(buffer)
        if len(tensors) == count:
            break
    if not tensors:
        raise Unsupported(f"{camera.source}: expected footage with at least one frame, found none")
    return tensors


def stage_times_s(camera: CameraConfig, bundle: Bundle, frames: int) -> dict[str, float]:
    """CPU seconds a frame of each of STAGES, one after the other on one thread, over the first `frames` frames of the camera's footage.

    "read" holds the decoding of pictures that are not selected too; "emit" is what events cost as JSON lines, spread over all frames.
    """
    from edge_runtime.infer.session import open_session
    from edge_runtime.prepare.preprocess import Preprocessor

    manifest = bundle.manifest
    watch = _Stopwatch()
    session = open_session(bundle.model_path, manifest, ("cpu",), 1)
    name = manifest.inputs[0].name
    preprocess = Preprocessor(manifest.inputs[0], camera.mask)
    buffer = preprocess.allocate()
    finish = _Finisher(camera, bundle, watch)
    incoming = frames_of(camera)
    count = 0
    while count < frames + _WARM_FRAMES:
        if count == _WARM_FRAMES:
            watch.reset()
        with watch("read"):
            frame = next(incoming, None)
        if frame is None:
            break
        with watch("prepare"):
            geometry = preprocess(frame, buffer)
        with watch("infer"):
            outputs = session.run(None, {name: buffer})
        finish(frame, outputs, geometry)
        count += 1
    incoming.close()
    if count <= _WARM_FRAMES:
        raise Unsupported(f"{camera.source}: expected more than {_WARM_FRAMES} selected frames, found {count}: too short to measure")
    return {stage: watch.spent_s.get(stage, 0.0) / (count - _WARM_FRAMES) for stage in STAGES}


class _Stopwatch:
    """CPU seconds of this process by stage."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def reset(self) -> None:
        self.spent_s.clear()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.spent_s[stage] = self.spent_s.get(stage, 0.0) + time.process_time() - began


class _Finisher:
    """From raw outputs to events, timed: what a lane's settling thread does."""

    def __init__(self, camera: CameraConfig, bundle: Bundle, watch: _Stopwatch) -> None:
        from edge_runtime.decode import make_decoder
        from edge_runtime.present.envelope import Enveloper
        from edge_runtime.runtime.analysis import Analysis
        from edge_runtime.runtime.eye import kept_labels
        from edge_runtime.runtime.outlet import LinesOutlet

        manifest = bundle.manifest
        self._decoder = make_decoder(manifest, camera.track_floor, kept_labels(camera, manifest))
        self._analysis = Analysis(camera, manifest.labels, manifest.identity)
        timed: Any = _TimedTracker(self._analysis.tracker, watch)  # stands in for it: only `step` is the stopwatch's
        self._analysis.tracker = timed
        self._outlet = LinesOutlet(Enveloper("bench", "bench", None), io.StringIO(), "000000")
        self._watch = watch

    def __call__(self, frame: Frame, outputs: list[NDArray[Any]], geometry: Any) -> None:
        with self._watch("decode"):
            detections = replace(self._decoder.decode(outputs, frame.stamp, geometry), grain_px=geometry.grain_px)
        before = self._watch.spent_s.get("track", 0.0)
        with self._watch("analyse"):
            self._analysis.resize(frame.upright)
            outcome = self._analysis.step(detections)
        self._watch.spent_s["analyse"] -= self._watch.spent_s.get("track", 0.0) - before
        with self._watch("emit"):
            self._outlet.emit(outcome.events, {})


class _TimedTracker:
    """A tracker whose steps are timed; everything else is the tracker's own."""

    def __init__(self, tracker: Any, watch: _Stopwatch) -> None:
        self._tracker = tracker
        self._watch = watch

    def step(self, detections: Any) -> Sequence[Tracks]:
        with self._watch("track"):
            tracks: Sequence[Tracks] = self._tracker.step(detections)
        return tracks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracker, name)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return named.get("model name") or named.get("Model") or platform.processor() or "unknown"
