"""Pictures whose truth is known, in one form: held-out photographs, and moments of the simulated street.

What is not labelled in a picture is neither demanded nor forbidden there: `labelled` says which classes its truth covers, and `ignore` which of its
boxes do not count (too small, hidden).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_export.pictures import WARM_S, Picture, read_picture, simulated_street
from edge_export.street.recipe import FIRST_SEED
from edge_runtime.types import Size

LEAST_HEIGHT_PX = 16.0
LEAST_VISIBILITY = 0.3
HOLDOUT = "holdout.json"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One picture with its truth: xyxy [N, 4] clipped to it, a class name each."""

    name: str
    source: str  # "street" or "simulated"
    places: tuple[tuple[str, str], ...]  # what it belongs to, such as ("set", "openimages_vehicles"), ("light", "night")
    picture: Callable[[], Picture]
    xyxy: NDArray[np.float64]
    label: NDArray[np.str_]
    ignore: NDArray[np.bool_]
    labelled: frozenset[str]
    trusted: bool  # whether class names are right; boxes are anyway


def street_pictures(folder: Path) -> list[Labelled]:
    """The held-out photographs under `folder`. Raises ExportError when holdout.json is missing, or names pictures that are."""
    file = folder / HOLDOUT
    if not file.is_file():
        raise ExportError(f"{file}: no such file: expected the labels of the held-out pictures, COCO json, with set, light, labelled_categories")
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        names = {each["id"]: each["name"] for each in table["categories"]}
        boxes: dict[int, list[Any]] = {each["id"]: [] for each in table["images"]}
        for each in table["annotations"]:
            boxes[each["image_id"]].append((each["bbox"], names[each["category_id"]], bool(each["iscrowd"])))
        made = [_street(folder, each, boxes[each["id"]]) for each in table["images"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{file}: no COCO json as its README describes it: {type(error).__name__}: {error}") from None
    missing = [each.name for each in made if not (folder / each.name).is_file()]
    if missing:
        raise ExportError(f"{file}: {len(missing)} of its {len(made)} pictures are missing, such as {folder / missing[0]}: restore the folder")
    return made


def _street(folder: Path, image: dict[str, Any], rows: list[tuple[list[float], str, bool]]) -> Labelled:
    xyxy = np.array([box for box, _, _ in rows], np.float64).reshape(-1, 4)
    xyxy[:, 2:] += xyxy[:, :2]
    xyxy = np.clip(xyxy, 0, [image["width"], image["height"]] * 2)
    crowd = np.array([each for _, _, each in rows], np.bool_)
    return Labelled(
        name=image["file_name"],
        source="street",
        places=(("set", image["set"]), ("light", image["light"])),
        picture=lambda: read_picture(folder / image["file_name"]),
        xyxy=xyxy,
        label=np.array([label for _, label, _ in rows], np.str_),
        ignore=crowd | (_height(xyxy) < LEAST_HEIGHT_PX),
        labelled=frozenset(image["labelled_categories"]),
        trusted=bool(image["class_labels_trusted"]),
    )


def simulated(count: int, size: Size, first_seed: int = 1, each_street: int = 4) -> Iterator[Labelled]:
    """`count` moments of simulated streets, `each_street` a seed, some seconds apart. All six classes are labelled.

    A rider and the two-wheeler are one object, named after the vehicle. Boxes are those of whole bodies, clipped to the picture. Raises
    ExportError for so many that streets would be among them that models were trained on.
    """
    most = (FIRST_SEED - first_seed) * each_street
    if count > most:
        raise ExportError(f"{count} simulated pictures: expected {most} at most: streets from seed {FIRST_SEED} on are those to learn from")
    return _simulated(count, size, first_seed, each_street)


def _simulated(count: int, size: Size, first_seed: int, each_street: int) -> Iterator[Labelled]:
    from edge_runtime.sources.sim.street import LABEL_OF

    made = 0
    for index in range(-(-count // each_street)):
        street, url = simulated_street(index, size, first_seed)
        for moment_number in range(min(each_street, count - made)):
            time_s = WARM_S * (1 + 2 * moment_number)
            shot = street.shot(time_s)
            users, whole = shot.moment.users, np.asarray(street.boxes(shot.moment), np.float64).reshape(-1, 4)
            seen = np.asarray(street.visibility(shot.moment), np.float64)
            xyxy = np.clip(whole, 0, [*size, *size])
            inside = (seen > 0) & (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
            weather = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))["weather"]
            yield Labelled(
                name=f"{url} at {time_s:g} s",
                source="simulated",
                places=(("scene", url.partition("?")[0].removeprefix("sim:")), ("light", weather)),
                picture=lambda picture=shot.picture: picture,  # type: ignore[misc]  # bound now: the loop goes on
                xyxy=xyxy[inside],
                label=np.array([LABEL_OF[user.kind] for user in users], np.str_)[inside],
                ignore=(seen[inside] < LEAST_VISIBILITY) | (_height(xyxy[inside]) < LEAST_HEIGHT_PX),
                labelled=frozenset(LABEL_OF.values()),
                trusted=True,
            )
            made += 1


def _height(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(xyxy[:, 3] - xyxy[:, 1], np.float64)
