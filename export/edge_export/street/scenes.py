"""Simulated pictures to learn from: many worlds, all scenes and weathers, each seen by a camera a little elsewhere than the scene's own.

    OUT/scenes/1000-00.jpg …   world 1000, its first picture
    OUT/scenes/labels.json     the exact truth of each, written world by world: an interrupted rendering goes on where it stopped

An object of which less than `least_visibility` is to be seen is ignored. One world in thirteen is for tuning.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.street.data import IGNORED, Labelled, read_labels, write_labels
from edge_export.street.recipe import LABELS, Simulation

QUALITY = 92  # of the JPEG files
TURNS = ("junction", "road", "junction", "footpath")  # every other world a junction: only there do all classes meet
TUNE_EVERY = 13  # worlds: no multiple of the number of turns or weathers, so that all of them are among those for tuning
OWN_VIEW = 0.4  # share of worlds that are seen from the scene's own camera
LEAST_SIDE = 3.0  # px


def render_scenes(plan: Simulation, folder: Path, progress: Callable[[int, int], None]) -> list[Labelled]:
    """Renders what is not there yet, a world a core at a time. Returns the labels of all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "labels.json"
    done = read_labels(index) if index.exists() else []
    missing = range(len(done) // plan.pictures, plan.worlds)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for number, pictures in zip(missing, pool.map(partial(_world, plan, folder), missing), strict=True):
            done.extend(pictures)
            write_labels(index, done)
            progress(number + 1, plan.worlds)
    return done[: plan.worlds * plan.pictures]


def _world(plan: Simulation, folder: Path, number: int) -> list[Labelled]:
    import cv2

    seed = plan.first_seed + number
    street = simulated_street(plan, number)
    pictures = []
    for index in range(plan.pictures):
        shot = street.shot(index * plan.every_s)
        name = f"{seed}-{index:02}.jpg"
        cv2.imwrite(str(folder / name), shot.picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        boxes, labels = truth_of(street.boxes(shot.moment), street.visibility(shot.moment), [user.label for user in shot.moment.users], plan)
        pictures.append(Labelled(name, "tune" if number % TUNE_EVERY == TUNE_EVERY - 1 else "train", boxes, labels))
    return pictures


def simulated_street(plan: Simulation, number: int) -> Any:
    """World `number` of the plan: scenes take turns, then weathers; density, and where the camera stands, by its seed."""
    from edge_runtime.sources.sim.options import WEATHERS, SimOptions
    from edge_runtime.sources.sim.scenes import SCENES as GROUND
    from edge_runtime.sources.sim.simulation import Simulation as Street
    from edge_runtime.types import Size

    rng = np.random.default_rng(plan.first_seed + number)
    scene = TURNS[number % len(TURNS)]
    options = SimOptions(
        scene=scene,
        seed=plan.first_seed + number,
        density=round(float(np.exp(rng.uniform(np.log(0.6), np.log(2.2)))), 2),
        weather=WEATHERS[number // len(TURNS) % len(WEATHERS)],
        size=Size(plan.width, plan.height),
    )
    view = GROUND[scene].view
    return Street(options, view=view if rng.random() < OWN_VIEW else _moved(view, rng), truthful=False)


def _moved(view: Any, rng: np.random.Generator) -> Any:
    """A camera that another fitter might have put up: some metres along, lower or higher, turned, zoomed."""
    x, y, height = view.eye
    eye = (x + float(rng.uniform(-2, 2)), y + float(rng.uniform(-2, 2)), height * float(rng.uniform(0.8, 1.3)))
    return dataclasses.replace(
        view,
        eye=eye,
        yaw_deg=view.yaw_deg + float(rng.uniform(-8, 8)),
        pitch_deg=view.pitch_deg + float(rng.uniform(-3, 5)),
        hfov_deg=view.hfov_deg * float(rng.uniform(0.75, 1.2)),
    )


def truth_of(
    boxes: NDArray[np.float64], visibility: NDArray[np.float64], labels: list[str], plan: Simulation
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """What a detector is to learn of true boxes (N, 4): clipped to the picture, those hardly visible ignored, those outside left out."""
    limit = np.array([plan.width, plan.height] * 2, np.float64)
    clipped = np.clip(boxes, 0, limit)
    sides = clipped[:, 2:] - clipped[:, :2]
    shown = (sides >= LEAST_SIDE).all(axis=1) & (visibility > 0)
    kinds = np.array([LABELS.index(label) for label in labels], np.int8)
    kinds = np.where(visibility < plan.least_visibility, np.int8(IGNORED), kinds)
    return clipped[shown].astype(np.float32), kinds[shown]
