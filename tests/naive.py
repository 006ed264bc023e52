"""Plain twins of kernels/boxes.py: what a kernel must give, written for reading. Each works in float32, in the order of operations of the formula."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, M]: shared area over joint area; 0 for boxes that are empty, inverted or not finite."""
    out = np.zeros((len(a), len(b)), np.float32)
    with np.errstate(all="ignore"):
        for i, left in enumerate(a):
            for j, right in enumerate(b):
                if not (np.isfinite(left).all() and np.isfinite(right).all()):
                    continue
                width = min(left[2], right[2]) - max(left[0], right[0])
                height = min(left[3], right[3]) - max(left[1], right[1])
                if width > 0 and height > 0:
                    shared = width * height
                    joint = area(left) + area(right) - shared
                    quotient = shared / joint
                    out[i, j] = quotient if quotient > 0 else 0
    return out


def area(box: NDArray[np.float32]) -> np.float32:
    return np.float32((box[2] - box[0]) * (box[3] - box[1]))


def nms(xyxy: NDArray[np.float32], score: NDArray[np.float32], label: NDArray[np.int16], iou_same: float, iou_cross: float) -> list[int]:
    """Rows that stay, best first: sorted by score, earlier rows first among equals, NaN last; each must clear all that stay already."""
    order = sorted(range(len(score)), key=lambda row: (np.isnan(score[row]), -score[row] if not np.isnan(score[row]) else 0, row))
    overlap = iou(xyxy, xyxy)
    kept: list[int] = []
    for row in order:
        limits = [np.float32(iou_same if label[row] == label[other] else iou_cross) for other in kept]
        if all(limit >= 1 or not overlap[other, row] > limit for other, limit in zip(kept, limits, strict=True)):
            kept.append(row)
    return kept


def decode_yolox(
    raw: NDArray[np.float32], grid: NDArray[np.float32], floor: float, keep: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]:
    """Boxes, scores and labels of every anchor that is good enough, wanted and finite, in the order of the anchors."""
    boxes, scores, labels = [], [], []
    with np.errstate(all="ignore"):
        for row, (x, y, stride) in zip(raw, grid, strict=True):
            classes = np.where(np.isnan(row[5:]) | (row[5:] <= -1), np.float32(-1), row[5:])
            best = int(np.argmax(classes))
            score = np.float32(row[4] * classes[best])
            centre = (row[:2] + np.array([x, y])) * stride
            half = np.exp(row[2:4]) * stride * np.float32(0.5)
            good = row[4] >= np.float32(floor) and score >= np.float32(floor)
            if good and keep[best] and np.isfinite([*centre, *half, score]).all():
                boxes.append([*(centre - half), *(centre + half)])
                scores.append(score)
                labels.append(best)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(labels, np.int16)
