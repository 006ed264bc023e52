"""YOLOX: anchor-free, one anchor a cell on three strides, objectness beside the classes.

One output [1, A, 5 + C], A = Σ over strides of (width ÷ stride) · (height ÷ stride), row by row, finest stride first:

    416 × 416:  52·52 (stride 8) + 26·26 (16) + 13·13 (32) = 3549 anchors
    each row:   dx dy log(w) log(h) objectness class₀ … class_C₋₁      (the sigmoids are in the graph, the grid is not)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.ports import Port, declared, printed
from edge_runtime.decode.suppress import Candidates, Suppression
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

STRIDES = (8, 16, 32)


class YoloxDecoder:
    """Decodes outputs as the YOLOX project exports them without `--decode_in_inference`."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels import boxes

        self._decode = boxes.decode_yolox
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep
        self._grid = anchor_grid(manifest.inputs[0].size)
        anchors = len(self._grid)
        self._shape = (1, anchors, 5 + len(keep))
        self._xyxy = np.empty((anchors, 4), np.float32)
        self._score = np.empty(anchors, np.float32)
        self._label = np.empty(anchors, np.int16)

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every anchor that is good enough and wanted, in the order of the rows."""
        if len(outputs) != 1 or outputs[0].shape != self._shape or outputs[0].dtype != np.float32:
            raise ValueError(f"a YOLOX output {printed(self._shape)} of float32 was expected, found {declared(outputs)}")
        raw = outputs[0]
        xyxy, score, label = self._xyxy, self._score, self._label
        found = self._decode(np.ascontiguousarray(raw[0]), self._grid, self._floor, self._keep, xyxy, score, label)
        return Candidates(xyxy[:found], score[:found], label[:found])

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """C of the one output [1, A, 5 + C]. Raises ValueError, saying why, for a model of another kind."""
        if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].dtype != "float32":
            raise ValueError(f"one output [1, anchors, 5 + classes] of float32 was expected, found {declared(outputs)}")
        batch, anchors, columns = outputs[0].shape
        expected = sum((size.width // stride) * (size.height // stride) for stride in STRIDES)
        if size.width % STRIDES[-1] or size.height % STRIDES[-1]:
            raise ValueError(f"an input of {size.width}×{size.height} is no multiple of {STRIDES[-1]}")
        if (batch, anchors) != (1, expected) or not isinstance(columns, int) or columns < 6:
            raise ValueError(f"[1, {expected}, 5 + classes] was expected for {size.width}×{size.height}, found {printed(outputs[0].shape)}")
        return columns - 5

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR as it is, letterboxed to the top left, the rest 114 (YOLOX since its version 0.1.1; older ones normalised RGB)."""
        return ImageInput(name=name, size=size, color="BGR", resize="letterbox", align="top-left", pad=114)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' demo does."""
        return Thresholds(score=0.3, iou=0.45)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when scores are no probabilities, or centres are pixels already.

        A raw centre is an offset of a few cells whatever the anchor; a decoded one lies at its cell, hundreds of pixels away for most.
        """
        raw = np.asarray(outputs[0][0], np.float64)
        if not np.isfinite(raw).all():
            raise ValueError("outputs that are not finite")
        if raw[:, 4:].min() < 0 or raw[:, 4:].max() > 1:
            raise ValueError("scores outside 0–1: the sigmoid is not in the graph; export it as the YOLOX project does")
        grid = anchor_grid(size).astype(np.float64)
        at_cell = np.abs(raw[:, :2] - grid[:, :2] * grid[:, 2:]).mean()
        if at_cell < np.abs(raw[:, :2]).mean():
            raise ValueError("boxes in pixels: it was exported with --decode_in_inference: that is family yolov5")


def anchor_grid(size: Size) -> NDArray[np.float32]:
    """[A, 3]: cell x, cell y and stride of each anchor, in the order of the output's rows."""
    levels = []
    for stride in STRIDES:
        y, x = np.mgrid[: size.height // stride, : size.width // stride]
        levels.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], axis=1))
    return np.ascontiguousarray(np.concatenate(levels), np.float32)
