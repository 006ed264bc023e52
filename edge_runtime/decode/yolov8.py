"""YOLOv8, YOLOv9, YOLO11, YOLO12 and their like: no objectness, an anchor a column.

One output [1, 4 + C, A], boxes in tensor pixels, all decoded in the graph:

    rows:   centre x, centre y, width, height, class₀ … class_C₋₁      (probabilities; each label judged for itself)

A = Σ over strides of (width ÷ stride) · (height ÷ stride), finest first. Exports for poses and turned boxes have the same shape: their further rows
would read as classes, so the number of labels does not match. Exports with `nms=True` are family yolov10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.grids import cells, grids_of
from edge_runtime.decode.ports import Port, declared, printed
from edge_runtime.decode.rows import FEW
from edge_runtime.decode.suppress import Candidates, Suppression, corners
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))


class Yolov8Decoder:
    """Decodes columns of box and classes."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels.heads import best_in_columns

        self._best = best_in_columns
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep
        size = manifest.inputs[0].size
        self._shapes = {(1, 4 + len(keep), cells(size, strides)) for strides in layouts(size)}
        most = max((anchors for *_, anchors in self._shapes), default=0)
        self._column = np.empty(most, np.int64)
        self._score = np.empty(most, np.float32)
        self._label = np.empty(most, np.int16)

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every anchor that is good enough and wanted, in the order of the columns."""
        if len(outputs) != 1 or outputs[0].shape not in self._shapes or outputs[0].dtype != np.float32:
            raise ValueError(f"an output {' or '.join(map(printed, sorted(self._shapes)))} of float32 was expected, found {declared(outputs)}")
        head = np.ascontiguousarray(outputs[0][0])
        anchors = head.shape[1]
        column, score, label = self._column[:anchors], self._score[:anchors], self._label[:anchors]
        found = self._best(head, 4, self._floor, self._keep, column, score, label)
        return Candidates(corners(head[:4, column[:found]].T), score[:found], label[:found])

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """C of the one output [1, 4 + C, A]. Raises ValueError, saying why, for a model of another kind."""
        if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].dtype != "float32":
            raise ValueError(f"one output [1, 4 + classes, anchors] of float32 was expected, found {declared(outputs)}")
        batch, rows, anchors = outputs[0].shape
        known = sorted(cells(size, strides) for strides in layouts(size))
        if batch != 1 or anchors not in known or not isinstance(rows, int) or rows < 5:
            raise ValueError(
                f"[1, 4 + classes, anchors] with {' or '.join(map(str, known)) or 'some'} anchors was expected for {size.width}×{size.height}, "
                f"found {printed(outputs[0].shape)}"
            )
        return rows - 4

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, letterboxed to the centre, the rest 114."""
        return ImageInput(name=name, size=size, color="RGB", resize="letterbox", align="center", pad=114, scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' `predict` does."""
        return Thresholds(score=0.25, iou=0.7)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when scores are no probabilities, or boxes no pixels.

        In pixels a box lies near its anchor's cell, for most hundreds of pixels away from the corner; as offsets or fractions it does not.
        """
        head = np.asarray(outputs[0][0], np.float64)
        if not np.isfinite(head).all():
            raise ValueError("outputs that are not finite")
        if head[4:].min() < 0 or head[4:].max() > 1:
            raise ValueError("scores outside 0–1: the sigmoid is not in the graph, or it is no detector of boxes that stand upright")
        if np.mean(head[2:4] < 0) > FEW:
            raise ValueError("sizes below 0: its boxes are not decoded in the graph")
        strides = next(each for each in layouts(size) if cells(size, each) == head.shape[1])
        centres = np.concatenate([grid.centres for grid in grids_of(size, strides)]).T
        if np.abs(head[:2] - centres).mean() >= np.abs(head[:2]).mean():
            raise ValueError("centres that do not lie at their cells: its boxes are not in pixels")


def layouts(size: Size) -> list[tuple[int, ...]]:
    """The strides that the family has and this size can have."""
    return [each for each in STRIDES if not (size.width % each[-1] or size.height % each[-1])]
