"""Simulated pictures to learn from: many worlds, all scenes and weathers, each seen by a camera a little elsewhere than the scene's own.

    OUT/scenes/1000-00.jpg …   world 1000, its first picture
    OUT/scenes/labels.json     the exact truth of each, written world by world: an interrupted rendering goes on where it stopped
    OUT/scenes/plan.json       what the recipe says of them

Worlds are rendered by processes of their own and noted in their order, a world only when all of its pictures are written. An
error or Ctrl-C ends all of them; what labels.json names is whole in any case. Pictures of another plan are refused, not mixed in.

An object of which less than `least_visibility` is to be seen is ignored. One world in thirteen is for tuning.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_export.street.data import IGNORED, Labelled, Split, StreetDataError, note_plan, read_labels, require_same_plan, write_labels
from edge_export.street.recipe import LABELS, Simulation

QUALITY = 92  # of the JPEG files
TURNS = ("junction", "road", "junction", "footpath")  # every other world a junction: only there do all classes meet
TUNE_EVERY = 13  # worlds: no multiple of the number of turns or weathers, so that all of them are among those for tuning
OWN_VIEW = 0.4  # share of worlds that are seen from the scene's own camera
LEAST_SIDE = 3.0  # px


def render_scenes(plan: Simulation, folder: Path, progress: Callable[[int, int], None]) -> list[Labelled]:
    """Renders what is not there yet, a world a core at a time. Returns the labels of all pictures.

    Raises StreetDataError when the folder holds pictures of another plan, or takes no more of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index, note = folder / "labels.json", folder / "plan.json"
    done = read_labels(index) if index.exists() else []
    made_by = {key: value for key, value in dataclasses.asdict(plan).items() if key != "worlds"}  # more worlds are more of the same
    if done:
        require_same_plan(note, made_by, "simulated pictures")
    else:
        note_plan(note, made_by)
    missing = range(len(done) // plan.pictures, plan.worlds)
    try:
        with closing(_rendered(plan, folder, missing)) as worlds:  # at once, also when it is this loop that is interrupted
            for number, pictures in zip(missing, worlds, strict=True):
                done.extend(pictures)
                write_labels(index, done)
                progress(number + 1, plan.worlds)
    except BrokenProcessPool:
        raise ExportError(f"{folder}: a process that renders was killed (out of memory?): start again, what is rendered is kept") from None
    return done[: plan.worlds * plan.pictures]


def _rendered(plan: Simulation, folder: Path, missing: range) -> Generator[list[Labelled], None, None]:
    """The pictures of each world, in order. Whatever ends it early ends all processes: Ctrl-C at once, an error after the worlds that they are at.

    One world more than there are processes is handed out, so there is next to nothing to take back.
    """
    processes = os.cpu_count() or 1
    numbers = iter(missing)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_ctrl_c) as pool:
        ahead = deque(pool.submit(_world, plan, folder, number) for number in islice(numbers, processes + 1))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(_world, plan, folder, number) for number in islice(numbers, 1))


def _end_with_ctrl_c() -> None:
    """Ctrl-C reaches every process of a terminal: one that renders ends without a word. labels.json does not name the world that it was at."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _place_of(plan: Simulation, number: int, index: int) -> tuple[str, Split]:
    """File and split of picture `index` of world `number`."""
    return f"{plan.first_seed + number}-{index:02}.jpg", "tune" if number % TUNE_EVERY == TUNE_EVERY - 1 else "train"


def _world(plan: Simulation, folder: Path, number: int) -> list[Labelled]:
    import cv2

    street = simulated_street(plan, number)
    pictures = []
    for index in range(plan.pictures):
        shot = street.shot(index * plan.every_s)
        name, split = _place_of(plan, number, index)
        if not cv2.imwrite(str(folder / name), shot.picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
            raise StreetDataError(f"{folder / name}: cannot be written: is the disk full, or something else of that name there?")
        boxes, labels = truth_of(street.boxes(shot.moment), street.visibility(shot.moment), [user.label for user in shot.moment.users], plan)
        pictures.append(Labelled(name, split, boxes, labels))
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
