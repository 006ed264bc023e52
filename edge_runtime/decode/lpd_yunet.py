"""LPD-YuNet: number plates, SSD's priors with nothing of the decode in the graph (opencv_zoo, license_plate_detection_yunet).

Three outputs, P priors in the order of strides, rows, columns and sizes:

    loc [P, 14]      conf [P, 2], a softmax, the background first      iou [P, 1]

    score = √(conf₁ · iou cut to 0–1)      corner = centre of the prior + 0.1 · loc · size of the prior

Columns 4:6, 6:8, 10:12 and 12:14 of loc are a plate's four corners, as it stands in the picture; the box is what holds them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.ports import Outputs, Port, Wanted, places
from edge_runtime.decode.rows import chosen
from edge_runtime.decode.suppress import Candidates, Suppression
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

PRIORS = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
"""Stride -> sides of its square priors, tensor pixels."""

VARIANCE = 0.1
CORNERS = [4, 5, 6, 7, 10, 11, 12, 13]


class LpdYunetDecoder:
    """Decodes one label. One column has to be looked at: NumPy is fast enough."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        self._priors = priors(manifest.inputs[0].size)
        self._outputs = Outputs(wanted(manifest.inputs[0].size))
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every prior that is good enough, in their order."""
        loc, conf, iou = self._outputs(outputs)
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number gives no box
            product = conf[:, 1] * np.clip(iou[:, 0], 0, 1)
            row = np.flatnonzero(product >= np.float32(self._floor * self._floor * (1 - 1e-5)))  # the square root rounds
            prior = self._priors[row]
            corner = prior[:, None, :2] + np.float32(VARIANCE) * loc[row[:, None], CORNERS].reshape(-1, 4, 2) * prior[:, None, 2:]
            score = np.sqrt(product[row])
        return chosen(np.concatenate([corner.min(axis=1), corner.max(axis=1)], axis=1), score, np.zeros(len(row), np.int16), self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:
        """1. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, wanted(size))
        return 1

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR as it is, stretched."""
        return ImageInput(name=name, size=size, color="BGR", resize="stretch")

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' demo does, but for the score: 0.9 there."""
        return Thresholds(score=0.7, iou=0.3)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when confidences are no softmax."""
        _, conf, _ = arranged = [np.asarray(outputs[index], np.float64) for index in places(outputs, wanted(size))]
        if not all(np.isfinite(each).all() for each in arranged):
            raise ValueError("outputs that are not finite")
        if conf.min() < 0 or np.abs(conf.sum(axis=1) - 1).max() > 1e-2:
            raise ValueError("confidences that do not add up to 1: they are no softmax")


def priors(size: Size) -> NDArray[np.float32]:
    """[P, 4]: centre x and y, and width and height, tensor pixels. A map's side is the tensor's, halved and rounded down once for each doubling."""
    rows = []
    width, height = ((side + 1) // 2 // 2 for side in size)  # the first halving rounds up
    for stride, sides in PRIORS.items():
        width, height = width // 2, height // 2
        y, x, side = np.meshgrid(np.arange(height), np.arange(width), np.array(sides), indexing="ij")
        rows.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride, side, side], axis=-1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def wanted(size: Size) -> list[Wanted]:
    """The three outputs for a tensor of `size`."""
    count = len(priors(size))
    return [Wanted("float32", (count, columns)) for columns in (14, 2, 1)]
