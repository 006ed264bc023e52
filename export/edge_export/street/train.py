"""Training, from labels to averaged weights, in phases; it can be stopped at any step and resumed.

OUT/labels.json       what people and teachers say about the street images           (made once)
OUT/labelling.json    what the recipe says of that
OUT/scenes/           simulated pictures, and labels.json with their truth           (made once)
OUT/checkpoint.npz    weights, averaged weights, optimiser, phase, step              (at each validation)
OUT/training.jsonl    one line each hundred steps and each validation; a resumed training takes back what came after its checkpoint
OUT/street-nano.keras the averaged weights, as last validated
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from edge_export.errors import ExportError
from edge_export.street.augment import Example
from edge_export.street.data import Labelled, StreetDataError, note_plan, read_labels, read_streets, require_same_plan, write_labels
from edge_export.street.feed import Batch, Feed, as_deployed, load_examples
from edge_export.street.groups import GROUPS
from edge_export.street.labels import pseudo_label
from edge_export.street.learner import Learner
from edge_export.street.recipe import LABELS, Phase, Recipe
from edge_export.street.scenes import render_scenes
from edge_export.street.score import Predictions, judge, read_rows

KERAS_FILE = "street-nano.keras"  # the averaged weights: BGR/255 NHWC in, what the `yolox` decoder reads out
LOG_FILE = "training.jsonl"
CHECKPOINT = "checkpoint.npz"
REPORT_EVERY = 100  # steps
LEAST_HEIGHT = 16 / 640  # of the input's width: 16 px of a picture 640 wide


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands: told while labels and pictures are made, each hundred steps, and after each validation (then with `ap50`)."""

    phase: str
    step: int
    steps: int
    loss: float = float("nan")
    ap50: float | None = None  # any vehicle, real pictures of the tuning split


@dataclass(frozen=True, slots=True)
class Limits:
    """Shortens a recipe for a trial: so many rounds through all pictures, or minutes of wall time; None is as the recipe says."""

    epochs: int | None = None
    minutes: float | None = None


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    seed: int | None = None,
    limits: Limits | None = None,
    progress: Callable[[Progress], None],
) -> Path:
    """Does what `recipe` says: labels, simulated pictures, phases of training. Returns OUT/street-nano.keras.

    `data` is the folder of street images, with the teachers' models in `data`/../models; everything made goes to `out`. With `resume` it goes on
    from the last checkpoint there, with its seed; without, labels and pictures that are there already are used again. Raises StreetDataError where
    the data is not what it should be, ExportError where there is no checkpoint to resume from, one that the recipe cannot go on from, or, without
    `resume`, one that would be lost.
    """
    _require_checkpoint(out / CHECKPOINT, resume)
    out.mkdir(parents=True, exist_ok=True)
    real, simulated = _labels(recipe, data, out, progress), _scenes(recipe, out, progress)
    learner = Learner(recipe, recipe.seed if seed is None else seed)
    if resume:
        learner.restore(out / CHECKPOINT)
        _take_back(out / LOG_FILE, recipe.phases[learner.phase].name, learner.step)
    elif (out / LOG_FILE).exists():
        (out / LOG_FILE).unlink()
    course = _Course(recipe, learner, _Pools(data, out / "scenes", real, simulated, recipe), out, limits or Limits(), progress)
    course.run()
    return out / KERAS_FILE


def _require_checkpoint(file: Path, resume: bool) -> None:
    """Said first: labels and pictures may take an hour."""
    if resume and not file.is_file():
        raise ExportError(f"{file}: no such file: there is nothing to resume; start without --resume")
    if not resume and file.exists():
        raise ExportError(f"{file}: a training is there already: go on with --resume, name another --out, or remove this file to begin anew")


def _labels(recipe: Recipe, data: Path, out: Path, progress: Callable[[Progress], None]) -> list[Labelled]:
    path, note, made_by = out / "labels.json", out / "labelling.json", dataclasses.asdict(recipe.labelling)
    if path.exists():
        require_same_plan(note, made_by, "labels")
    else:
        note_plan(note, made_by)
        told = lambda done, total: progress(Progress("labels", done, total))  # noqa: E731
        write_labels(path, pseudo_label(data, data.parent / "models", recipe.labelling, told))
    labels = read_labels(path)
    _require_same_images(path, labels, data)
    return labels


def _require_same_images(path: Path, labels: Sequence[Labelled], data: Path) -> None:
    """Labels that were made before are of the very images that may be learned from now: none that is held out since, none on another side."""
    expected = [(image.labelled.file, image.labelled.split) for image in read_streets(data)]
    for found, wanted in zip_longest(((each.file, each.split) for each in labels), expected):
        if found != wanted:
            raise StreetDataError(f"{path}: is of other images or of another split than {data}: {found} where {wanted} is expected; remove it")


def _take_back(log: Path, phase: str, step: int) -> None:
    """Lines after the validation at which the checkpoint was written, the last of them perhaps half a line: they will be written again."""
    if not log.exists():
        return
    lines = log.read_text().splitlines(keepends=True)
    for last in range(len(lines) - 1, -1, -1):
        row = json.loads(lines[last]) if lines[last].endswith("}\n") else {}
        if "tune" in row and (row["phase"], row["step"]) == (phase, step):
            log.write_text("".join(lines[: last + 1]))
            return


