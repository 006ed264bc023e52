"""The parity gate: what the device will see is what the framework saw, or nothing is written.

    same tensor      framework ───────────────────────────── ONNX Runtime                     raw outputs, largest difference
    same picture     plain.py, framework, plain decoding ─── the device's own walk            boxes in pixels, scores
    same I420        plain.py, framework, plain decoding ─── the device's walk from planes    the same
    same I420        usual script: colours, then resizing ── the device's walk from planes    shown, no limit

The device's walk is the runtime's: Preprocessor as *manifest.toml* says, a session opened as the daemon opens it, the family's decoder. The
framework's side follows *about.toml*, which says what the network was trained on, through arithmetic of its own. A manifest that is wrong in colour
order, padding, alignment or scale therefore cannot pass.

The last row is no test of a model: the device resizes planes and makes colours of what is left (edge_runtime/prepare/planes.py), the usual script
does it the other way round, and colour edges differ by a few levels. How far that moves boxes is a property of the network: for YOLOX-nano on 32
street photographs, 416 detections, 95 % within 0.31 px and 0.004 of score.

A detection without a partner is excused where the other side would have suppressed it or had it just below the floor; what is left may be nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_export.about import About
from edge_export.framework import Network
from edge_export.plain import Found, Placed, overlap, picture_of, place, place_planes, planes_of, yolox
from edge_export.walk import Walk, bgr_frame, planes_frame
from edge_runtime.decode import CROSS_CLASS_IOU
from edge_runtime.manifest import Manifest
from edge_runtime.types import Detections, Json

FLOOR = 0.1  # as low as tracking reads scores
LEAST_DETECTIONS = 20  # fewer prove nothing about decoding
_SUPPRESSED_NEARLY = 0.05  # overlaps this close to a limit may fall on either side of it

Picture = NDArray[np.uint8]
Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far two sides may lie apart."""

    raw: float = 1e-4  # of outputs of the network
    box_px: float = 0.5  # pixels of the picture
    score: float = 1e-3


@dataclass(slots=True)
class Compared:
    """One row of the table: every difference of one kind, over all pictures."""

    what: str
    limits: Limits
    binding: bool = True  # whether anything beyond the limits is a problem, or only shown
    detections: int = 0  # compared one by one
    excused: int = 0  # at the floor, or suppressed there
    missing: int = 0  # on one side only
    box_px: list[float] = field(default_factory=list)  # largest of the four corners
    score: list[float] = field(default_factory=list)

    def as_json(self) -> Json:
        worst = {key: [round(float(np.percentile(values or [0], q)), 6) for q in (50, 99, 100)] for key, values in self._series()}
        return {
            "what": self.what,
            "detections": self.detections,
            "excused": self.excused,
            "missing": self.missing,
            "limits": {"box_px": self.limits.box_px, "score": self.limits.score} if self.binding else None,
            "median_p99_max": worst,
        }

    def problems(self) -> list[str]:
        """What is beyond the limits, in words."""
        if not self.binding:
            return []
        found = []
        if self.detections < LEAST_DETECTIONS:
            found.append(f"{self.what}: {self.detections} detections to compare, {LEAST_DETECTIONS} are needed: give pictures with more road users")
        if self.missing:
            found.append(f"{self.what}: {self.missing} detections have no partner on the other side, {self.detections} have one")
        for (key, values), limit, unit in zip(self._series(), (self.limits.box_px, self.limits.score), (" px", ""), strict=True):
            if values and not max(values) <= limit:
                found.append(f"{self.what}: {key.removesuffix('_px')} differs by {max(values):.3g}{unit}, {limit:g} at most")
        return found

    def _series(self) -> tuple[tuple[str, list[float]], ...]:
        return ("box_px", self.box_px), ("score", self.score)


