"""How well bundles see: average precision, recall and precision on pictures with truth, in rows that can be read.

Every model sees the same pictures on the same walk, is asked for the same six classes down to the same score, and is judged by the same rules
(edge_runtime/evaluate/average_precision.py, COCO's matching, overlap 0.5, area under all points):

    row            any vehicle | a class | two-wheelers     ×     all | a set | a light | a height of the object
    not counted    truths that are small (under 16 px high) or hidden; detections under 16 px that find nothing; classes that are not labelled
                   in a picture; by class, pictures whose class labels are not trusted
    a rider        belongs to the two-wheeler in simulated truth: a person that is seen on one is not counted as false
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.labelled import LEAST_HEIGHT_PX, Labelled
from edge_export.street.recipe import LABELS
from edge_export.walk import Walk, bgr_frame
from edge_runtime.evaluate.average_precision import Curve, Judged, average, curve, judge, precision_at, recall_at
from edge_runtime.sources.sim.street import GROUP_OF
from edge_runtime.types import Json

FLOOR = 0.01
IOU = 0.5
SCORE = 0.3  # what the runtime starts a track with by default
CLASSES = LABELS
TWO_WHEELERS = frozenset(label for label, group in GROUP_OF.items() if group == "two-wheelers")
JUDGED: dict[str, frozenset[str]] = {
    "any vehicle": frozenset({"car", "motorcycle", "bus", "truck"}),  # with a motor: those that photographs are labelled for
    "two-wheelers": TWO_WHEELERS,
    **{name: frozenset({name}) for name in CLASSES},
}
HEIGHTS = {"16–32 px": (16.0, 32.0), "32–96 px": (32.0, 96.0), "from 96 px": (96.0, float("inf"))}
LEAST_TRUTHS = 20  # a row with fewer says nothing
_CURVE_POINTS = 101


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One model's detections in one picture."""

    xyxy: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One picture, and what each model saw in it."""

    truth: Labelled
    seen: tuple[Seen, ...]


def look(walks: Sequence[Walk], pictures: Iterable[Labelled]) -> list[Looked]:
    """Let every model see every picture."""
    looked = []
    for each in pictures:
        frame = bgr_frame(np.ascontiguousarray(each.picture()))
        looked.append(Looked(each, tuple(_seen(walk, frame) for walk in walks)))
    return looked


def _seen(walk: Walk, frame: Any) -> Seen:
    found = walk.see(frame)
    names = np.array(walk.manifest.labels, np.str_)
    return Seen(found.xyxy.astype(np.float64), found.score.astype(np.float64), names[found.label])


def rows(looked: Sequence[Looked], models: int) -> list[Json]:
    """Every row of the table for one source of pictures, most general first."""
    made = []
    for group in JUDGED:
        kept = [each for each in looked if _covers(each.truth, group)]
        parts: list[tuple[str, list[Looked], tuple[float, float]]] = [("all", kept, (LEAST_HEIGHT_PX, float("inf")))]
        if group == "any vehicle" or group in CLASSES:
            parts += [(f"height {name}", kept, limits) for name, limits in HEIGHTS.items()]
        if group == "any vehicle":
            parts += [(name, part, parts[0][2]) for name, part in _by_place(kept)]
        for where, part, limits in parts:
            row = _row(group, where, part, limits, models)
            if row["truths"] >= LEAST_TRUTHS:
                made.append(row)
    return made


def curve_of(looked: Sequence[Looked], group: str, model: int, limits: tuple[float, float] = (LEAST_HEIGHT_PX, float("inf"))) -> Curve:
    """One model's precision and recall on the pictures that cover `group`, for objects whose height lies within `limits`."""
    return curve([_judged(each, group, model, limits) for each in looked if _covers(each.truth, group)])


def _row(group: str, where: str, looked: list[Looked], limits: tuple[float, float], models: int) -> Json:
    lines = [curve_of(looked, group, model, limits) for model in range(models)]
    return {
        "what": group,
        "where": where,
        "pictures": len(looked),
        "truths": lines[0].demanded if lines else 0,
        "models": [
            {
                "ap50": _rounded(average(line)),
                "recall": _rounded(recall_at(line, SCORE)),
                "precision": _rounded(precision_at(line, SCORE)),
                **({"curve": _sampled(line)} if where == "all" else {}),
            }
            for line in lines
        ],
    }


