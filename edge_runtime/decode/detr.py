"""DETR and its successors with their bare outputs: logits and boxes of Q queries, nothing chosen.

Two outputs:

    logits [1, Q, K]      boxes [1, Q, 4] centre x, centre y, width, height, as fractions of the tensor

    detr             K = C + 1, the last is "no object"; one label a query      score = softmax(logits)_c         DETR, YOLOS, Table Transformer
    rtdetr-logits    K = C, each label judged for itself                        score = 1 / (1 + exp(−logit))     RT-DETR, D-FINE, Deformable DETR
    rfdetr           the same, with outputs named dets and labels                                                 RF-DETR

A query is what its best label says; a second label of it would be the same box again, which is one object read twice. Shapes do not tell the first
two apart, numbers mostly do: without an object softmax heads prefer the last column, the others like none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.pairs import columns_in, told_apart
from edge_runtime.decode.ports import Port
from edge_runtime.decode.rows import FEW, chosen
from edge_runtime.decode.suppress import Candidates, Suppression, corners
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RF_DETR_NAMES = {"dets", "labels"}


class DetrDecoder:
    """Logits that are a softmax with "no object" at the end."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        self._extent = np.array([*manifest.inputs[0].size] * 2, np.float32)
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every query that is good enough and wanted."""
        logits, boxes = told_apart(outputs, len(self._keep) + 1)
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number gives none
            share = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
            label = share[:, :-1].argmax(axis=1)
            score = share[np.arange(len(label)), label] / share.sum(axis=1)
            found = chosen(boxes[0], score, label, self._floor, self._keep)
            return found._replace(xyxy=corners(found.xyxy * self._extent))

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> int:  # noqa: ARG004 - any size
        """C of logits [1, Q, C + 1]. Raises ValueError, saying why, for a model of another kind."""
        require_no_rf_detr(outputs)
        columns = columns_in(outputs)
        if columns < 2:
            raise ValueError("logits [1, queries, classes + 1] were expected, found one column")
        return columns - 1

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB normalised as for ImageNet. Its authors keep the aspect and let the size vary; with a fixed size pictures are stretched."""
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """Each object comes once: nothing of one label is suppressed."""
        return Thresholds(score=0.5, iou=1.0)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when boxes are no fractions, or most queries of a picture without objects do not say "no object"."""
        logits = require_fractions(*told_apart(outputs))
        if np.mean(logits.argmax(axis=1) == logits.shape[1] - 1) < 0.5:
            raise ValueError('most queries of a picture without objects prefer a label to the last column: that is not "no object"')


class RtDetrLogitsDecoder:
    """Logits of labels that are judged each for itself."""

    BOXES_FIRST = False

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels.heads import best_in_rows

        self._best = best_in_rows
        self._extent = np.array([*manifest.inputs[0].size] * 2, np.float32)
        self._suppress = Suppression(iou)
        self._floor = math.log(floor / (1 - floor)) if 0 < floor < 1 else math.copysign(math.inf, floor - 0.5)
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every query that is good enough and wanted."""
        logits, boxes = told_apart(outputs, len(self._keep), boxes_first=self.BOXES_FIRST)
        queries = logits.shape[1]
        row, logit, label = np.empty(queries, np.int64), np.empty(queries, np.float32), np.empty(queries, np.int16)
        found = self._best(np.ascontiguousarray(logits[0]), 0, -1, self._floor, self._keep, row, logit, label)
        with np.errstate(invalid="ignore", over="ignore"):
            xyxy = corners(boxes[0, row[:found]] * self._extent)
            return Candidates(xyxy, np.float32(1) / (np.float32(1) + np.exp(-logit[:found])), label[:found])

    @classmethod
    def classes_in(cls, size: Size, outputs: Sequence[Port]) -> int:  # noqa: ARG003 - any size
        """C of logits [1, Q, C]. Raises ValueError, saying why, for a model of another kind."""
        require_no_rf_detr(outputs)
        return columns_in(outputs)

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, stretched."""
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """Each object comes once: nothing of one label is suppressed."""
        return Thresholds(score=0.4, iou=1.0)

    @classmethod
    def require_raw(cls, size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG003
        """Raises ValueError when boxes are no fractions, or most queries of a picture without objects like a label."""
        logits = require_fractions(*told_apart(outputs, boxes_first=cls.BOXES_FIRST))
        if np.median(logits.max(axis=1)) >= 0:
            raise ValueError("most queries of a picture without objects like a label: those are not judged each for itself")


class RfDetrDecoder(RtDetrLogitsDecoder):
    """The same, boxes before logits, and pictures as its authors prepare them."""

    BOXES_FIRST = True

    @classmethod
    def classes_in(cls, size: Size, outputs: Sequence[Port]) -> int:  # noqa: ARG003
        """C of logits [1, Q, C]. Raises ValueError, saying why, for a model of another kind."""
        if {output.name for output in outputs} != RF_DETR_NAMES:
            raise ValueError(f"outputs named {' and '.join(sorted(RF_DETR_NAMES))} were expected, found {', '.join(each.name for each in outputs)}")
        return columns_in(outputs, boxes_first=True)

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB normalised as for ImageNet, stretched."""
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def require_no_rf_detr(outputs: Sequence[Port]) -> None:
    """Raises ValueError for outputs that bear RF-DETR's names."""
    if {output.name for output in outputs} == RF_DETR_NAMES:
        raise ValueError(f"outputs named otherwise than {' and '.join(sorted(RF_DETR_NAMES))} were expected: those are RF-DETR's")


def require_fractions(logits: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.float64]:
    """Raises ValueError when these are no logits and no boxes as fractions. The answer is the logits [Q, K]."""
    logits, boxes = np.asarray(logits[0], np.float64), np.asarray(boxes[0], np.float64)
    if not (np.isfinite(logits).all() and np.isfinite(boxes).all()):
        raise ValueError("outputs that are not finite")
    if np.mean((boxes < -0.5) | (boxes > 1.5)) > FEW:  # some heads go a little beyond the picture
        raise ValueError("boxes far outside 0–1: they are no fractions")
    if logits.min() >= 0 and logits.max() <= 1:
        raise ValueError("scores that are probabilities already, no logits")
    return logits
