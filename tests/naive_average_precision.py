"""Plain twin of average precision: lists and loops, one sentence of the definitions at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Box = Sequence[float]


def iou(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def covered(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0) / ((a[2] - a[0]) * (a[3] - a[1]))


def fates(found: Sequence[tuple[Box, float]], truths: Sequence[Box], ignore: Sequence[bool], least: float, rule: str) -> list[tuple[float, str]]:
    """(score, "hit" | "false" | "ignored") of each detection, best first."""
    taken: set[int] = set()
    out = []
    for box, score in sorted(found, key=lambda each: -each[1]):
        candidates = [index for index, truth in enumerate(truths) if iou(box, truth) >= least]
        if rule == "coco":
            free = [index for index in candidates if index not in taken]
            candidates = [index for index in free if not ignore[index]] or free
        if not candidates:
            out.append((score, "false"))
            continue
        best = max(candidates, key=lambda index: (iou(box, truths[index]), -index))
        if ignore[best]:
            out.append((score, "ignored"))
        elif best in taken:
            out.append((score, "false"))
        else:
            out.append((score, "hit"))
        taken.add(best)
    return out


def precision_recall(fate_lists: Sequence[list[tuple[float, str]]], demanded: int) -> list[tuple[float, float]]:
    """(precision, recall) after each detection that counts."""
    counted = sorted((each for fates_ in fate_lists for each in fates_ if each[1] != "ignored"), key=lambda each: -each[0])
    out, hits = [], 0
    for number, (_, fate) in enumerate(counted, 1):
        hits += fate == "hit"
        out.append((hits / number, hits / demanded))
    return out


def area(points: list[tuple[float, float]]) -> float:
    """Under the falling envelope, exactly."""
    total, before = 0.0, 0.0
    for index, (_, recall) in enumerate(points):
        total += (recall - before) * max(precision for precision, _ in points[index:])
        before = recall
    return total


def mean_at(points: list[tuple[float, float]], count: int) -> float:
    """The envelope's mean at `count` recalls from 0 to 1."""
    wanted = np.linspace(0, 1, count).tolist()  # 0.6 is 0.6000000000000001 there, which a recall of 3/5 does not reach
    return sum(max((precision for precision, recall in points if recall >= least), default=0.0) for least in wanted) / count
