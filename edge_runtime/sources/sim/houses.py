"""Houses: walls with windows, doors, shops and cornices under a roof; how each looks comes from the seed.

 ╱▔▔▔▔▔▔▔▔▔╲      roof, four slopes
▕═══════════▏     cornice
▕ ▯ ▯ ▯ ▯ ▯ ▏     storeys of 3.1 m
▕ ▯ ▯ ▯ ▯ ▯ ▏
▕▓▓▓▓│▯│▓▓▓▓▏     ground floor of 3.8 m: shops or windows, and a door
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.canvas import Canvas, Color
from edge_runtime.sources.sim.street import Polygon

_TEXELS = 20  # a metre
_GROUND_M, _STOREY_M, _CORNICE_M = 3.8, 3.1, 0.7
_WALLS: tuple[Color, ...] = (
    (176, 200, 218),
    (128, 150, 190),
    (96, 112, 168),
    (196, 204, 208),
    (150, 184, 206),
    (172, 178, 176),
    (132, 166, 198),
    (204, 214, 222),
)
_ROOFS: tuple[Color, ...] = ((72, 84, 138), (86, 82, 80), (64, 76, 112), (98, 96, 92))
_SHOPS: tuple[Color, ...] = ((70, 66, 58), (62, 96, 60), (60, 52, 122), (120, 84, 48), (48, 88, 140))
_WARM: tuple[Color, ...] = ((96, 176, 238), (120, 196, 246), (76, 150, 222), (168, 206, 232))


@dataclass(frozen=True, slots=True)
class House:
    """A footprint and how high its walls are."""

    footprint: Polygon
    wall_m: float
    wall: Color
    roof: Color
    shops: bool
    seed: int


def house_of(footprint: Polygon, seed: int) -> House:
    """The house on a footprint, always the same for a seed."""
    draw = Random(seed)
    storeys = draw.choice((2, 3, 3, 4))
    return House(footprint, _GROUND_M + storeys * _STOREY_M + _CORNICE_M, draw.choice(_WALLS), draw.choice(_ROOFS), draw.random() < 0.6, seed)


def build(canvas: Canvas, house: House, towards_sun: Sequence[float], lit_share: float) -> None:
    """Draw the walls and the roof that the camera sees."""
    points = house.footprint
    eye = canvas.camera.view.eye
    for k, (a, b) in enumerate(zip(points, (*points[1:], points[0]), strict=True)):
        dx, dy = b[0] - a[0], b[1] - a[1]
        long = (dx * dx + dy * dy) ** 0.5
        nx, ny = dy / long, -dx / long
        if (eye[0] - a[0]) * nx + (eye[1] - a[1]) * ny <= 0:
            continue  # seen from behind
        draw = Random(house.seed * 31 + k)
        texture, glow = _facade(house, long, draw, lit_share)
        sun = max(0.0, nx * towards_sun[0] + ny * towards_sun[1])
        for start, stop in _pieces(canvas, a, b, house.wall_m):
            quad = [(a[0] + dx * part, a[1] + dy * part, z) for part, z in ((start, 0.0), (stop, 0.0), (stop, house.wall_m), (start, house.wall_m))]
            cut = np.s_[:, int(start * texture.shape[1]) : max(int(stop * texture.shape[1]), int(start * texture.shape[1]) + 1)]
            canvas.wall(np.array(quad), np.ascontiguousarray(texture[cut]), np.ascontiguousarray(glow[cut]), sun)
    _roof(canvas, house, towards_sun)


def _pieces(canvas: Canvas, a: Sequence[float], b: Sequence[float], high: float) -> list[tuple[float, float]]:
    """The part of a wall that lies well ahead of the camera, in pieces whose perspective stays mild."""
    ends = canvas.camera.seen(np.array([(*a, 0.0), (*b, 0.0), (*a, high), (*b, high)]))[:, 2]
    first, last = min(ends[0], ends[2]), min(ends[1], ends[3])
    start, stop, least = 0.0, 1.0, 1.0
    if first < least and last < least:
        return []
    if first < least:
        start = (least - first) / (last - first) + 1e-6
    elif last < least:
        stop = (first - least) / (first - last) - 1e-6
    count = 6 if stop - start < 1.0 else 1
    return [(start + (stop - start) * k / count, start + (stop - start) * (k + 1) / count) for k in range(count)]


def _roof(canvas: Canvas, house: House, towards_sun: Sequence[float]) -> None:
    points = np.array(house.footprint)
    middle = points.mean(0)
    low, high = house.wall_m, house.wall_m + 3.2
    outer = middle + (points - middle) * 1.03
    inner = middle + (points - middle) * 0.55
    texture = np.empty((64, 64, 3), np.uint8)
    texture[:] = house.roof
    texture[::8] = [int(part * 0.82) for part in house.roof]
    dark = np.zeros_like(texture)
    for k in range(len(points)):
        after = (k + 1) % len(points)
        quad = np.array([(*outer[k], low), (*outer[after], low), (*inner[after], high), (*inner[k], high)])
        normal = np.cross(quad[2] - quad[0], quad[3] - quad[1])
        normal /= np.sqrt((normal * normal).sum())
        canvas.wall(quad, texture, dark, max(0.0, float(normal[0] * towards_sun[0] + normal[1] * towards_sun[1] + normal[2] * towards_sun[2])))


def _facade(house: House, long_m: float, draw: Random, lit_share: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture of one wall, and the light that comes out of its windows."""
    wide, high = max(int(long_m * _TEXELS), 8), int(house.wall_m * _TEXELS)
    wall = np.empty((high, wide, 3), np.uint8)
    grain = np.random.Generator(np.random.PCG64(house.seed)).integers(0, 9, (high, wide, 1), np.uint8)
    wall[:] = grain
    wall += np.array([min(int(part), 244) for part in house.wall], np.uint8)
    glow = np.zeros_like(wall)
    floor = high - int(_GROUND_M * _TEXELS)
    _band(wall, 0, int(_CORNICE_M * _TEXELS), house.wall, 1.10)
    _band(wall, int(_CORNICE_M * _TEXELS), int(_CORNICE_M * _TEXELS) + 7, house.wall, 0.68)
    count = max(int(long_m / 2.7), 1)
    pitch = wide / count
    storeys = round((house.wall_m - _GROUND_M - _CORNICE_M) / _STOREY_M)
    for storey in range(storeys):
        top = int((_CORNICE_M + storey * _STOREY_M + 0.55) * _TEXELS)
        for k in range(count):
            at = int((k + 0.5) * pitch)
            _window(wall, glow, (at - 12, top, at + 12, top + 36), draw, lit_share)
    _ground_floor(wall, glow, house, draw, (floor, count, pitch, lit_share))
    return wall, glow


