"""Plain twins of heads: kernels/heads.py, and each family's way from outputs to candidates, one anchor at a time, as its authors write it down.

Each twin of a family takes the outputs in the authors' order, the tensor's size, the floor and which labels are wanted, and gives boxes in tensor
pixels, scores and labels of every anchor that is good enough, wanted and finite, in the order of the anchors. Nothing is suppressed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.yolox import anchor_grid
from edge_runtime.types import Size
from tests import naive

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]
Twin = Callable[[Sequence[NDArray[Any]], Size, float, NDArray[np.bool_]], Found]


def best_in_rows(head: NDArray[np.float32], first: int, gate: int, floor: float, keep: NDArray[np.bool_]) -> list[tuple[int, float, int]]:
    """Row, score and label; a row at a time."""
    out = []
    least = np.float32(floor)
    for number, row in enumerate(head):
        factor = row[gate] if gate >= 0 else np.float32(1)
        if gate >= 0 and not factor >= least:
            continue
        best = -1
        with np.errstate(all="ignore"):
            for label in range(len(keep)):
                reached = factor * row[first + label] >= least
                if reached and (best < 0 or row[first + label] > row[first + best]):
                    best = label
            if best >= 0 and keep[best] and np.isfinite(factor * row[first + best]):
                out.append((number, float(factor * row[first + best]), best))
    return out


def gathered(found: Sequence[tuple[Sequence[float], float, int]]) -> Found:
    """Rows of (box, score, label) as arrays, without those that are not finite."""
    rows = [each for each in found if np.isfinite(each[0]).all()]
    boxes, scores, labels = [each[0] for each in rows], [each[1] for each in rows], [each[2] for each in rows]
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(labels, np.int16)


def around(x: Any, y: Any, width: Any, height: Any) -> list[float]:
    """x1, y1, x2, y2 of a box given by its centre."""
    with np.errstate(all="ignore"):
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def yolox(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return naive.decode_yolox(outputs[0][0], anchor_grid(size), floor, keep)


def yolov5(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    head = outputs[0][0]
    return gathered([(around(*head[row, :4]), score, label) for row, score, label in best_in_rows(head, 5, 4, floor, keep)])


def yolov8(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    head = outputs[0][0].T
    return gathered([(around(*head[row, :4]), score, label) for row, score, label in best_in_rows(head, 4, -1, floor, keep)])


def listed(rows: Any, floor: float, keep: NDArray[np.bool_]) -> Found:
    """Rows of (x1, y1, x2, y2), score and label that the graph chose itself."""
    out = []
    for box, score, label in rows:
        if not (np.isfinite(score) and score >= np.float32(floor)):
            continue
        if not 0 <= label < len(keep):
            raise ValueError(f"label {label}")
        if keep[int(label)]:
            out.append((list(box), float(score), int(label)))
    return gathered(out)


def yolov10(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return listed([(row[:4], row[4], row[5]) for row in outputs[0][0]], floor, keep)


def yolov7_nms(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return listed([(row[1:5], row[6], row[5]) for row in outputs[0]], floor, keep)


def efficient_nms(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    count, boxes, scores, labels = outputs
    return listed(list(zip(boxes[0], scores[0], labels[0], strict=True))[: count[0, 0]], floor, keep)


def detr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """Softmax over the classes and "no object"."""
    out = []
    logits, boxes = outputs
    for row, box in zip(logits[0].astype(np.float64), boxes[0] * np.float32([*size, *size]), strict=True):
        if np.isnan(row).any() or row.max() == np.inf:
            continue  # minus infinity is a label that cannot be
        with np.errstate(all="ignore"):
            chances = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        best = int(np.argmax(chances[:-1]))
        if chances[best] >= floor and keep[best]:
            out.append((around(*box), float(chances[best]), best))
    return gathered(out)


def rtdetr_logits(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """A sigmoid for each class."""
    logits, boxes = outputs
    out = []
    for row, logit, label in best_in_rows(logits[0], 0, -1, -np.inf, keep):
        chance = 1 / (1 + math.exp(min(-logit, 500)))
        if chance >= floor:
            out.append((around(*boxes[0, row] * np.float32([*size, *size])), chance, label))
    return gathered(out)


def rfdetr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    return rtdetr_logits(outputs[::-1], size, floor, keep)


def rtdetr(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    labels, boxes, scores = outputs
    return listed(list(zip(boxes[0], scores[0], labels[0], strict=True)), floor, keep)


def levels(size: Size, strides: Sequence[int]) -> list[tuple[int, int, int]]:
    """Column, row and stride of every cell."""
    return [(x, y, stride) for stride in strides for y in range(-(-size.height // stride)) for x in range(-(-size.width // stride))]


def distribution(classes: Any, sides: Any, centres: Sequence[tuple[float, float, int]], floor: float, keep: NDArray[np.bool_]) -> Found:
    """Generalized Focal Loss: each side is the mean of a distribution over eight bins, in strides."""
    out = []
    for row, score, label in best_in_rows(classes, 0, -1, floor, keep):
        x, y, stride = centres[row]
        distances = []
        for numbers in sides[row].astype(np.float64).reshape(4, 8):
            with np.errstate(all="ignore"):
                share = np.exp(numbers - numbers.max())
                distances.append(stride * sum(k * share[k] for k in range(8)) / share.sum())
        out.append(([x - distances[0], y - distances[1], x + distances[2], y + distances[3]], score, label))
    return gathered(out)


def nanodet(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    centres = [(x * s + 0.5 * (s - 1), y * s + 0.5 * (s - 1), s) for x, y, s in levels(size, (8, 16, 32))]
    return distribution(np.concatenate(outputs[:3], axis=1)[0], np.concatenate(outputs[3:], axis=1)[0], centres, floor, keep)


def picodet(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    centres = [((x + 0.5) * s, (y + 0.5) * s, s) for x, y, s in levels(size, (8, 16, 32, 64))]
    return distribution(np.concatenate(outputs[:4], axis=1)[0], np.concatenate(outputs[4:], axis=1)[0], centres, floor, keep)


def nanodet_plus(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    centres = [(x * s, y * s, s) for x, y, s in levels(size, (8, 16, 32, 64))]
    return distribution(outputs[0][0, :, : len(keep)], outputs[0][0, :, len(keep) :], centres, floor, keep)


def fastestdet(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """Its authors' `test.py`, a cell at a time."""
    out = []
    _, _, rows, columns = outputs[0].shape
    for y in range(rows):
        for x in range(columns):
            cell = outputs[0][0, :, y, x].astype(np.float64)
            best = int(np.argmax(cell[5:]))
            with np.errstate(all="ignore"):
                score = cell[0] ** 0.6 * cell[5 + best] ** 0.4
                width, height = size.width / (1 + np.exp(-cell[3])), size.height / (1 + np.exp(-cell[4]))
            if cell[0] >= floor ** (1 / 0.6) * (1 - 1e-6) and np.isfinite(score) and score >= floor and keep[best]:
                out.append((around((x + np.tanh(cell[1])) * 16, (y + np.tanh(cell[2])) * 16, width, height), float(score), best))
    return gathered(out)


