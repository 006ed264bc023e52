"""The folder of street images: who is labelled, who may be learned from, who is kept for judging.

    train.json      COCO json; each image names its `labelled_categories`: others are NOT labelled   ─► `split` train or tune
    unlabelled.txt  one file a line                                                                  ─► train, by teachers' labels
    holdout.json    COCO json                                                                        ─► nobody here: an overlap is refused

The tuning split: one Open Images photograph in eight, by its site; of each session of the toll road the last seventh by frame number.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_export.street.recipe import LABELS

IGNORED = -1  # as a label: a region where an object is neither demanded nor forbidden

Split = Literal["train", "tune"]


class StreetDataError(ExportError):
    """The folder of street images is not what training needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One picture's objects: boxes (N, 4) float32 x1 y1 x2 y2 in its pixels, labels (N,) int8, indices of LABELS or IGNORED."""

    file: str  # relative to its folder
    split: Split
    boxes: NDArray[np.float32]
    labels: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class StreetImage:
    """A picture as train.json or unlabelled.txt gives it. `known`: the labels that people looked for; none of an unlabelled one."""

    labelled: Labelled
    known: frozenset[int]


def read_streets(folder: Path) -> list[StreetImage]:
    """Everything that may be learned from, labelled images first. Raises StreetDataError, also when a held-out file is among them."""
    coco, held = _json(folder / "train.json"), _json(folder / "holdout.json")
    try:
        held_out = {image["file_name"] for image in held["images"]}
        images = [*_labelled(coco), *_unlabelled(folder / "unlabelled.txt")]
    except (KeyError, TypeError, ValueError) as error:
        told = f"{type(error).__name__}: {error}"
        raise StreetDataError(f"{folder}: train.json or holdout.json is not what export/README.md describes: {told}") from error
    leaked = sorted(held_out & {image.labelled.file for image in images})
    if leaked:
        raise StreetDataError(f"{folder}: {len(leaked)} files of holdout.json are also to be learned from, {leaked[0]} the first: remove them")
    missing = [image.labelled.file for image in images if not (folder / image.labelled.file).is_file()]
    if missing:
        raise StreetDataError(f"{folder}: {len(missing)} images are missing, {missing[0]} the first: expected them beside train.json")
    return images


def _labelled(coco: dict[str, Any]) -> list[StreetImage]:
    category = {each["id"]: each["name"] for each in coco["categories"]}
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in coco["annotations"]:
        if category[annotation["category_id"]] in LABELS:
            by_image[annotation["image_id"]].append(annotation)
    tune = _tuning(coco["images"])
    images = []
    for image in coco["images"]:
        marks = by_image[image["id"]]
        boxes = np.array([mark["bbox"] for mark in marks], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = [IGNORED if mark.get("iscrowd") else LABELS.index(category[mark["category_id"]]) for mark in marks]
        known = frozenset(LABELS.index(name) for name in image["labelled_categories"])
        labelled = Labelled(image["file_name"], "tune" if image["file_name"] in tune else "train", boxes, np.array(labels, np.int8))
        images.append(StreetImage(labelled, known))
    return images


def _unlabelled(listing: Path) -> list[StreetImage]:
    none = np.empty((0, 4), np.float32), np.empty(0, np.int8)
    try:
        names = [line.strip() for line in listing.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise StreetDataError(f"{listing}: {error.strerror}: expected the files of unlabelled images, one a line") from error
    return [StreetImage(Labelled(name, "train", *none), frozenset()) for name in names]


def _tuning(images: list[dict[str, Any]]) -> set[str]:
    """Files of the tuning split. A site's photographs stay on one side; neighbours in time of a session too, but for one seam."""
    tune = {image["file_name"] for image in images if not image["session"] and zlib.crc32(image["site"].encode()) % 8 == 0}
    sessions: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for image in images:
        if image["session"]:
            number = re.search(r"-(\d+)_", Path(image["source"]).name)
            sessions[image["session"]].append((int(number[1]) if number else 0, image["file_name"]))
    for frames in sessions.values():
        frames.sort()
        tune.update(name for _, name in frames[len(frames) - len(frames) // 7 :])
    return tune


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StreetDataError(f"{path}: {error}: expected COCO json") from error
    if not isinstance(document, dict) or not {"images", "annotations", "categories"} <= document.keys():
        raise StreetDataError(f"{path}: expected COCO json with images, annotations and categories")
    return document


def write_labels(path: Path, pictures: list[Labelled]) -> None:
    """Writes labels as json that people can read: file, split, and [label or "ignore", x1, y1, x2, y2] of each object."""
    rows = [
        {
            "file": picture.file,
            "split": picture.split,
            "objects": [
                ["ignore" if label == IGNORED else LABELS[label], *(round(float(value), 1) for value in box)]
                for label, box in zip(picture.labels, picture.boxes, strict=True)
            ],
        }
        for picture in pictures
    ]
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    scratch.replace(path)


def read_labels(path: Path) -> list[Labelled]:
    """What `write_labels` wrote. Raises StreetDataError."""
    try:
        rows = json.loads(path.read_text())
        return [_read_row(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StreetDataError(f"{path}: {error!r}: expected labels as this program writes them; remove the file to make it anew") from error


def _read_row(row: dict[str, Any]) -> Labelled:
    objects = row["objects"]
    labels = [IGNORED if each[0] == "ignore" else LABELS.index(each[0]) for each in objects]
    boxes = np.array([each[1:] for each in objects], np.float32).reshape(-1, 4)
    return Labelled(row["file"], row["split"], boxes, np.array(labels, np.int8))


def note_plan(file: Path, plan: Mapping[str, Any]) -> None:
    """Notes by which part of a recipe something is about to be made. Whole or not at all."""
    scratch = file.with_name(f".{file.name}.part")
    scratch.write_text(json.dumps(plan, indent=1) + "\n")
    scratch.replace(file)


def require_same_plan(file: Path, plan: Mapping[str, Any], made: str) -> None:
    """Raises StreetDataError when what was made was made by another plan than this, naming every number that differs."""
    try:
        noted = json.loads(file.read_text())
        changed = [f"{key} {noted.get(key)} where {value} is expected" for key, value in plan.items() if noted.get(key) != value]
    except (OSError, ValueError, AttributeError) as error:
        changed = [f"or of nobody knows which ({file.name}: {error})"]
    if changed:
        raise StreetDataError(f"{file.parent}: holds {made} of another recipe, {', '.join(changed)}: name another --out, or remove them")
