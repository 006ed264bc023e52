"""FastestDet: one stride, a cell a column of a map.

One output [1, 5 + C, H, W], H and W a sixteenth of the tensor's:

    channels:   objectness, x, y, width, height, class₀ … class_C₋₁      (objectness and classes are probabilities in the graph, the box is not)

    score = objectness^0.6 · class^0.4      centre = (cell + tanh(x, y)) · stride      size = sigmoid(width, height) · the tensor's
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.ports import Outputs, Port, Wanted, places, printed
from edge_runtime.decode.rows import chosen
from edge_runtime.decode.suppress import Candidates, Suppression, corners
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

STRIDE = 16
OBJECTNESS, CLASS = 0.6, 0.4  # powers


class FastestDetDecoder:
    """Decodes a map of some hundred cells: NumPy is fast enough once the objectness has told most of them away."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        self._size = manifest.inputs[0].size
        self._outputs = Outputs(wanted(self._size, 5 + len(keep)))
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep
        self._least = np.float32(floor ** (1 / OBJECTNESS) * (1 - 1e-5))  # no class exceeds 1; a little lower, for what rounding takes

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every cell that is good enough and wanted, row by row."""
        (head,) = self._outputs(outputs)
        _, channels, _, across = head.shape
        flat = head[0].reshape(channels, -1)
        cell = np.flatnonzero(flat[0] >= self._least)
        picked = flat[:, cell]
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number gives no box
            label = picked[5:].argmax(axis=0)
            score = picked[0] ** np.float32(OBJECTNESS) * picked[5:][label, np.arange(len(cell))] ** np.float32(CLASS)
            centre = (np.stack([cell % across, cell // across]).astype(np.float32) + np.tanh(picked[1:3])) * np.float32(STRIDE)
            extent = np.array(self._size, np.float32)[:, None] / (np.float32(1) + np.exp(-picked[3:5]))
        return chosen(corners(np.concatenate([centre, extent]).T), score, label, self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """C of the one output [1, 5 + C, H, W]. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, wanted(size, None))
        channels = outputs[0].shape[1]
        if not isinstance(channels, int) or channels < 6:
            raise ValueError(f"[1, 5 + classes, rows, columns] was expected, found {printed(outputs[0].shape)}")
        return channels - 5

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR from 0 to 1, stretched."""
        return ImageInput(name=name, size=size, color="BGR", resize="stretch", scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' `test.py` does, but for the score: 0.65 there, for pictures to look at."""
        return Thresholds(score=0.4, iou=0.45)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004 - the shape was looked at
        """Raises ValueError when objectness and classes are no probabilities."""
        head = np.asarray(outputs[0][0], np.float64)
        if not np.isfinite(head).all():
            raise ValueError("outputs that are not finite")
        chances = np.concatenate([head[:1], head[5:]])
        if chances.min() < 0 or chances.max() > 1:
            raise ValueError("objectness or classes outside 0–1: they are no probabilities")


def wanted(size: Size, channels: int | None) -> list[Wanted]:
    """The one output for a tensor of `size`."""
    return [Wanted("float32", (1, channels, size.height // STRIDE, size.width // STRIDE))]
