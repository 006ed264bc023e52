"""Three permissively licensed detectors that label what people did not: plain reference decoding, written for clarity.

Each looks at the whole picture, at its mirror image, and at overlapping tiles twice as large: small objects become seen.

    ┌───────┬─┬───────┐
    │ tile  │ │       │     2 × 2 tiles of 60 % of each side
    ├───────┼─┼───────┤
    └───────┴─┴───────┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_export.street.boxes import nms

COCO_COLUMNS = (0, 1, 2, 3, 5, 7)  # person, bicycle, car, motorcycle, bus, truck among COCO's 80: the order of LABELS
TILE = 0.6
SAME = 0.55  # overlap above which one teacher's two views show one object

Raw = tuple[NDArray[np.float32], NDArray[np.float32]]  # boxes (N, 4) px of the picture given, scores (N, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one teacher saw: boxes (N, 4), scores (N,), labels (N,)."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int8]


class Teacher(Protocol):
    """A detector."""

    def look(self, picture: NDArray[np.uint8]) -> Raw:
        """Boxes and scores of every anchor that may matter, [h, w, 3] BGR in."""


def _session(path: Path) -> Any:
    import onnxruntime as ort

    if not path.is_file():
        raise ExportError(f"{path}: no such file: labelling needs YOLOX-nano, NanoDet and FastestDet")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _fitted(picture: NDArray[np.uint8], side: int, pad: int, *, centred: bool) -> tuple[NDArray[np.uint8], float, tuple[int, int]]:
    """Letterboxed to side × side: the picture, its scale, and where its corner lies."""
    import cv2

    height, width = picture.shape[:2]
    scale = min(side / height, side / width)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_LINEAR)
    left, top = ((side - small.shape[1]) // 2, (side - small.shape[0]) // 2) if centred else (0, 0)
    canvas = np.full((side, side, 3), pad, np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas, scale, (left, top)


def _cells(side: int, stride: int) -> NDArray[np.float32]:
    y, x = np.mgrid[: -(-side // stride), : -(-side // stride)]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


class YoloxNano:
    """YOLOX-nano 416 (Ge et al. 2021): BGR 0–255, centre = (o + cell) · stride, size = exp(o) · stride, score = objectness · class."""

    def __init__(self, models: Path) -> None:
        self._session = _session(models / "yolox_nano" / "yolox_nano_416x416.onnx")
        self._grid = np.concatenate([_cells(416, stride) for stride in (8, 16, 32)])
        self._stride = np.concatenate([np.full((len(_cells(416, stride)), 1), stride, np.float32) for stride in (8, 16, 32)])

    def look(self, picture: NDArray[np.uint8]) -> Raw:
        canvas, scale, _ = _fitted(picture, 416, 114, centred=False)
        tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        raw = self._session.run(None, {self._session.get_inputs()[0].name: tensor})[0][0]
        centre, size = (raw[:, :2] + self._grid) * self._stride, np.exp(raw[:, 2:4]) * self._stride
        found = np.concatenate([centre - size / 2, centre + size / 2], axis=1) / scale
        return found.astype(np.float32), raw[:, 4:5] * raw[:, [5 + column for column in COCO_COLUMNS]]


class NanoDet:
    """NanoDet 416 (RangiLyu): centred letterbox, distances to four sides as softmax expectations over eight bins (generalised focal loss)."""

    MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

    def __init__(self, models: Path) -> None:
        self._session = _session(models / "nanodet" / "object_detection_nanodet_2022nov.onnx")

    def look(self, picture: NDArray[np.uint8]) -> Raw:
        canvas, scale, (left, top) = _fitted(picture, 416, 0, centred=True)
        tensor = ((canvas - np.array(self.MEAN)) / np.array(self.STD)).transpose(2, 0, 1)[None].astype(np.float32)
        outputs = [np.asarray(each)[0] for each in self._session.run(None, {self._session.get_inputs()[0].name: tensor})]
        found, scores = [], []
        for stride in (8, 16, 32):
            cells = _cells(416, stride)
            kind = next(each for each in outputs if each.shape == (len(cells), 80))
            bins = next(each for each in outputs if each.shape == (len(cells), 32)).reshape(-1, 4, 8)
            weights = np.exp(bins - bins.max(axis=2, keepdims=True))
            reach = (weights / weights.sum(axis=2, keepdims=True)) @ np.arange(8, dtype=np.float32) * stride
            centre = cells * stride + 0.5 * (stride - 1)
            found.append(np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1))
            scores.append(kind[:, COCO_COLUMNS])
        corner = np.array([left, top, left, top], np.float32)
        return ((np.concatenate(found) - corner) / scale).astype(np.float32), np.concatenate(scores)


class FastestDet:
    """FastestDet 352 (dog-qiuqiu): stretched, BGR/255, one scale of 22 × 22 cells, score = objectness^0.6 · class^0.4."""

    def __init__(self, models: Path) -> None:
        self._session = _session(models / "fastestdet" / "FastestDet.onnx")

    def look(self, picture: NDArray[np.uint8]) -> Raw:
        import cv2

        tensor = cv2.resize(picture, (352, 352)).transpose(2, 0, 1)[None].astype(np.float32) / 255
        raw = self._session.run(None, {self._session.get_inputs()[0].name: tensor})[0][0].reshape(85, -1).T
        centre = (_cells(352, 16) + np.tanh(raw[:, 1:3])) / 22
        size = 1 / (1 + np.exp(-raw[:, 3:5]))
        height, width = picture.shape[:2]
        found = np.concatenate([centre - size / 2, centre + size / 2], axis=1) * np.array([width, height, width, height], np.float32)
        return found.astype(np.float32), raw[:, :1] ** 0.6 * raw[:, [5 + column for column in COCO_COLUMNS]] ** 0.4


def load_teachers(models: Path) -> list[Teacher]:
    """The three, the most accurate first. Raises ExportError for a missing file."""
    return [YoloxNano(models), NanoDet(models), FastestDet(models)]


def study(teacher: Teacher, picture: NDArray[np.uint8], floor: float) -> Seen:
    """What a teacher sees in all views together, scores of `floor` and more."""
    width = picture.shape[1]
    found, scores = [], []
    for view, (left, top), mirrored in _views(picture):
        at, score = teacher.look(view)
        good = score.max(axis=1) >= floor
        at, score = at[good], score[good]
        if mirrored:
            at = np.stack([width - at[:, 2], at[:, 1], width - at[:, 0], at[:, 3]], axis=1)
        at = at + np.array([left, top, left, top], np.float32)
        inside = ~_cut(at, view.shape, (left, top), picture.shape) if view.shape != picture.shape else np.ones(len(at), bool)
        found.append(at[inside])
        scores.append(score[inside])
    at, score = np.concatenate(found), np.concatenate(scores)
    labels = score.argmax(axis=1).astype(np.int8)
    best = score.max(axis=1)
    kept = nms(at, best, labels, SAME)
    limit = np.array([width, picture.shape[0]] * 2, np.float32)
    return Seen(np.clip(at[kept], 0, limit).astype(np.float32), best[kept], labels[kept])


def _views(picture: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int], bool]]:
    yield picture, (0, 0), False
    yield np.ascontiguousarray(picture[:, ::-1]), (0, 0), True
    height, width = picture.shape[:2]
    high, wide = round(height * TILE), round(width * TILE)
    for top in (0, height - high):
        for left in (0, width - wide):
            yield np.ascontiguousarray(picture[top : top + high, left : left + wide]), (left, top), False


def _cut(at: NDArray[np.float32], view: tuple[int, ...], corner: tuple[int, int], whole: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which boxes touch an edge of a tile that is no edge of the picture: half an object, that another view shows entire."""
    left, top = corner
    right, bottom = left + view[1], top + view[0]
    cut = np.zeros(len(at), bool)
    for inner, near in (
        (left > 0, at[:, 0] < left + 3),
        (top > 0, at[:, 1] < top + 3),
        (right < whole[1], at[:, 2] > right - 3),
        (bottom < whole[0], at[:, 3] > bottom - 3),
    ):
        if inner:
            cut |= near
    return cut
