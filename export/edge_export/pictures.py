"""Pictures to compare and to measure on: real ones from a folder, simulated ones from the shipped street."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_runtime.types import Size

Picture = NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png")
WEATHERS = ("day", "dusk", "night", "rain")
WARM_S = 2.0  # between pictures of one world: its traffic has moved on


def find_pictures(folder: Path, count: int) -> list[Path]:
    """`count` of the folder's pictures, evenly over all of them in the order of their paths. Raises ExportError when there is none."""
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder: expected one with pictures ({', '.join(SUFFIXES)})")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise ExportError(f"{folder}: no picture in it or below it: expected {', '.join(SUFFIXES)}")
    return [files[index * len(files) // min(count, len(files))] for index in range(min(count, len(files)))]


def read_picture(file: Path) -> Picture:
    """BGR [h, w, 3]. Raises ExportError when it cannot be read as a picture."""
    import cv2

    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None or min(picture.shape[:2]) < 2:
        raise ExportError(f"{file}: cannot be read as a picture of 2×2 or more: restore it, or take it out of the folder")
    return np.asarray(picture, np.uint8)


def simulated_pictures(count: int, size: Size, first_seed: int = 1) -> Iterator[tuple[str, Picture]]:
    """`count` pictures of the simulated street, each of another seed; scenes and weathers take turns."""
    for index in range(count):
        simulation, url = simulated_street(index, size, first_seed)
        yield url, simulation.shot(WARM_S).picture


def simulated_street(index: int, size: Size, first_seed: int = 1) -> tuple[Any, str]:
    """The `index`-th street of a series, and the URL that shows it to anybody."""
    from edge_runtime.sources.sim.options import SCENES, SimOptions
    from edge_runtime.sources.sim.simulation import Simulation

    scene, weather = SCENES[index % len(SCENES)], WEATHERS[index // len(SCENES) % len(WEATHERS)]
    options = SimOptions(scene=scene, seed=first_seed + index, weather=weather, size=size)
    url = f"sim:{scene}?seed={options.seed}&weather={weather}&size={size.width}x{size.height}"
    return Simulation(options, truthful=False), url
