"""The background: everything that stands still, drawn once for a scene, a weather and a seed.

ground ─► houses ─► crowns of trees ─► light, haze, mirrors on wet ground ─► half as fine, once for each half pixel that a shaking
camera may be off ─► trunks, lamps, traffic lights
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim import furniture
from edge_runtime.sources.sim.canvas import FINE, MARGIN, Canvas
from edge_runtime.sources.sim.ground import lay_ground
from edge_runtime.sources.sim.houses import House, build, house_of
from edge_runtime.sources.sim.illumination import illuminate
from edge_runtime.sources.sim.liveries import furniture as furniture_palette
from edge_runtime.sources.sim.mesh import Mesh, Slot
from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.stage import Cast, Figure
from edge_runtime.sources.sim.street import Point, Scene, View
from edge_runtime.sources.sim.weather import Weather
from edge_runtime.types import Size


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """One background, `MARGIN` pixels larger than the picture on every side, less one: shifted by half a pixel or not at all."""

    picture: NDArray[np.uint8]  # [h + 2·MARGIN - 1, w + 2·MARGIN - 1, 3]
    depth: NDArray[np.float32]  # inverse depth of what stands there, 1/m; 0 where nothing does


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The plates of a view by half pixels down and across, and where the sun reaches the ground."""

    plates: tuple[tuple[Plate, Plate], tuple[Plate, Plate]]
    lit: NDArray[np.uint8]  # [h, w] of 255

    def darken(self, levels: int) -> None:
        """Take levels away from every plate: noise of that middle will be added."""
        for row in self.plates:
            for plate in row:
                np.subtract(np.maximum(plate.picture, levels), levels, out=plate.picture)


