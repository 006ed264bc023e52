"""One model beside others on the same pictures: rows of AP and recall, speed on one thread, size. What the model card quotes, from one command.

Speed is measured in turns, model after model on the same frame, and told as the median of ratios: what else the machine does meets all of them alike.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from edge_export.labelled import LEAST_HEIGHT_PX, LEAST_VISIBILITY, Labelled
from edge_export.measure import CLASSES, FLOOR, IOU, SCORE, Looked, look, rows
from edge_export.plain import planes_of
from edge_export.walk import Walk, planes_frame
from edge_runtime.infer.adopt import adopt
from edge_runtime.infer.anatomy import examine
from edge_runtime.infer.bundle import Bundle, find_bundle, load_bundle
from edge_runtime.infer.session import checked_model
from edge_runtime.manifest import Manifest
from edge_runtime.types import Json

ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle that takes part."""

    given: str  # the name of the file or folder
    manifest: Manifest
    size_bytes: int
    parameters: int
    walk: Walk

    @property
    def as_json(self) -> Json:
        return {
            "name": self.manifest.name,
            "given": self.given,
            "version": self.manifest.version,
            "model": self.manifest.sha256,
            "bytes": self.size_bytes,
            "parameters": self.parameters,
            "input": list(self.manifest.inputs[0].size),
        }


def contender(path: Path) -> Contender:
    """A bundle, or an .onnx file that is adopted as the runtime adopts it. Raises BundleError when the device would refuse it."""
    if path.suffix == ".onnx":
        with tempfile.TemporaryDirectory(prefix="edge-export-") as scratch:
            return _opened(path, load_bundle(adopt(path, Path(scratch) / "bundle")))
    return _opened(path, load_bundle(find_bundle(path, Path())))


def _opened(path: Path, bundle: Bundle) -> Contender:
    data = checked_model(bundle.model_path, bundle.manifest)
    return Contender(path.name, bundle.manifest, len(data), examine(bundle.model_path).parameters, Walk(data, bundle.manifest, FLOOR, CLASSES))


def evaluate(contenders: Sequence[Contender], sources: Mapping[str, Iterable[Labelled]]) -> tuple[Json, dict[str, list[Looked]]]:
    """The whole report, and what was seen. `sources`: pictures by where they come from, "street" or "simulated"."""
    walks = [each.walk for each in contenders]
    looked = {source: look(walks, pictures) for source, pictures in sources.items()}
    report = {
        "schema": 1,
        "models": [each.as_json for each in contenders],
        "rules": {"iou": IOU, "score": SCORE, "floor": FLOOR, "least_height_px": LEAST_HEIGHT_PX, "least_visibility": LEAST_VISIBILITY},
        "rows": {source: rows(seen, len(walks)) for source, seen in looked.items()},
        "pictures": {source: len(seen) for source, seen in looked.items()},
        "speed": speed(walks, next((seen[0].truth for seen in looked.values() if seen), None)),
        "machine": {"processor": platform.machine(), "onnxruntime": metadata.version("onnxruntime"), "python": platform.python_version()},
    }
    return report, looked


def speed(walks: Sequence[Walk], picture: Labelled | None, rounds: int = ROUNDS) -> Json:
    """Milliseconds on one thread, of inference and of the whole walk from I420 planes, and ratios to the first model's. None without a picture."""
    if picture is None:
        return None
    pixels = picture.picture()
    frame = planes_frame(planes_of(np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])))
    tensors = [np.zeros((1, 3, walk.manifest.inputs[0].size.height, walk.manifest.inputs[0].size.width), np.float32) for walk in walks]
    taken = np.zeros((rounds, len(walks), 2))
    for number in range(rounds + 5):  # the first rounds warm up
        for index, (walk, tensor) in enumerate(zip(walks, tensors, strict=True)):
            marks = [time.perf_counter_ns()]
            walk.answer(tensor)
            marks.append(time.perf_counter_ns())
            walk.see(frame)
            marks.append(time.perf_counter_ns())
            if number >= 5:
                taken[number - 5, index] = np.diff(marks) / 1e6
    middle, ratio = np.median(taken, axis=0), np.median(taken / taken[:, :1], axis=0)
    return {
        "frame": f"{frame.size.width}×{frame.size.height} I420",
        "models": [
            {
                "inference_ms": round(float(ms[0]), 3),
                "walk_ms": round(float(ms[1]), 3),
                "inference_ratio": round(float(times[0]), 3),
                "walk_ratio": round(float(times[1]), 3),
            }
            for ms, times in zip(middle, ratio, strict=True)
        ],
    }
