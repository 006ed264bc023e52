"""The recipe: every number that makes the detector what it is, read from recipe.toml.

Unknown and missing keys are refused: a recipe that is not followed to the letter does not say how a model was made.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

LABELS = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
STRIDES = (8, 16, 32)
FIRST_SEED = 1000  # simulated streets below are never learned from: demonstration, test and evaluation are there

_Table = TypeVar("_Table")


class RecipeError(ValueError):
    """recipe.toml says something that cannot be followed."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The network: channels of the stem, of the three strides 8, 16, 32, of the neck and of a head's branch."""

    width: int  # of the input, px, a multiple of 32
    height: int
    stem: int
    stages: tuple[int, ...]
    depths: tuple[int, ...]  # residual blocks of each stage
    neck: int
    head: int


@dataclass(frozen=True, slots=True)
class Labelling:
    """When teachers agree: the least scores of a witness and of an agreed box, and the overlap at which two boxes are one object."""

    witness_score: float
    agreed_score: float
    iou: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """Simulated pictures: how many worlds (one seed each, counted from `first_seed`), pictures of each, seconds between them."""

    first_seed: int
    worlds: int
    pictures: int
    every_s: float
    width: int
    height: int
    least_visibility: float  # objects of which less is seen are neither demanded nor forbidden


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How pictures are varied: probabilities (p_…) and ranges."""

    p_mosaic: float
    p_flip: float
    p_night: float
    p_blur: float
    p_noise: float
    p_jpeg: float
    p_cutout: float
    least_zoom: float
    most_zoom: float
    color: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training: its share of simulated pictures, and a learning rate that falls by a half cosine from `rate` to `last_rate`."""

    name: str
    steps: int
    batch: int
    simulated: float  # 0–1
    rate: float
    last_rate: float
    warmup_steps: int
    mosaic: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of recipe.toml."""

    name: str
    version: str
    seed: int
    ema: float  # decay of the averaged weights, a step
    weight_decay: float  # of convolutions, not of norms and biases
    validate_every: int  # steps
    architecture: Architecture
    labelling: Labelling
    simulation: Simulation
    augmentation: Augmentation
    phases: tuple[Phase, ...]


def read_recipe(path: Path) -> Recipe:
    """Parses recipe.toml. Raises RecipeError naming the file, the key, and what was expected."""
    import tomlkit

    try:
        document = tomlkit.parse(path.read_text()).unwrap()
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    try:
        recipe = _table(Recipe, document, "")
        _check(recipe)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None
    return recipe


def _check(recipe: Recipe) -> None:
    network = recipe.architecture
    if network.width % STRIDES[-1] or network.height % STRIDES[-1]:
        raise RecipeError(f"architecture: an input of {network.width}×{network.height} is no multiple of {STRIDES[-1]}")
    if len(network.stages) != len(STRIDES) or len(network.depths) != len(STRIDES):
        raise RecipeError("architecture: expected 3 numbers in stages and in depths")
    if not recipe.phases:
        raise RecipeError("phases: expected one [[phases]] at least")
    for phase in recipe.phases:
        if not 0 <= phase.simulated <= 1:
            raise RecipeError(f"phases.{phase.name}.simulated: expected a share of 0 to 1, found {phase.simulated}")
        if phase.batch < 2 or phase.batch % 2:
            raise RecipeError(f"phases.{phase.name}.batch: expected an even number, as its halves are learned from side by side, found {phase.batch}")
        if phase.steps < 1:
            raise RecipeError(f"phases.{phase.name}.steps: expected 1 or more, found {phase.steps}")
    if recipe.validate_every < 1:
        raise RecipeError(f"validate_every: expected 1 or more steps, found {recipe.validate_every}")
    plan = recipe.simulation
    if plan.first_seed < FIRST_SEED:
        raise RecipeError(f"simulation.first_seed: seeds below {FIRST_SEED} are for demonstration and test, found {plan.first_seed}")
    if plan.worlds < 1 or plan.pictures < 1:
        raise RecipeError(f"simulation: expected 1 or more worlds and pictures, found {plan.worlds} and {plan.pictures}")


def _table(kind: type[_Table], value: Any, where: str) -> _Table:
    """One table of the file as its dataclass."""
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: expected a table, found {value!r}")
    hints = get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in [*(value.keys() - names), *(names - value.keys())]:
        raise RecipeError(f"{where}{key}: " + ("unknown key" if key in value else "missing"))
    return kind(**{name: _value(hints[name], value[name], f"{where}{name}") for name in sorted(names)})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _table(hint, value, f"{where}.")  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool):
        if type(value) is not hint:
            raise RecipeError(f"{where}: expected {hint.__name__}, found {value!r}")
        return value
    inner = hint.__args__[0]  # tuple[inner, ...]
    if not isinstance(value, list):
        raise RecipeError(f"{where}: expected a list, found {value!r}")
    return tuple(_value(inner, each, f"{where}[{index}]") for index, each in enumerate(value))