@dataclass(slots=True)
class Report:
    """Everything that was compared. Passed when `problems` is empty."""

    pictures: int
    raw_limit: float
    raw_largest: float
    raw_mean: float
    compared: list[Compared]

    @property
    def problems(self) -> list[str]:
        raw = []
        if not self.raw_largest <= self.raw_limit:  # NaN is beyond every limit
            raw.append(f"raw outputs: differ by {self.raw_largest:.3g}, {self.raw_limit:g} at most: the conversion changed the network")
        return raw + [problem for each in self.compared for problem in each.problems()]

    def as_json(self) -> Json:
        raw = {"largest": self.raw_largest, "mean": self.raw_mean, "limit": self.raw_limit}
        return {"pictures": self.pictures, "raw": raw, "device": [each.as_json() for each in self.compared], "problems": self.problems}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is held against each other: the network with what it was trained on, and the converted model with its manifest."""

    network: Network
    about: About
    data: bytes  # of model.onnx
    manifest: Manifest


def prove(subject: Subject, pictures: Iterable[tuple[str, Picture]], count: int, limits: Limits | None = None) -> Report:
    """Compare on `count` pictures (BGR, any size from 2×2). Raises BundleError when the device refuses the model or its manifest."""
    limits = limits or Limits()
    device = Walk(subject.data, subject.manifest, FLOOR)
    framework = _Framework(subject)
    rows = [
        Compared("device, from BGR", limits),
        Compared("device, from I420", limits),
        Compared("device, against the usual script", limits, binding=False),
    ]
    iou = subject.about.thresholds.iou
    largest, total, values = 0.0, 0.0, 0
    for _, picture in pictures:
        even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
        placed = place(even, framework.image)
        difference = np.abs(framework.answer(placed.tensor).astype(np.float64) - device.answer(placed.tensor))
        largest, total, values = float(np.maximum(largest, difference.max())), total + float(difference.sum()), values + difference.size
        compare(rows[0], framework.found(placed), _found(device.see(bgr_frame(even))), iou)
        planes = planes_of(even)
        seen = _found(device.see(planes_frame(planes)))
        compare(rows[1], framework.found(place_planes(planes, framework.image)), seen, iou)
        compare(rows[2], framework.found(place(picture_of(planes), framework.image)), seen, iou)
    return Report(count, limits.raw, largest, total / max(1, values), rows)


def compare(row: Compared, ours: Found, theirs: Found, iou: float) -> None:
    """Pair two lists of detections, best overlap first, and note in `row` how far the pairs lie apart and what has no partner."""
    overlaps = np.array([overlap(box, theirs.xyxy) for box in ours.xyxy]).reshape(len(ours.score), len(theirs.score))
    overlaps[ours.label[:, None] != theirs.label[None, :]] = 0
    left, right = set(range(len(ours.score))), set(range(len(theirs.score)))
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        i, j = divmod(int(flat), max(1, len(theirs.score)))
        if overlaps[i, j] <= 0.5:
            break
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            row.detections += 1
            row.box_px.append(float(np.abs(ours.xyxy[i] - theirs.xyxy[j]).max()))
            row.score.append(float(abs(ours.score[i] - theirs.score[j])))
    for alone, mine, other in ((left, ours, theirs), (right, theirs, ours)):
        for index in alone:
            if _excused(mine, index, other, iou, row.limits.score):
                row.excused += 1
            else:
                row.missing += 1


def _excused(mine: Found, index: int, other: Found, iou: float, slack: float) -> bool:
    """Whether the other side had it, but just below the floor, or under a better one."""
    if mine.score[index] < FLOOR + slack:
        return True
    overlaps = overlap(mine.xyxy[index], other.xyxy)
    limit = np.where(other.label == mine.label[index], iou, CROSS_CLASS_IOU) - _SUPPRESSED_NEARLY
    return bool(((overlaps > limit) & (other.score >= mine.score[index] - slack)).any())


class _Framework:
    """Plain preparation as about.toml says, the framework itself, plain decoding."""

    def __init__(self, subject: Subject) -> None:
        self.image = subject.about.manifest("images", subject.network.size, "").inputs[0]
        self._iou = subject.about.thresholds.iou
        self.answer: Answer = subject.network

    def found(self, placed: Placed) -> Found:
        return yolox(self.answer(placed.tensor), placed, FLOOR, self._iou, CROSS_CLASS_IOU)


def _found(seen: Detections) -> Found:
    return Found(seen.xyxy.astype(np.float64), seen.score.astype(np.float64), seen.label.astype(np.int64))
