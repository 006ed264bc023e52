"""YuNet: faces, one anchor a cell on three strides (Wu et al., YuNet, Machine Intelligence Research 2023; OpenCV's FaceDetectorYN).

Twelve outputs, four a stride, each [1, N, …] with N = (width ÷ stride) · (height ÷ stride), row by row:

    cls [1, N, 1]      obj [1, N, 1]      bbox [1, N, 4] dx dy log(w) log(h)      kps [1, N, 10], five points of the face: not looked at

    score = √(cls · obj), each cut to 0–1      centre = (cell + d) · stride      size = exp(log size) · stride
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.grids import Grid, cells, grids_of
from edge_runtime.decode.ports import Outputs, Port, Wanted, places
from edge_runtime.decode.rows import chosen
from edge_runtime.decode.suppress import Candidates, Suppression, corners
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

STRIDES = (8, 16, 32)
MOST_LOG = 8.0  # a face of e⁸ cells is larger than any picture


class YunetDecoder:
    """Decodes one label. One column a stride has to be looked at: NumPy is fast enough."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        size = manifest.inputs[0].size
        self._outputs = Outputs(wanted(size))
        self._grids = list(grids_of(size, STRIDES))
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every cell that is good enough, finest stride first."""
        arranged = self._outputs(outputs)
        levels = [self._level(grid, *kinds) for grid, *kinds in zip(self._grids, arranged[0:3], arranged[3:6], arranged[6:9], strict=True)]
        xyxy, score = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        return chosen(xyxy, score, np.zeros(len(score), np.int16), self._floor, self._keep)

    def _level(self, grid: Grid, face: NDArray[Any], objectness: NDArray[Any], box: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Boxes and scores of one stride's cells that may be good enough."""
        product = np.clip(face[0, :, 0], 0, 1) * np.clip(objectness[0, :, 0], 0, 1)
        cell = np.flatnonzero(product >= np.float32(self._floor * self._floor * (1 - 1e-5)))  # the square root rounds
        stride = np.float32(grid.stride)
        with np.errstate(over="ignore", invalid="ignore"):
            near = box[0, cell]
            centre = (near[:, :2] + grid.cells[cell]) * stride
            return corners(np.concatenate([centre, np.exp(near[:, 2:]) * stride], axis=1)), np.sqrt(product[cell])

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """1. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, wanted(size))
        return 1

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR as it is, letterboxed to the top left, the rest 0: OpenCV lets the size vary and fills up to a multiple of 32."""
        return ImageInput(name=name, size=size, color="BGR", resize="letterbox", align="top-left", pad=0)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What OpenCV's FaceDetectorYN does, but for the score: 0.9 there, for faces to be recognised."""
        return Thresholds(score=0.6, iou=0.3)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when scores are no probabilities, or boxes pixels already."""
        arranged = [np.asarray(outputs[index][0], np.float64) for index in places(outputs, wanted(size))]
        if not all(np.isfinite(each).all() for each in arranged):
            raise ValueError("outputs that are not finite")
        if min(each.min() for each in arranged[:6]) < 0 or max(each.max() for each in arranged[:6]) > 1:
            raise ValueError("scores outside 0–1: the sigmoid is not in the graph")
        if max(each[:, 2:].max() for each in arranged[6:9]) > MOST_LOG:
            raise ValueError("sizes in pixels: boxes are decoded in the graph")


def wanted(size: Size) -> list[Wanted]:
    """Face, objectness, box and points, each of all strides; the first two may change places, only their product is looked at."""
    return [Wanted("float32", (1, cells(size, (stride,)), columns)) for columns in (1, 1, 4, 10) for stride in STRIDES]
