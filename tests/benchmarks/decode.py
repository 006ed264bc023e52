"""Decoding: ours against what most people write, on the model's real outputs for frames of a busy road. CPU time of one thread, in turns.

    python -m tests.benchmarks.decode [--frames 100] [--rounds 15] [--json]

ours    the decoder as a lane uses it: one pass in Numba, suppression by label and across labels, back to source pixels
vector  careful NumPy: grids made once, all anchors at once, cv2.dnn.NMSBoxesBatched by label
demo    as YOLOX's own ONNX demo does it: grids made for each frame, a NumPy suppression for each label

All three keep scores from 0.1 and suppress from 0.45. The times of a round are those of all frames; the figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.conftest import material_root

FLOOR, IOU = 0.1, 0.45
STRIDES = (8, 16, 32)

Boxes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class Vector:
    """NumPy over all anchors, grids made once."""

    def __init__(self, side: int, ratio: float) -> None:
        self.ratio = ratio
        self.grid, self.stride = grids(side)

    def __call__(self, raw: NDArray[np.float32]) -> Boxes:
        predictions = raw[0]
        scores = predictions[:, 4:5] * predictions[:, 5:]
        classes = scores.argmax(1)
        best = scores[np.arange(len(classes)), classes]
        wanted = best > FLOOR
        predictions, best, classes = predictions[wanted], best[wanted], classes[wanted]
        centre = (predictions[:, :2] + self.grid[wanted]) * self.stride[wanted]
        size = np.exp(predictions[:, 2:4]) * self.stride[wanted]
        boxes = np.concatenate([centre - size / 2, size], 1) / self.ratio
        kept = np.array(cv2.dnn.NMSBoxesBatched(boxes, best, classes, FLOOR, IOU), int).reshape(-1)
        boxes = boxes[kept]
        boxes[:, 2:] += boxes[:, :2]
        return boxes, best[kept], classes[kept]


class Demo:
    """The steps of YOLOX's demo: decode everything, then by label a NumPy suppression."""

    def __init__(self, side: int, ratio: float) -> None:
        self.side, self.ratio = side, ratio

    def __call__(self, raw: NDArray[np.float32]) -> Boxes:
        outputs = raw  # in place, as the demo does
        grid, stride = grids(self.side)
        outputs[..., :2] = (outputs[..., :2] + grid) * stride
        outputs[..., 2:4] = np.exp(outputs[..., 2:4]) * stride
        predictions = outputs[0]
        boxes, scores = predictions[:, :4], predictions[:, 4:5] * predictions[:, 5:]
        corners = np.ones_like(boxes)
        corners[:, :2] = boxes[:, :2] - boxes[:, 2:4] / 2.0
        corners[:, 2:] = boxes[:, :2] + boxes[:, 2:4] / 2.0
        corners /= self.ratio
        found: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        for label in range(scores.shape[1]):
            good = scores[:, label] > FLOOR
            if good.sum():
                kept = plain_nms(corners[good], scores[good, label])
                found.append((corners[good][kept], scores[good, label][kept], np.full(len(kept), label)))
        if not found:
            return np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))  # type: ignore[return-value]


def plain_nms(boxes: NDArray[Any], scores: NDArray[Any]) -> list[int]:
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    order, kept = scores.argsort()[::-1], []
    while order.size > 0:
        first, others = order[0], order[1:]
        kept.append(int(first))
        width = np.maximum(0.0, np.minimum(x2[first], x2[others]) - np.maximum(x1[first], x1[others]) + 1)
        height = np.maximum(0.0, np.minimum(y2[first], y2[others]) - np.maximum(y1[first], y1[others]) + 1)
        shared = width * height
        order = others[shared / (areas[first] + areas[others] - shared) <= IOU]
    return kept


