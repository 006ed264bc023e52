"""SSD with its decode in the graph, as the PyTorch projects around MobileNet-SSD and UltraFace export it.

Two outputs, N priors:

    scores [1, N, 1 + C], a softmax whose first column is the background      boxes [1, N, 4] x1, y1, x2, y2 as fractions of the tensor
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.pairs import columns_in, told_apart
from edge_runtime.decode.ports import Port
from edge_runtime.decode.suppress import Candidates, Suppression
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp


class SsdDecoder:
    """Decodes priors whose boxes are worked out already."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels.heads import best_in_rows

        self._best = best_in_rows
        self._extent = np.array([*manifest.inputs[0].size] * 2, np.float32)
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every prior that is good enough and wanted. A prior says its best label, background aside."""
        scores, boxes = told_apart(outputs, 1 + len(self._keep))
        priors = scores.shape[1]
        row, score, label = np.empty(priors, np.int64), np.empty(priors, np.float32), np.empty(priors, np.int16)
        found = self._best(np.ascontiguousarray(scores[0]), 1, -1, self._floor, self._keep, row, score, label)
        with np.errstate(over="ignore"):
            return Candidates(boxes[0, row[:found]] * self._extent, score[:found], label[:found])

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:  # noqa: ARG004 - any size
        """C of scores [1, N, 1 + C]. Raises ValueError, saying why, for a model of another kind."""
        columns = columns_in(outputs)
        if columns < 2:
            raise ValueError("scores of the background and at least one class were expected, found one column")
        return columns - 1

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from about -1 to 1, stretched."""
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What UltraFace's demo does."""
        return Thresholds(score=0.7, iou=0.3)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when scores are no softmax, or boxes no corners as fractions."""
        scores, boxes = (np.asarray(each[0], np.float64) for each in told_apart(outputs))
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            raise ValueError("outputs that are not finite")
        if scores.min() < 0 or np.abs(scores.sum(axis=1) - 1).max() > 1e-2:
            raise ValueError("scores that do not add up to 1: they are no softmax")
        if np.mean((boxes[:, 2:] < boxes[:, :2]).any(axis=1)) > 0.01:
            raise ValueError("boxes whose second corner lies before the first: their decode is not in the graph")
        if np.abs(boxes).max() > 4:
            raise ValueError("boxes in pixels, no fractions of the tensor")
