"""Candidates in tensor pixels become detections in source pixels: the end that all families share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode import CROSS_CLASS_IOU
from edge_runtime.types import Detections, Geometry, Stamp


class Candidates(NamedTuple):
    """What a head says, before suppression. Rows may be views of scratch memory: they are gone with the next frame."""

    xyxy: NDArray[np.float32]  # [N, 4] tensor pixels
    score: NDArray[np.float32]  # [N] at or above the floor
    label: NDArray[np.int16]  # [N] wanted ones only


class Suppression:
    """Greedy suppression, by label above `iou` and across labels above CROSS_CLASS_IOU. Construction loads the kernel."""

    def __init__(self, iou: float) -> None:
        from edge_runtime.kernels.boxes import nms

        self._nms = nms
        self._iou = iou

    def __call__(self, found: Candidates, stamp: Stamp, geometry: Geometry) -> Detections:
        """Best first, clipped to the picture. A box that is not finite, or has nothing inside the picture, is not there."""
        xyxy, score, label = found
        finite = np.isfinite(xyxy).all(axis=1)
        if not finite.all():
            xyxy, score, label = xyxy[finite], score[finite], label[finite]
        kept = np.empty(len(score), np.int64)
        kept = kept[: self._nms(xyxy, score, label, self._iou, CROSS_CLASS_IOU, kept)]
        inside = geometry.to_source(xyxy[kept])
        seen = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
        return Detections(stamp, inside[seen], score[kept][seen], label[kept][seen])


def corners(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes [N, 4] as centre x, centre y, width, height -> x1, y1, x2, y2."""
    half = box[:, 2:] * np.float32(0.5)
    return np.concatenate([box[:, :2] - half, box[:, :2] + half], axis=1)
