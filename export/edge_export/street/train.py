"""Training, from labels to averaged weights, in phases; it can be stopped at any step and resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_export.street.recipe import Recipe

KERAS_FILE = "street-nano.keras"  # the averaged weights: raw BGR/255 NHWC in, what the `yolox` decoder reads out
LOG_FILE = "training.jsonl"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands, told after each validation and each hundred steps."""

    phase: str
    step: int
    steps: int
    loss: float
    ap50: float | None  # any vehicle, on the validation split


@dataclass(frozen=True, slots=True)
class Limits:
    """Shortens a recipe for a trial: steps in all, or minutes of wall time; None is as the recipe says."""

    epochs: int | None = None
    minutes: float | None = None


def train(
    recipe: Recipe, data: Path, out: Path, *, resume: bool = False, seed: int | None = None, limits: Limits | None = None, progress: Callable[[Progress], None]
) -> Path:
    """Does what `recipe` says: labels, simulated pictures, phases of training. Returns OUT/street-nano.keras.

    `data` is the folder of street images; everything made (labels, pictures, checkpoints, log, model) goes to `out`. With `resume` it goes on
    from the last checkpoint there. Raises StreetDataError where the data is not what its README says.
    """
    raise NotImplementedError