def _band(wall: NDArray[np.uint8], top: int, bottom: int, color: Color, factor: float) -> None:
    wall[top:bottom] = [min(int(part * factor), 255) for part in color]


def _window(wall: NDArray[np.uint8], glow: NDArray[np.uint8], box: tuple[int, int, int, int], draw: Random, lit_share: float) -> None:
    x0, y0, x1, y1 = box
    wall[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3] = np.minimum(wall[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3].astype(np.int16) + 26, 250).astype(np.uint8)
    rows = np.linspace(0, 1, y1 - y0)[:, None, None]
    tint = draw.random() * 22
    wall[y0:y1, x0:x1] = ((104 + tint, 86 + tint, 70 + tint) + rows * (-44, -38, -32)).astype(np.uint8)
    curtain, lit = draw.random(), draw.random() < lit_share
    if curtain < 0.45:
        side = 5 + int(curtain * 10)
        for part in (np.s_[y0:y1, x0 : x0 + side], np.s_[y0:y1, x1 - side : x1]):
            wall[part] = (168, 174, 178)
    if lit:
        color = draw.choice(_WARM)
        strength = 0.45 + 0.5 * draw.random()
        glow[y0:y1, x0:x1] = [int(part * strength) for part in color]
        glow[(y0 + y1) // 2 :, x0:x1][: (y1 - y0) // 2] = [int(part * strength * 0.85) for part in color]
    middle, bar = (x0 + x1) // 2, y0 + (y1 - y0) // 3
    for part in (np.s_[y0:y1, middle - 1 : middle + 1], np.s_[bar : bar + 2, x0:x1]):
        wall[part] = (226, 230, 232)
        glow[part] = 0
    wall[y1 : y1 + 4, x0 - 5 : x1 + 5] = (206, 212, 214)  # sill and its shadow
    below = wall[y1 + 4 : y1 + 8, x0 - 3 : x1 + 3]
    below[:] = (below * 0.78).astype(np.uint8)


def _ground_floor(wall: NDArray[np.uint8], glow: NDArray[np.uint8], house: House, draw: Random, layout: tuple[int, int, float, float]) -> None:
    floor, count, pitch, lit_share = layout
    high = wall.shape[0]
    wall[floor:] = (wall[floor:] * (0.86 if house.shops else 0.93)).astype(np.uint8)
    _band(wall, floor - 5, floor + 3, house.wall, 1.08)
    _band(wall, high - 12, high, (116, 118, 120), 1.0)
    shop = draw.choice(_SHOPS)
    for k in range(count):
        at, half = int((k + 0.5) * pitch), int(pitch * 0.41)
        if k == count // 2 or (house.shops and k % 4 == 3):
            door = draw.choice(((52, 62, 84), (62, 74, 58), (74, 56, 46), (48, 46, 96)))
            wall[floor + 20 : high, at - 13 : at + 13] = (204, 208, 210)
            wall[floor + 23 : high, at - 10 : at + 10] = door
            wall[floor + 26 : floor + 40, at - 8 : at + 8] = (92, 80, 68)
        elif house.shops:
            wall[floor + 16 : high - 12, at - half : at + half] = (72, 68, 62)
            rows = np.linspace(0, 1, high - floor - 38)[:, None, None]
            wall[floor + 22 : high - 16, at - half + 3 : at + half - 3] = ((120, 106, 92) + rows * (-46, -40, -34)).astype(np.uint8)
            wall[floor + 6 : floor + 20, at - half : at + half] = shop
            if draw.random() < min(lit_share * 1.8, 0.9):
                glow[floor + 22 : high - 16, at - half + 3 : at + half - 3] = [int(part * 0.75) for part in draw.choice(_WARM)]
                glow[floor + 8 : floor + 18, at - half + 8 : at + half - 8] = [min(int(part * 1.3), 255) for part in shop]
        else:
            _window(wall, glow, (at - 13, floor + 22, at + 13, floor + 58), draw, lit_share)
