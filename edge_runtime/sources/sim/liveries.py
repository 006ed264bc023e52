"""Colours: of every road user by its style, of street furniture, and how each material mirrors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import draw
from edge_runtime.sources.sim.mesh import Slot
from edge_runtime.sources.sim.street import RoadUser

_Color = tuple[int, int, int]  # blue, green, red
_CARS: tuple[_Color, ...] = (
    (228, 230, 230),
    (206, 208, 208),
    (56, 54, 52),
    (96, 94, 92),
    (150, 148, 144),
    (48, 44, 158),
    (38, 34, 120),
    (138, 84, 38),
    (92, 52, 30),
    (110, 120, 60),
    (58, 112, 66),
    (64, 118, 196),
    (120, 168, 190),
    (170, 150, 96),
)
_VANS: tuple[_Color, ...] = ((232, 234, 234), (226, 226, 222), (170, 168, 164), (50, 160, 220), (150, 92, 40), (60, 58, 56), (56, 52, 170))
_BUSES: tuple[tuple[_Color, _Color], ...] = (
    ((48, 40, 178), (224, 226, 228)),
    ((60, 170, 226), (70, 64, 58)),
    ((222, 222, 218), (140, 92, 30)),
    ((92, 140, 44), (218, 222, 222)),
)
_CABS: tuple[_Color, ...] = ((222, 224, 224), (52, 44, 160), (146, 88, 36), (60, 120, 200), (70, 100, 50), (42, 148, 214))
_LOADS: tuple[_Color, ...] = ((228, 230, 230), (196, 200, 202), (214, 206, 190), (86, 96, 120), (180, 128, 62), (100, 150, 190))
_MOTORS: tuple[_Color, ...] = ((36, 36, 180), (50, 48, 46), (170, 84, 34), (40, 120, 210), (210, 212, 212), (60, 130, 50))
_FRAMES: tuple[_Color, ...] = ((40, 40, 170), (50, 50, 48), (160, 90, 36), (190, 190, 60), (90, 150, 60), (60, 140, 220), (214, 216, 216))
_SKINS: tuple[_Color, ...] = ((150, 178, 222), (132, 164, 210), (108, 142, 190), (78, 106, 152), (52, 74, 112))
_HAIRS: tuple[_Color, ...] = ((34, 36, 42), (44, 60, 88), (60, 92, 138), (96, 150, 190), (140, 142, 146), (28, 28, 30))
_HELMETS: tuple[_Color, ...] = ((40, 40, 42), (222, 224, 226), (44, 40, 170), (56, 150, 220), (150, 86, 40))
_TOPS: tuple[_Color, ...] = (
    (60, 56, 160),
    (150, 90, 46),
    (62, 60, 58),
    (214, 216, 214),
    (70, 130, 84),
    (58, 160, 214),
    (150, 70, 110),
    (120, 122, 126),
    (90, 120, 190),
    (110, 62, 36),
    (150, 150, 70),
    (60, 110, 220),
)
_LEGS: tuple[_Color, ...] = ((110, 72, 48), (84, 56, 40), (52, 50, 48), (110, 128, 146), (84, 92, 100), (150, 160, 166), (70, 40, 60))
_BAGS: tuple[_Color, ...] = ((46, 60, 100), (50, 48, 46), (60, 60, 150), (110, 130, 70), (150, 90, 40))

FINISH = np.zeros((len(Slot), 2))
FINISH[Slot.PAINT] = FINISH[Slot.SECOND] = (0.07, 0.42)
FINISH[Slot.GLASS] = (0.10, 0.62)
FINISH[Slot.METAL] = (0.10, 0.35)
FINISH[Slot.HEAD] = (0.22, 0.40)


def furniture() -> NDArray[np.float32]:
    """[S, 4] of lamps, trunks and traffic lights, all lamps off."""
    palette = np.zeros((len(Slot), 4), np.float32)
    palette[:, :3] = 60
    for slot, color in (
        (Slot.METAL, (88, 92, 84)),
        (Slot.DARK, (36, 38, 36)),
        (Slot.SHOES, (44, 46, 44)),
        (Slot.LEGS, (62, 78, 98)),
        (Slot.SIGN, (200, 214, 220)),
        (Slot.TAIL, (26, 26, 70)),
        (Slot.LEFT, (24, 56, 74)),
        (Slot.RIGHT, (36, 62, 26)),
    ):
        palette[slot, :3] = color
    return palette


def palette_of(user: RoadUser, heads: float, blinks: bool) -> NDArray[np.float32]:
    """[S, 4] blue, green, red and own light of each slot, with its lamps as they burn.

    `heads` is how bright lamps are in this weather; `blinks` says whether indicators that are set are lit at this moment.
    """
    palette = _livery(user.kind, user.style).copy()
    if user.kind != "bicycle":
        palette[Slot.HEAD] = (236, 246, 250, max(0.25, min(1.0, heads * 1.4)))
    else:
        palette[Slot.HEAD] = (236, 246, 250, min(1.0, heads * 1.4)) if heads > 0 else (70, 70, 70, 0)
    palette[Slot.TAIL] = (40, 36, 252, 0.95) if user.braking and user.kind != "bicycle" else (34, 28, 176, 0.15 + 0.6 * min(heads, 1.0))
    for slot, side in ((Slot.LEFT, 1), (Slot.RIGHT, -1)):
        palette[slot] = (30, 170, 255, 0.95) if blinks and user.indicator == -side else (46, 110, 190, 0.0)
    return palette


@lru_cache(maxsize=1024)
def _livery(kind: str, style: int) -> NDArray[np.float32]:
    def one(among: tuple[_Color, ...], what: int) -> _Color:
        return among[draw(style, what, len(among))]

    palette = np.zeros((len(Slot), 4), np.float32)
    bus = _BUSES[draw(style, 1, len(_BUSES))]
    paint = {"car": _CARS, "van": _VANS, "truck": _CABS, "motorcycle": _MOTORS, "bicycle": _FRAMES}
    motor = kind == "motorcycle"
    for slot, color in (
        (Slot.PAINT, bus[0] if kind == "bus" else one(paint.get(kind, _CARS), 1)),
        (Slot.SECOND, bus[1] if kind == "bus" else one(_LOADS if kind == "truck" else _BAGS, 2)),
        (Slot.GLASS, (46, 40, 35)),
        (Slot.DARK, (38, 37, 36)),
        (Slot.METAL, (150, 152, 152)),
        (Slot.SKIN, one(_SKINS, 3)),
        (Slot.HAIR, one(_HELMETS, 4) if motor or (kind == "bicycle" and draw(style, 0, 4) == 1) else one(_HAIRS, 4)),
        (Slot.TOP, one(_TOPS, 5)),
        (Slot.LEGS, one(_LEGS, 6)),
        (Slot.SHOES, (44, 42, 42) if draw(style, 7, 3) else (190, 194, 196)),
        (Slot.PLATE, (214, 222, 222)),
    ):
        palette[slot, :3] = color
    palette[Slot.SIGN] = (40, 150, 245, 0.9)
    return palette