def _scenes(recipe: Recipe, out: Path, progress: Callable[[Progress], None]) -> list[Labelled]:
    if not any(phase.simulated for phase in recipe.phases):
        return []
    told = lambda done, total: progress(Progress("scenes", done, total))  # noqa: E731
    return render_scenes(recipe.simulation, out / "scenes", told)


class _Pools:
    """Examples in memory, by where they come from and what they are for."""

    def __init__(self, data: Path, scenes: Path, real: Sequence[Labelled], simulated: Sequence[Labelled], recipe: Recipe) -> None:
        size = (recipe.architecture.width, recipe.architecture.height)
        self.real = load_examples(data, [each for each in real if each.split == "train"])
        self.simulated = load_examples(scenes, [each for each in simulated if each.split == "train"])
        self.tune = {
            "real": as_deployed(load_examples(data, [each for each in real if each.split == "tune"]), size),
            "simulated": as_deployed(load_examples(scenes, [each for each in simulated if each.split == "tune"]), size),
        }


class _Course:
    """The phases, one after another."""

    def __init__(self, recipe: Recipe, learner: Learner, pools: _Pools, out: Path, limits: Limits, progress: Callable[[Progress], None]) -> None:
        self._recipe = recipe
        self._learner = learner
        self._pools = pools
        self._out = out
        self._progress = progress
        self._began_s = time.monotonic()
        self._end_s = math.inf if limits.minutes is None else self._began_s + 60 * limits.minutes
        pictures = len(pools.real) + len(pools.simulated)
        self._most = math.inf if limits.epochs is None else limits.epochs * math.ceil(pictures / recipe.phases[0].batch)
        self._taken = 0
        self._validated: tuple[int, int] | None = None  # phase and step

    def run(self) -> None:
        """Until the last phase or a limit ends."""
        for index in range(self._learner.phase, len(self._recipe.phases)):
            if index > self._learner.phase:
                self._learner.phase, self._learner.step = index, 0
            if not self._follow(index):
                break
        if self._validated != (self._learner.phase, self._learner.step):
            self._validate()

    def _follow(self, index: int) -> bool:
        """One phase, from where the learner stands. False when a limit ended it."""
        phase, learner = self._recipe.phases[index], self._learner
        losses: list[float] = []
        with Feed(self._pools.real, self._pools.simulated, self._recipe, index, learner.seed, learner.step) as feed:
            for batch in feed:
                losses.append(self._step(batch, phase))
                if learner.step % REPORT_EVERY == 0:
                    self._tell(phase, losses)
                if learner.step % self._recipe.validate_every == 0:
                    self._validate()
                if self._taken >= self._most or time.monotonic() >= self._end_s:
                    return False
        return True

    def _step(self, batch: Batch, phase: Phase) -> float:
        loss = self._learner.learn(batch, rate(phase, self._learner.step))
        self._taken += 1
        return loss

    def _tell(self, phase: Phase, losses: list[float]) -> None:
        loss = float(np.mean(losses[-REPORT_EVERY:]))
        self._log({"phase": phase.name, "step": self._learner.step, "loss": round(loss, 4), "rate": round(rate(phase, self._learner.step), 7)})
        self._progress(Progress(phase.name, self._learner.step, phase.steps, loss))

    def _validate(self) -> None:
        """Scores the averaged weights on the tuning split, then writes them and a checkpoint."""
        learner, phase = self._learner, self._recipe.phases[self._learner.phase]
        marks: dict[str, Any] = {}
        for name, examples in self._pools.tune.items():
            marks.update(self._marks(name, examples))
        self._log({"phase": phase.name, "step": learner.step, "tune": marks})
        scratch = self._out / f".part.{KERAS_FILE}"
        learner.averaged.save(scratch)
        scratch.replace(self._out / KERAS_FILE)
        learner.save(self._out / CHECKPOINT)
        self._validated = (learner.phase, learner.step)
        self._progress(Progress(phase.name, learner.step, phase.steps, ap50=marks.get("real vehicles", {}).get("ap50")))

    def _marks(self, name: str, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
        guesses: list[Predictions] = []
        for first in range(0, len(examples), 32):
            rows = self._learner.look(np.stack([example.picture for example in examples[first : first + 32]]))
            guesses.extend(read_rows(each, self._recipe.architecture) for each in rows)
        wanted = {**GROUPS, **{label: (index,) for index, label in enumerate(LABELS)}}
        least = LEAST_HEIGHT * self._recipe.architecture.width
        scores = {group: judge(examples, guesses, members, least) for group, members in wanted.items()}
        return {
            f"{name} {group}": {"ap50": round(score.ap50, 4), "recall": round(score.recall, 4), "precision": round(score.precision, 4)}
            for group, score in scores.items()
            if not math.isnan(score.ap50)
        }

    def _log(self, row: dict[str, Any]) -> None:
        with (self._out / LOG_FILE).open("a") as log:
            log.write(json.dumps({"seconds": round(time.monotonic() - self._began_s), **row}) + "\n")


def rate(phase: Phase, step: int) -> float:
    """Learning rate: a linear warm-up, then half a cosine from `rate` to `last_rate`."""
    if step < phase.warmup_steps:
        return phase.rate * (step + 1) / phase.warmup_steps
    share = (step - phase.warmup_steps) / max(phase.steps - phase.warmup_steps, 1)
    return phase.last_rate + (phase.rate - phase.last_rate) * 0.5 * (1 + math.cos(math.pi * share))