def backdrop(scene: Scene, view: View, size: Size, weather: Weather, seed: int) -> Backdrop:
    """Draw the background of a scene."""
    canvas = Canvas(view, size)
    draw = np.random.Generator(np.random.PCG64(seed))
    lay_ground(canvas, scene, draw)
    houses = [house_of(footprint, seed * 1009 + k) for k, footprint in enumerate(scene.buildings)]
    _sunlight(canvas, scene, houses, weather, seed)
    lit = canvas.sun[MARGIN * FINE : -MARGIN * FINE : FINE, MARGIN * FINE : -MARGIN * FINE : FINE].copy()
    lit = np.minimum(lit.astype(np.uint16) * 255 // max(round(255 * weather.towards_sun[2]), 1), 255).astype(np.uint8)
    for house in houses:
        build(canvas, house, weather.towards_sun, weather.windows)
    for k in _far_first(canvas.camera, scene.trees):
        furniture.plant(canvas, scene.trees[k], seed * 2003 + k, weather.towards_sun)
    light = illuminate(canvas, scene, weather, draw)
    standing = _standing(scene)
    rows = tuple(tuple(_plate(canvas, light, (down, across), standing, weather) for across in (0, 1)) for down in (0, 1))
    return Backdrop(((rows[0][0], rows[0][1]), (rows[1][0], rows[1][1])), lit)


def _sunlight(canvas: Canvas, scene: Scene, houses: list[House], weather: Weather, seed: int) -> None:
    """Where the sun reaches the ground, between the shadows of houses, trees and poles."""
    import cv2

    canvas.sun[:] = round(255 * weather.towards_sun[2])
    east, north, up = weather.towards_sun
    per_m = (-east / up, -north / up)
    for house in houses:
        high = house.wall_m + 1.0
        moved = [(x + per_m[0] * high, y + per_m[1] * high) for x, y in house.footprint]
        canvas.fill(canvas.sun, _hull([*house.footprint, *moved]), (0, 0, 0))
    for k, at in enumerate(scene.trees):
        for x, y, z, radius in furniture.crown_of(at, seed * 2003 + k):
            for dx, dy in ((0.0, 0.0), (per_m[0] * 0.3 * radius, per_m[1] * 0.3 * radius)):
                ring = [(x + per_m[0] * z + dx + radius * 0.9 * u, y + per_m[1] * z + dy + radius * 0.9 * v) for u, v in _RING]
                canvas.fill(canvas.sun, ring, (0, 0, 0))
        _pole_shadow(canvas, at, 3.2, 0.13, per_m)
    for at, high in (*((at, furniture.LAMP_M) for at in scene.lamps), *((head.at, furniture.HEAD_M + 0.5) for head in scene.signals)):
        _pole_shadow(canvas, at, high, 0.07, per_m)
    canvas.sun[:] = cv2.blur(cv2.blur(canvas.sun, (5, 5)), (5, 5))


_RING = ((1.0, 0.0), (0.71, 0.71), (0.0, 1.0), (-0.71, 0.71), (-1.0, 0.0), (-0.71, -0.71), (0.0, -1.0), (0.71, -0.71))


def _pole_shadow(canvas: Canvas, at: Point, high: float, half: float, per_m: Point) -> None:
    long = max((per_m[0] ** 2 + per_m[1] ** 2) ** 0.5, 1e-9)
    ax, ay = -per_m[1] / long * half, per_m[0] / long * half
    tip = (at[0] + per_m[0] * high, at[1] + per_m[1] * high)
    strip = [(at[0] + ax, at[1] + ay), (at[0] - ax, at[1] - ay), (tip[0] - ax, tip[1] - ay), (tip[0] + ax, tip[1] + ay)]
    canvas.fill(canvas.sun, strip, (0, 0, 0))


def _hull(points: list[Point]) -> list[Point]:
    """Convex hull, counter-clockwise (Andrew's monotone chain, Information Processing Letters 9(5), 1979)."""

    def half(row: list[Point]) -> list[Point]:
        kept: list[Point] = []
        for p in row:
            while len(kept) > 1 and (kept[-1][0] - kept[-2][0]) * (p[1] - kept[-2][1]) <= (kept[-1][1] - kept[-2][1]) * (p[0] - kept[-2][0]):
                kept.pop()
            kept.append(p)
        return kept[:-1]

    row = sorted(set(points))
    return half(row) + half(row[::-1])


def _standing(scene: Scene) -> list[tuple[Mesh, Point, Point]]:
    """Meshes that stand on the pavement: what, where, and the way that its x points."""
    standing = [(furniture.trunk(), at, (1.0, 0.0)) for at in scene.trees]
    for at in scene.lamps:
        standing.append((furniture.lamp(), at, furniture.lamp_arm(scene, at)))
    standing += [(furniture.signal(head), head.at, head.facing) for head in scene.signals]
    return standing


def _plate(canvas: Canvas, light: NDArray[np.uint8], phase: tuple[int, int], standing: list[tuple[Mesh, Point, Point]], weather: Weather) -> Plate:
    import cv2

    down, across = phase
    high, wide = canvas.height // FINE - 1, canvas.width // FINE - 1
    part = np.s_[down : down + FINE * high, across : across + FINE * wide]
    picture = cv2.resize(light[part], (wide, high), interpolation=cv2.INTER_AREA)
    depth = np.ascontiguousarray(canvas.depth[part][::FINE, ::FINE])
    plate = Plate(picture, depth)
    if standing:
        palette = furniture_palette()
        palette[Slot.SIGN, 3] = weather.lamps
        cast = Cast(canvas.camera, weather)
        figures = [
            Figure(mesh, place_at(mesh, at, way), palette, -1)
            for mesh, at, way in (standing[k] for k in _far_first(canvas.camera, [at for _, at, _ in standing]))
        ]
        cast.show(figures, plate.picture, plate.depth, (MARGIN - across / 2, MARGIN - down / 2))
    return plate


def _far_first(camera: Camera, places: Sequence[Point]) -> list[int]:
    """Which of the places lie ahead, from far to near."""
    if not places:
        return []
    depths = np.round(camera.seen(np.array([(*at, 0.0) for at in places]))[:, 2], 6).tolist()
    return sorted((k for k in range(len(places)) if depths[k] > NEAR_M), key=lambda k: -depths[k])


def place_at(mesh: Mesh, at: Point, way: Point) -> NDArray[np.float64]:
    """[V, 3] the corners of a thing that stands at a place and looks along a unit vector."""
    own = mesh.poses[0]
    x = at[0] + way[0] * own[:, 0] - way[1] * own[:, 1]
    y = at[1] + way[1] * own[:, 0] + way[0] * own[:, 1]
    return np.stack([x, y, own[:, 2]], axis=1)
