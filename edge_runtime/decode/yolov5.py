"""YOLOv5 and what came to look like it: YOLOv3, YOLOv6, YOLOv7, and YOLOX exported with `--decode_in_inference`.

One output [1, A, 5 + C], boxes in tensor pixels, all decoded in the graph:

    each row:   centre x, centre y, width, height, objectness, class₀ … class_C₋₁

A = Σ over strides of (width ÷ stride) · (height ÷ stride), finest first; three times that where a cell has anchors of three shapes (a stride's grid,
then the same again for the next shape). Exports of 2020 and 2021 have the maps that it was made of as further outputs [1, 3, h, w, 5 + C]: they are
not looked at.
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

SHAPES = (3, 1)  # anchors a cell


class Yolov5Decoder:
    """Decodes rows of box, objectness and classes."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels.heads import best_in_rows

        self._best = best_in_rows
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep
        size = manifest.inputs[0].size
        self._shapes = {(1, repeat * cells(size, strides), 5 + len(keep)) for repeat, strides in layouts(size)}
        most = max((anchors for _, anchors, _ in self._shapes), default=0)
        self._row = np.empty(most, np.int64)
        self._score = np.empty(most, np.float32)
        self._label = np.empty(most, np.int16)

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every anchor that is good enough and wanted, in the order of the rows."""
        head = next((output for output in outputs if output.shape in self._shapes and output.dtype == np.float32), None)
        if head is None:
            raise ValueError(f"an output {' or '.join(map(printed, sorted(self._shapes)))} of float32 was expected, found {declared(outputs)}")
        rows = np.ascontiguousarray(head[0])
        found = self._best(rows, 5, 4, self._floor, self._keep, self._row, self._score, self._label)
        return Candidates(corners(rows[self._row[:found], :4]), self._score[:found], self._label[:found])

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """C of the one output [1, A, 5 + C]. Raises ValueError, saying why, for a model of another kind."""
        heads = [output for output in outputs if len(output.shape) != 5]
        if len(heads) != 1 or len(heads[0].shape) != 3 or heads[0].dtype != "float32":
            raise ValueError(f"one output [1, anchors, 5 + classes] of float32 was expected, found {declared(outputs)}")
        batch, anchors, columns = heads[0].shape
        if any(output.shape[-1] != columns for output in outputs):
            raise ValueError(f"maps with {columns} columns were expected beside it, found {declared(outputs)}")
        known = sorted(repeat * cells(size, strides) for repeat, strides in layouts(size))
        if batch != 1 or anchors not in known or not isinstance(columns, int) or columns < 6:
            raise ValueError(
                f"[1, anchors, 5 + classes] with {' or '.join(map(str, known)) or 'some'} anchors was expected for {size.width}×{size.height}, "
                f"found {printed(heads[0].shape)}"
            )
        return columns - 5

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, letterboxed to the centre, the rest 114."""
        return ImageInput(name=name, size=size, color="RGB", resize="letterbox", align="center", pad=114, scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' `detect.py` does."""
        return Thresholds(score=0.25, iou=0.45)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when scores are no probabilities, or boxes no pixels.

        In pixels a box lies near its anchor's cell, for most hundreds of pixels away from the corner; as offsets or fractions it does not.
        """
        head = np.asarray(next(output for output in outputs if output.ndim == 3)[0], np.float64)
        if not np.isfinite(head).all():
            raise ValueError("outputs that are not finite")
        if head[:, 4:].min() < 0 or head[:, 4:].max() > 1:
            raise ValueError("scores outside 0–1: the sigmoid is not in the graph")
        if np.mean(head[:, 2:4] < 0) > FEW:
            raise ValueError("sizes below 0: its boxes are not decoded in the graph")
        repeat, strides = next(each for each in layouts(size) if each[0] * cells(size, each[1]) == len(head))
        centres = np.concatenate([np.tile(grid.centres, (repeat, 1)) for grid in grids_of(size, strides)])
        if np.abs(head[:, :2] - centres).mean() >= np.abs(head[:, :2]).mean():
            raise ValueError("centres that do not lie at their cells: its boxes are not in pixels")


def layouts(size: Size) -> list[tuple[int, tuple[int, ...]]]:
    """Anchors a cell and strides of the layouts that the family has and this size can have."""
    strides = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32))
    return [(repeat, each) for each in strides for repeat in SHAPES if not (size.width % each[-1] or size.height % each[-1])]