def grids(side: int) -> tuple[NDArray[Any], NDArray[Any]]:
    cells, strides = [], []
    for stride in STRIDES:
        x, y = np.meshgrid(np.arange(side // stride), np.arange(side // stride))
        cells.append(np.stack((x, y), 2).reshape(-1, 2))
        strides.append(np.full((len(cells[-1]), 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def real_outputs(folder: Path, frames: int) -> tuple[Any, Any, list[NDArray[np.float32]]]:
    """The model's manifest, the geometry, and its raw outputs for evenly spread frames."""
    from edge_runtime.infer.adopt import adopt
    from edge_runtime.infer.bundle import load_bundle
    from edge_runtime.infer.session import open_session
    from edge_runtime.prepare.preprocess import Preprocessor
    from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp

    with tempfile.TemporaryDirectory() as scratch:
        bundle = load_bundle(adopt(folder / "models/yolox_nano/yolox_nano_416x416.onnx", Path(scratch) / "bundle"))
        session = open_session(bundle.model_path, bundle.manifest, ("cpu",), 1)
    preprocess = Preprocessor(bundle.manifest.inputs[0], ())
    buffer = preprocess.allocate()
    clip = cv2.VideoCapture(str(folder / "videos/busy_road/busy_road.mp4"))
    step = max(1, int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) // frames)
    outputs: list[NDArray[np.float32]] = []
    number, geometry = 0, None
    while len(outputs) < frames and clip.grab():
        if number % step == 0:
            picture = clip.retrieve()[1]
            frame = Frame(Stamp("x", number, 0, 0), (picture,), PixelFormat.BGR24, ColorSpec(), Size(picture.shape[1], picture.shape[0]))
            geometry = preprocess(frame, buffer)
            outputs.append(session.run(None, {bundle.manifest.inputs[0].name: buffer})[0])
        number += 1
    clip.release()
    return bundle.manifest, geometry, outputs


def measure(ways: dict[str, Callable[[NDArray[np.float32]], Any]], outputs: Sequence[NDArray[np.float32]], rounds: int) -> dict[str, float]:
    """Median CPU seconds a frame of each way; the ways take turns, so that a busy machine is busy for all."""
    fresh = np.empty_like(outputs[0])
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            sum_ns = 0
            for raw in outputs:
                np.copyto(fresh, raw)  # as right after an inference: written a moment ago
                began_ns = time.thread_time_ns()
                way(fresh)
                sum_ns += time.thread_time_ns() - began_ns
            if turn:  # the first is for warming up
                spent[name].append(sum_ns / 1e9 / len(outputs))
    return {name: float(np.median(times)) for name, times in spent.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.decode", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    folder = material_root()
    if folder is None:
        print("no material here: set EDGE_RUNTIME_MATERIAL to its folder", file=sys.stderr)
        return 3
    from edge_runtime.decode import make_decoder
    from edge_runtime.types import Stamp

    cv2.setNumThreads(1)
    manifest, geometry, outputs = real_outputs(folder, args.frames)
    decoder, stamp = make_decoder(manifest, FLOOR, None, IOU), Stamp("x", 0, 0, 0)
    side, ratio = manifest.inputs[0].size.width, geometry.scale[0]
    ways = {"ours": lambda raw: decoder.decode([raw], stamp, geometry), "vector": Vector(side, ratio), "demo": Demo(side, ratio)}
    boxes = {name: float(np.mean([len(_scores(way(raw.copy()))) for raw in outputs])) for name, way in ways.items()}
    seconds = measure(ways, outputs, args.rounds)
    ratios = {name: seconds[name] / seconds["ours"] for name in ("vector", "demo")}
    if args.json:
        print(json.dumps({"frames": len(outputs), "boxes": boxes, "ms": {name: 1000 * each for name, each in seconds.items()}, "ratio": ratios}))
        return 0
    print(f"{len(outputs)} frames of a busy road, CPU time of one thread, median of {args.rounds} rounds")
    for name, each in seconds.items():
        print(f"  {name:8}{1000 * each:8.3f} ms a frame   {boxes[name]:5.1f} boxes   {each / seconds['ours']:6.1f} × ours")
    return 0


def _scores(found: Any) -> Any:
    return found[1] if isinstance(found, tuple) else found.score


if __name__ == "__main__":
    sys.exit(main())