def ssd(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    scores, boxes = outputs
    extent = np.array([*size, *size], np.float32)
    with np.errstate(all="ignore"):
        return gathered([(list(boxes[0, row] * extent), score, label) for row, score, label in best_in_rows(scores[0], 1, -1, floor, keep)])


def yunet(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """OpenCV's face_detect.cpp, a cell at a time."""
    out = []
    face, objectness, box = (np.concatenate([output[0] for output in outputs[3 * part : 3 * part + 3]]).astype(np.float64) for part in (0, 1, 2))
    for row, (x, y, stride) in enumerate(levels(size, (8, 16, 32))):
        with np.errstate(all="ignore"):
            score = np.sqrt(np.clip(face[row, 0], 0, 1) * np.clip(objectness[row, 0], 0, 1))
            extent = np.exp(box[row, 2:]) * stride
        if score >= floor and keep[0]:
            out.append((around((x + box[row, 0]) * stride, (y + box[row, 1]) * stride, *extent), float(score), 0))
    return gathered(out)


def lpd_yunet(outputs: Sequence[NDArray[Any]], size: Size, floor: float, keep: NDArray[np.bool_]) -> Found:
    """opencv_zoo's lpd_yunet.py, a prior at a time, in fractions as there."""
    width, height = size
    sizes = [[10, 16, 24], [32, 48], [64, 96], [128, 192, 256]]
    maps = [[int(int((height + 1) / 2) / 2), int(int((width + 1) / 2) / 2)]]
    for _ in range(4):
        maps.append([int(maps[-1][0] / 2), int(maps[-1][1] / 2)])
    out = []
    number = 0
    loc, conf, iou = (each.astype(np.float64) for each in outputs)
    for level, (rows, columns) in enumerate(maps[1:]):
        for i, j, least in ((i, j, least) for i in range(rows) for j in range(columns) for least in sizes[level]):
            step = 8 << level
            prior = np.array([(j + 0.5) * step / width, (i + 0.5) * step / height])
            extent = np.array([least / width, least / height])
            points = [(prior + loc[number, k : k + 2] * 0.1 * extent) * [width, height] for k in (4, 6, 10, 12)]
            with np.errstate(all="ignore"):
                score = np.sqrt(conf[number, 1] * np.clip(iou[number, 0], 0, 1))
            if np.isfinite(score) and score >= floor and keep[0]:
                out.append(([*np.min(points, axis=0), *np.max(points, axis=0)], float(score), 0))
            number += 1
    return gathered(out)


TWINS: dict[str, Twin] = {
    "fastestdet": fastestdet,
    "lpd-yunet": lpd_yunet,
    "nanodet": nanodet,
    "nanodet-plus": nanodet_plus,
    "picodet": picodet,
    "ssd": ssd,
    "yunet": yunet,
    "detr": detr,
    "rfdetr": rfdetr,
    "rtdetr": rtdetr,
    "rtdetr-logits": rtdetr_logits,
    "efficient-nms": efficient_nms,
    "yolov10": yolov10,
    "yolov5": yolov5,
    "yolov7-nms": yolov7_nms,
    "yolov8": yolov8,
    "yolox": yolox,
}
