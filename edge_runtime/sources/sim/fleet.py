"""Who may appear: measures, liveliness and wishes of every kind of road user. Draws use plain arithmetic on uniform numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

STEP_S = 0.2
"""How often everybody decides; in between they go on as they do."""


@dataclass(frozen=True, slots=True)
class Breed:
    """One kind. Pairs are the least and the most."""

    length_m: tuple[float, float]
    width_m: tuple[float, float]
    height_m: tuple[float, float]
    pace: tuple[float, float]  # of the limit; pedestrians: m/s
    gain_mps2: float = 1.6  # IDM's a
    ease_mps2: float = 2.2  # IDM's b
    headway_s: float = 1.2  # IDM's T
    space_m: float = 2.0  # IDM's s0
    aside_m: tuple[float, float] = (-0.12, 0.12)  # from the middle of its lane; to the left is positive


BREEDS: Mapping[str, Breed] = {
    "car": Breed((3.9, 4.8), (1.7, 1.88), (1.42, 1.62), (0.86, 1.04)),
    "van": Breed((4.9, 5.6), (1.95, 2.05), (1.95, 2.35), (0.84, 1.0), gain_mps2=1.4),
    "bus": Breed((11.6, 12.2), (2.5, 2.55), (3.0, 3.15), (0.78, 0.9), gain_mps2=1.0, ease_mps2=1.8, headway_s=1.5, aside_m=(-0.08, 0.08)),
    "truck": Breed((7.2, 9.4), (2.35, 2.5), (3.0, 3.5), (0.78, 0.92), gain_mps2=0.9, ease_mps2=1.8, headway_s=1.6, aside_m=(-0.08, 0.08)),
    "motorcycle": Breed((2.0, 2.2), (0.72, 0.82), (1.5, 1.65), (0.88, 1.04), gain_mps2=2.2, headway_s=1.1, space_m=1.6, aside_m=(-0.8, -0.5)),
    "bicycle": Breed(
        (1.7, 1.85), (0.5, 0.6), (1.68, 1.84), (0.8, 1.2), gain_mps2=0.9, ease_mps2=1.6, headway_s=0.9, space_m=1.0, aside_m=(-0.2, 0.1)
    ),
    "pedestrian": Breed((0.3, 0.36), (0.43, 0.5), (1.55, 1.9), (1.1, 1.6)),
}


@dataclass(frozen=True, slots=True)
class Person:
    """What of a road user stays as it is."""

    id: int
    kind: str
    length_m: float
    width_m: float
    height_m: float
    style: int
    pace: float
    aside: float  # 0–1 within what its kind may


def between(draw: Random, span: tuple[float, float]) -> float:
    """Uniform."""
    return span[0] + (span[1] - span[0]) * draw.random()


def bell(draw: Random, span: tuple[float, float]) -> float:
    """Like a bell within the span: the mean of three."""
    return span[0] + (span[1] - span[0]) * ((draw.random() + draw.random() + draw.random()) / 3)


def born(draw: Random, number: int, kind: str) -> Person:
    """A road user of a kind."""
    breed = BREEDS[kind]
    return Person(
        id=number,
        kind=kind,
        length_m=round(between(draw, breed.length_m), 2),
        width_m=round(between(draw, breed.width_m), 2),
        height_m=round(bell(draw, breed.height_m), 2),
        style=draw.randrange(1 << 30),
        pace=bell(draw, breed.pace),
        aside=draw.random(),
    )
