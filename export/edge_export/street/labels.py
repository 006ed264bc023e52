"""Labels for everything that may be learned from: people's where they looked, teachers' where two of them agree, silence where in doubt.

    teachers' boxes ─► clusters by overlap ─┬─ two teachers, good score  ─► object      ┐
                                            ├─ one teacher, good score   ─► ignored     ├─► riders ─► labels
                                            └─ no good score             ─► street      │
    people's boxes  ────────────────────────── their categories          ─► objects     ┘
                        an agreed object of a category they looked for, but did not mark ─► ignored (they may have missed it)

A rider belongs to the two-wheeler: one box around both, one object; a person box on it is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_export.street.data import IGNORED, Labelled, StreetDataError, StreetImage, read_streets
from edge_export.street.groups import GROUPS, grouped
from edge_export.street.recipe import LABELS, Labelling
from edge_export.street.teachers import Seen, load_teachers, study
from edge_runtime.evaluate.overlap import covered, overlaps

PERSON = LABELS.index("person")
VEHICLES, TWO_WHEELERS = GROUPS["vehicles"], GROUPS["two-wheelers"]
RIDING = 0.3  # share of a person's box that a two-wheeler's covers, when it sits on it
SEATED = 0.8  # share of a person's box that a vehicle's covers, when it sits in it
MARKED = 0.4  # overlap with a person-made box at which an agreed object is that one


def pseudo_label(data: Path, models: Path, how: Labelling, progress: Callable[[int, int], None]) -> list[Labelled]:
    """Labels of every image of `read_streets`. `models` is the folder of the three teachers. Raises StreetDataError, ExportError."""
    import cv2

    images = read_streets(data)
    teachers = load_teachers(models)
    labelled = []
    for number, image in enumerate(images):
        picture = cv2.imread(str(data / image.labelled.file))
        if picture is None:
            raise StreetDataError(f"{data / image.labelled.file}: cannot be read as a picture")
        views = [study(teacher, picture, how.witness_score) for teacher in teachers]
        labelled.append(merge(image, *agree(views, how)))
        progress(number + 1, len(images))
    return labelled


def agree(views: Sequence[Seen], how: Labelling) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Objects that two teachers or more saw alike, and as IGNORED what only one of them is sure of: boxes (N, 4), labels (N,).

    Boxes are averaged by score; the label is the one with the most score within the group (vehicles, two-wheelers, people) that agreed.
    """
    at = np.concatenate([view.boxes for view in views])
    scores = np.concatenate([view.scores for view in views])
    labels = np.concatenate([view.labels for view in views])
    who = np.concatenate([np.full(len(view.scores), index) for index, view in enumerate(views)])
    alike = (overlaps(at, at) >= how.iou) & (grouped(labels)[:, None] == grouped(labels)[None])
    free = np.ones(len(at), bool)
    boxes, kinds = [], []
    for seed in np.argsort(-scores, kind="stable"):
        if not free[seed]:
            continue
        members = np.flatnonzero(alike[seed] & free)
        free[members] = False
        if scores[seed] < how.agreed_score:
            continue
        if len(set(who[members])) >= 2:
            votes = np.bincount(labels[members], weights=scores[members], minlength=len(LABELS))
            kinds.append(int(votes.argmax()))
            boxes.append(np.average(at[members], axis=0, weights=scores[members]))
        else:
            kinds.append(IGNORED)
            boxes.append(at[seed])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int8)


def _without_occupants(boxes: NDArray[np.float32], kinds: NDArray[np.int8]) -> NDArray[np.int8]:
    """People who sit in a vehicle are none to be counted: ignored."""
    in_vehicle = covered(boxes, boxes[np.isin(kinds, VEHICLES)]).max(axis=1, initial=0) > SEATED
    return np.where((kinds == PERSON) & in_vehicle, np.int8(IGNORED), kinds)


def merge(image: StreetImage, agreed: NDArray[np.float32], kinds: NDArray[np.int8]) -> Labelled:
    """People's labels first; what teachers add to them."""
    given = image.labelled
    marked = overlaps(agreed, given.boxes).max(axis=1, initial=0) > MARKED
    within = covered(agreed, given.boxes).max(axis=1, initial=0) > 0.7
    sought = np.isin(kinds, list(image.known))
    kinds = np.where(sought, np.int8(IGNORED), kinds)
    kept = ~marked & ~(within & (kinds == IGNORED))
    boxes = np.concatenate([given.boxes, agreed[kept]])
    labels = np.concatenate([given.labels, kinds[kept]])
    return Labelled(given.file, given.split, *mount(boxes, _without_occupants(boxes, labels)))


def mount(boxes: NDArray[np.float32], labels: NDArray[np.int8]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Riders become part of their two-wheeler: its box grows around its rider, the rider's own box is ignored.

      ┌────┐            ┌──────┐     A person rides the two-wheeler of which the box covers most of it, when its own feet
      │ () │            │  ()  │     reach into that box and its middle is above the middle of the two-wheeler.
    ┌─┼─/\\─┼─┐   ─►   │  /\\  │
    │ └────┘ │          │O----O│
    └────────┘          └──────┘
    """
    boxes, labels = boxes.copy(), labels.copy()
    persons, wheels = np.flatnonzero(labels == PERSON), np.flatnonzero(np.isin(labels, TWO_WHEELERS))
    if not len(persons) or not len(wheels):
        return boxes, labels
    share = covered(boxes[persons], boxes[wheels])
    before = boxes.copy()
    for row, person in enumerate(persons):
        wheel = wheels[share[row].argmax()]
        middle, tall = before[[person, wheel]][:, [1, 3]].mean(axis=1), before[wheel, 3] - before[wheel, 1]
        if share[row].max() >= RIDING and middle[0] < middle[1] and before[person, 3] > before[wheel, 1] + 0.3 * tall:
            boxes[wheel, :2] = np.minimum(boxes[wheel, :2], before[person, :2])
            boxes[wheel, 2:] = np.maximum(boxes[wheel, 2:], before[person, 2:])
            labels[person] = IGNORED
    return boxes, labels
