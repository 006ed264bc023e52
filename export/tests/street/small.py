"""A street that is small enough for tests: a recipe of one tiny network, pictures with a bright box on grey as their only object."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from edge_export.street.augment import Example
from edge_export.street.recipe import LABELS, Architecture, Augmentation, Labelling, Phase, Recipe, Simulation

PLAN = Architecture(width=96, height=64, stem=8, stages=(8, 16, 16), depths=(1, 1, 1), neck=16, head=16)
CAR = LABELS.index("car")
CALM = Augmentation(
    p_mosaic=0.0, p_flip=0.0, p_night=0.0, p_blur=0.0, p_noise=0.0, p_jpeg=0.0, p_cutout=0.0, least_zoom=0.6, most_zoom=1.6, color=0.1
)


def recipe(**changes: Any) -> Recipe:
    """A recipe of four steps; `changes` replace its fields."""
    whole = Recipe(
        name="street-test",
        version="0.0.1",
        seed=3,
        ema=0.9,
        weight_decay=1e-3,
        validate_every=2,
        architecture=PLAN,
        labelling=Labelling(witness_score=0.2, agreed_score=0.35, iou=0.5),
        simulation=Simulation(first_seed=1000, worlds=12, pictures=1, every_s=2.0, width=320, height=180, least_visibility=0.25),
        augmentation=CALM,
        phases=(Phase("real", 4, 4, 0.0, 1e-3, 1e-3, 2, False),),
    )
    return dataclasses.replace(whole, **changes)


def example(seed: int, size: tuple[int, int] = (192, 128)) -> Example:
    """A grey picture with one bright car."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(20, 40, (size[1], size[0], 3)).astype(np.uint8)
    left, top = int(rng.integers(10, size[0] - 70)), int(rng.integers(10, size[1] - 50))
    picture[top : top + 30, left : left + 50] = 250
    return Example(picture, np.array([[left, top, left + 50, top + 30]], np.float32), np.array([CAR], np.int8))


def streets(folder: Path, count: int = 8, sites: int = 32) -> Path:
    """A folder of street images as training reads it: `count` labelled ones, one unlabelled, one held out."""
    import cv2

    images, annotations = [], []
    for index in range(count):
        made = example(index)
        cv2.imwrite(str(folder / f"{index}.png"), made.picture)
        images.append(_image(index, f"{index}.png", f"site{index % sites}"))
        left, top, right, bottom = (float(value) for value in made.boxes[0])
        annotations.append({"id": index, "image_id": index, "category_id": 3, "bbox": [left, top, right - left, bottom - top], "iscrowd": 0})
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(LABELS)]
    (folder / "train.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    held = [_image(0, "held.png", "elsewhere")]
    (folder / "holdout.json").write_text(json.dumps({"images": held, "annotations": [], "categories": categories}))
    cv2.imwrite(str(folder / "plain.png"), example(99).picture)
    (folder / "unlabelled.txt").write_text("plain.png\n")
    return folder


def _image(number: int, name: str, site: str) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": name,
        "width": 192,
        "height": 128,
        "site": site,
        "session": "",
        "source": name,
        "labelled_categories": ["car", "bus", "truck"],
    }
