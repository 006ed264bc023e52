"""Batches, made in a thread of its own while the network learns from the one before.

Batch n of a phase follows from (seed, phase, n) alone: a training that is resumed sees what it would have seen.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_export.street.augment import Example, letterbox, vary
from edge_export.street.data import IGNORED, Labelled, StreetDataError
from edge_export.street.recipe import LABELS, STRIDES, Phase, Recipe

MOST_OBJECTS = 80  # of one picture: the largest; the others are neither demanded nor forbidden
AHEAD = 4  # batches that wait


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """images [B, h, w, 3] uint8 BGR; boxes [B, M, 4] float32 px, labels [B, M] int32, C = padding; ignored [B, A]: anchors in ignored regions."""

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    ignored: NDArray[np.bool_]


def load_examples(folder: Path, pictures: Sequence[Labelled]) -> list[Example]:
    """Reads pictures into memory. Raises StreetDataError for one that cannot be read."""
    import cv2

    examples = []
    for each in pictures:
        picture = cv2.imread(str(folder / each.file))
        if picture is None:
            raise StreetDataError(f"{folder / each.file}: cannot be read as a picture")
        examples.append(Example(np.asarray(picture, np.uint8), each.boxes, each.labels))
    return examples


class Feed:
    """Iterates over the batches of one phase from `first` on. Use as a context manager: the thread ends with it."""

    def __init__(self, real: Sequence[Example], simulated: Sequence[Example], recipe: Recipe, phase_index: int, seed: int, first: int) -> None:
        self._pools = (real, simulated)
        self._recipe = recipe
        self._phase = recipe.phases[phase_index]
        self._key = (seed, phase_index)
        self._first = first
        self._ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self._first, self._phase.steps):
            made = self._ready.get()
            if isinstance(made, BaseException):
                raise made
            yield made

    def _work(self) -> None:
        try:
            for number in range(self._first, self._phase.steps):
                if not self._put(self.batch(number)):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again where batches are awaited
            self._put(error)

    def _put(self, made: Batch | BaseException) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(made, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def batch(self, number: int) -> Batch:
        """Batch `number` of the phase."""
        rng = np.random.default_rng((*self._key, number))
        return pack([self._one(rng, self._phase) for _ in range(self._phase.batch)])

    def _one(self, rng: np.random.Generator, phase: Phase) -> Example:
        how, plan = self._recipe.augmentation, self._recipe.architecture
        pool = self._pools[int(rng.random() < phase.simulated)]
        count = 4 if rng.random() < how.p_mosaic and phase.mosaic else 1
        return vary([pool[int(rng.integers(len(pool)))] for _ in range(count)], how, (plan.width, plan.height), rng)


def pack(examples: Sequence[Example]) -> Batch:
    """Examples of one size as arrays; of each its largest objects, the others as ignored regions."""
    boxes = np.zeros((len(examples), MOST_OBJECTS, 4), np.float32)
    labels = np.full((len(examples), MOST_OBJECTS), len(LABELS), np.int32)
    ignored = []
    for row, example in enumerate(examples):
        objects = np.flatnonzero(example.labels != IGNORED)
        sides = example.boxes[objects, 2:] - example.boxes[objects, :2]
        objects = objects[np.argsort(-sides[:, 0] * sides[:, 1], kind="stable")]
        chosen, too_many = objects[:MOST_OBJECTS], objects[MOST_OBJECTS:]
        boxes[row, : len(chosen)] = example.boxes[chosen]
        labels[row, : len(chosen)] = example.labels[chosen]
        kinds = example.labels.copy()
        kinds[too_many] = IGNORED  # as street they would be learned to be nothing
        ignored.append(ignored_anchors(Example(example.picture, example.boxes, kinds)))
    return Batch(np.stack([example.picture for example in examples]), boxes, labels, np.stack(ignored))


def ignored_anchors(example: Example) -> NDArray[np.bool_]:
    """[A]: anchors whose centre lies in an ignored region."""
    height, width = example.picture.shape[:2]
    levels = []
    for stride in STRIDES:
        level = np.zeros((height // stride, width // stride), bool)
        for left, top, right, bottom in np.ceil(example.boxes[example.labels == IGNORED] / stride - 0.5).astype(int):
            level[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        levels.append(level.ravel())
    return np.concatenate(levels)


def as_deployed(examples: Sequence[Example], size: tuple[int, int]) -> list[Example]:
    """Pictures as the device would letterbox them."""
    return [letterbox(example, size) for example in examples]
