"""Average precision: how many of the true objects a detector finds, and how many false ones it brings along, over all thresholds at once.

    judge      one picture, one class: detections, best first, each take the truth that they overlap most       ─► hit | false | ignored
    curve      all pictures together: precision and recall as the threshold falls
    average    the area under that curve

    precision                                     the curve is made to fall only (at each recall the best precision
    1 ┤▔▔▔▔▔▏                                     of that recall or a higher one), then measured:
      │     ▔▔▔▔▔▔▏
      │           ▔▔▔▔▔▔▔▔▏                       ALL_POINTS  its exact area: PASCAL VOC from 2010 on
      │                   ▏                       101         mean at recalls 0, 0.01 … 1: COCO
    0 └───────────────────┴─────► recall 1        11          mean at recalls 0, 0.1 … 1: PASCAL VOC until 2009

Sources: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88 (2010) §4.2, and its development kit 2012; Lin et al., Microsoft COCO,
arXiv:1405.0312, and pycocotools' cocoeval.py; Padilla et al., Electronics 10 (2021) 279, whose test vectors the tests use.

Ignored truths are neither demanded nor forbidden (too small, half hidden, of a size that is not asked for): a detection that is paired with one
disappears from the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.evaluate.overlap import Real, overlaps

Rule = Literal["coco", "voc"]
Points = Literal["all", 101, 11]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The detections of one picture and class, best first, and what became of them."""

    score: Real  # (N,)
    truth: NDArray[np.int64]  # (N,) row of the truth that was taken, -1 for none
    ignored: Flags  # (N,) out of the account
    demanded: int  # truths that count

    @property
    def hit(self) -> Flags:
        """Which detections found a truth that counts."""
        return (self.truth >= 0) & ~self.ignored


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall after each detection, all pictures together, scores falling. `demanded`: truths that count."""

    score: Real
    precision: Real
    recall: Real  # NaN where nothing is demanded
    demanded: int


def judge(
    found: tuple[NDArray[Any], NDArray[Any]],
    truths: NDArray[Any],
    iou: float,
    *,
    ignore: NDArray[Any] | None = None,
    outside: NDArray[Any] | None = None,
    rule: Rule = "coco",
) -> Judged:
    """Pair one picture's detections (xyxy [N, 4], score [N]) of one class with its truths [M, 4] of that class.

    `iou`: the least overlap of a pair. `ignore` [M]: truths that do not count. `outside` [N]: detections that are no false alarms when they find
    nothing (COCO: of a size that is not asked for). `rule`: "coco" takes the best truth that is still free, an ignored one only where there is no
    other; "voc" the best of all, and is false when another took it before. Equal scores keep their order. Raises ValueError when shapes disagree.
    """
    xyxy, score = np.asarray(found[0], np.float64).reshape(-1, 4), np.asarray(found[1], np.float64)
    truths = np.asarray(truths, np.float64).reshape(-1, 4)
    passed = np.zeros(len(truths), np.bool_) if ignore is None else np.asarray(ignore, np.bool_)
    excused = np.zeros(len(xyxy), np.bool_) if outside is None else np.asarray(outside, np.bool_)
    if score.shape != (len(xyxy),) or passed.shape != (len(truths),) or excused.shape != score.shape:
        raise ValueError(f"{len(xyxy)} boxes, {score.shape} scores, {excused.shape} flags; {len(truths)} truths, {passed.shape} flags")
    order = np.argsort(-score, kind="stable")
    table = overlaps(xyxy[order], truths)
    truth, ignored = np.full(len(order), -1, np.int64), excused[order].copy()
    taken = np.zeros(len(truths), np.bool_)
    for row in range(len(order)):
        best = _choice(table[row], taken, passed, iou, rule)
        if best < 0 or (taken[best] and not passed[best]):  # under "voc": somebody was better
            continue
        taken[best] = True
        truth[row], ignored[row] = best, passed[best]
    return Judged(score[order], truth, ignored, int(np.count_nonzero(~passed)))


def _choice(row: Real, taken: Flags, passed: Flags, iou: float, rule: Rule) -> int:
    """The truth that a detection with these overlaps is paired with; -1 for none."""
    groups = (~taken & ~passed, ~taken & passed) if rule == "coco" else (np.ones_like(taken),)
    for group in groups:
        within = np.where(group & (row >= iou), row, -1.0)
        if within.size and (best := int(within.argmax())) >= 0 and within[best] >= 0:
            return best
    return -1


def curve(pictures: Sequence[Judged]) -> Curve:
    """All pictures together. Equal scores keep the order of the pictures."""
    demanded = sum(each.demanded for each in pictures)
    counted = [~each.ignored for each in pictures]
    score = np.concatenate([np.zeros(0), *(each.score[kept] for each, kept in zip(pictures, counted, strict=True))])
    hit = np.concatenate([np.zeros(0, np.bool_), *(each.hit[kept] for each, kept in zip(pictures, counted, strict=True))])
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(hit[order], dtype=np.float64)
    recall = hits / demanded if demanded else np.full(len(hits), np.nan)
    return Curve(score[order], hits / np.arange(1, len(hits) + 1), recall, demanded)


def average(line: Curve, points: Points = "all") -> float:
    """The area under the curve, 0–1; NaN where nothing is demanded."""
    if line.demanded == 0:
        return float("nan")
    falling = np.maximum.accumulate(line.precision[::-1])[::-1]
    if points == "all":
        return float(np.sum(np.diff(line.recall, prepend=0.0) * falling))
    wanted = np.linspace(0, 1, points)  # with its rounding: published figures rest on it
    place = np.searchsorted(line.recall, wanted, side="left")
    return float(np.append(falling, 0.0)[np.minimum(place, len(falling))].mean())


def recall_at(line: Curve, score: float) -> float:
    """Which share of the truths is found by detections of at least `score`; NaN where nothing is demanded."""
    if line.demanded == 0:
        return float("nan")
    kept = int(np.count_nonzero(line.score >= score))
    return float(line.recall[kept - 1]) if kept else 0.0


def precision_at(line: Curve, score: float) -> float:
    """Which share of the detections of at least `score` is right; NaN where there is none."""
    kept = int(np.count_nonzero(line.score >= score))
    return float(line.precision[kept - 1]) if kept else float("nan")
