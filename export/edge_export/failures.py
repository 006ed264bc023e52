"""Where a model fails, drawn: truth that was missed, and detections that are nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_export.labelled import Labelled
from edge_export.measure import Looked, faults

SHOWN = 12
SHEET_PICTURES = 4
SHEET_WIDTH = 420  # px of one picture in the sheet
_MISSED, _FALSE = (0, 190, 255), (200, 60, 255)  # BGR: amber, magenta


def worst(looked: Sequence[Looked], model: int, count: int) -> list[Looked]:
    """The pictures with most misses and false alarms of `model`; equal ones in their order."""
    numbers = [sum(len(boxes) for boxes in faults(each, model)) for each in looked]
    order = sorted(range(len(looked)), key=lambda index: -numbers[index])
    return [looked[index] for index in order[:count] if numbers[index]]


def draw(looked: Looked, model: int) -> NDArray[np.uint8]:
    """The picture with its misses (amber) and false alarms (magenta, crossed)."""
    import cv2

    picture = np.ascontiguousarray(looked.truth.picture().copy())
    missed, false = faults(looked, model)
    for boxes, color in ((missed, _MISSED), (false, _FALSE)):
        for box in np.rint(boxes).astype(int).tolist():
            cv2.rectangle(picture, tuple(box[:2]), tuple(box[2:]), color, 2)
            if color is _FALSE:
                cv2.line(picture, tuple(box[:2]), tuple(box[2:]), color, 1)
    return picture


def write_worst(looked: Sequence[Looked], folder: Path) -> list[Path]:
    """The worst pictures of the first model, as PNG files named after their source."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, each in enumerate(worst(looked, 0, SHOWN), 1):
        file = folder / f"{each.truth.source}-{number:02d}.png"
        cv2.imwrite(str(file), draw(each, 0))
        (folder / f"{file.stem}.txt").write_text(f"{each.truth.name}\n{_said(each.truth)}\n", encoding="utf-8")
        files.append(file)
    return files


def write_sheet(looked: Sequence[Looked], file: Path) -> bool:
    """A few of the worst simulated pictures side by side, small; False when there are none, and an older sheet goes: it shows another model.

    Photographs are left out: they are not ours to spread.
    """
    import cv2

    chosen = worst([each for each in looked if each.truth.source == "simulated"], 0, SHEET_PICTURES)
    if not chosen:
        file.unlink(missing_ok=True)
        return False
    cells = []
    for each in chosen:
        picture = draw(each, 0)
        height = round(picture.shape[0] * SHEET_WIDTH / picture.shape[1])
        cells.append(cv2.resize(picture, (SHEET_WIDTH, height), interpolation=cv2.INTER_AREA))
    tallest = max(cell.shape[0] for cell in cells)
    cells = [cv2.copyMakeBorder(cell, 0, tallest - cell.shape[0], 0, 0, cv2.BORDER_CONSTANT) for cell in cells]
    cells += [np.zeros_like(cells[0])] * (len(cells) % 2)
    sheet = np.concatenate([np.concatenate(cells[row : row + 2], axis=1) for row in range(0, len(cells), 2)], axis=0)
    cv2.imwrite(str(file), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return True


def _said(truth: Labelled) -> str:
    return ", ".join(" ".join(place) for place in truth.places)