def _covers(truth: Labelled, group: str) -> bool:
    """Whether a picture's labels say something of the group: of a class itself only where names are trusted."""
    if group == "any vehicle":
        return bool(JUDGED[group] & truth.labelled)
    return truth.trusted and truth.labelled >= JUDGED[group]


def _by_place(looked: list[Looked]) -> list[tuple[str, list[Looked]]]:
    """The pictures of each set and each light, and of each pair of them that says more than either."""
    parts: dict[str, list[Looked]] = {}
    pairs: dict[str, list[str]] = {}
    for each in looked:
        names = [" ".join(place) for place in each.truth.places]
        pair = ", ".join(names)
        pairs[pair] = names
        for name in (*names, pair):
            parts.setdefault(name, []).append(each)
    return [(name, part) for name, part in sorted(parts.items()) if all(len(part) < len(parts[wide]) for wide in pairs.get(name, []))]


def _judged(looked: Looked, group: str, model: int, limits: tuple[float, float]) -> Judged:
    truth, seen = looked.truth, looked.seen[model]
    classes = list(JUDGED[group] & truth.labelled)
    wanted = np.isin(truth.label, classes)
    height = truth.xyxy[:, 3] - truth.xyxy[:, 1]
    ignore = truth.ignore | (height < limits[0]) | (height >= limits[1])
    if group == "person":  # a rider: his box is not in the truth, and the two-wheeler's is nearly his
        riders = np.isin(truth.label, list(TWO_WHEELERS))
        wanted, ignore = wanted | riders, ignore | riders
    found = np.isin(seen.label, classes)
    tall = seen.xyxy[found, 3] - seen.xyxy[found, 1]
    outside = (tall < limits[0]) | (tall >= limits[1])
    return judge((seen.xyxy[found], seen.score[found]), truth.xyxy[wanted], IOU, ignore=ignore[wanted], outside=outside)


def faults(looked: Looked, model: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes missed and boxes that are false alarms at SCORE, any vehicle and, where labelled, persons and two-wheelers as groups of their own."""
    missed, false = [np.zeros((0, 4))], [np.zeros((0, 4))]
    for group in ("any vehicle", "person", "bicycle"):
        if not (JUDGED[group] & looked.truth.labelled):
            continue
        seen = looked.seen[model]
        kept = seen.score >= SCORE
        strict = Looked(looked.truth, tuple(Seen(seen.xyxy[kept], seen.score[kept], seen.label[kept]) for _ in looked.seen))
        judged = _judged(strict, group, model, (LEAST_HEIGHT_PX, float("inf")))
        classes = list(JUDGED[group] & looked.truth.labelled)
        wanted = np.isin(looked.truth.label, classes) | (np.isin(looked.truth.label, list(TWO_WHEELERS)) & (group == "person"))
        ignore = looked.truth.ignore[wanted] | ~np.isin(looked.truth.label[wanted], classes)
        taken = np.isin(np.arange(len(ignore)), judged.truth)
        missed.append(looked.truth.xyxy[wanted][~taken & ~ignore])
        mine = np.isin(strict.seen[model].label, classes)
        order = np.argsort(-strict.seen[model].score[mine], kind="stable")
        false.append(strict.seen[model].xyxy[mine][order][(judged.truth < 0) & ~judged.ignored])
    return np.concatenate(missed), np.concatenate(false)


def _sampled(line: Curve) -> list[float]:
    """The best precision at recalls 0, 0.01 … 1, for a plot."""
    falling = np.append(np.maximum.accumulate(line.precision[::-1])[::-1], 0.0)
    place = np.searchsorted(line.recall, np.linspace(0, 1, _CURVE_POINTS), side="left")
    return [round(float(value), 4) for value in falling[np.minimum(place, len(falling) - 1)]]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
