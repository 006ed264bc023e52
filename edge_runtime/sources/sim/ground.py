"""The ground: asphalt, slabs, grass and paint as polygons, with wear and joints laid over them by their place in metres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.canvas import FINE, Canvas
from edge_runtime.sources.sim.street import Marking, Point, Polygon, Scene

_ASPHALT, _SLABS, _RED, _GRASS, _PAINT, _SOIL = (
    (104.0, 102.0, 100.0),
    (158.0, 164.0, 168.0),
    (82.0, 84.0, 138.0),
    (66.0, 116.0, 98.0),
    (226.0, 230.0, 232.0),
    (108.0, 122.0, 126.0),
)
_KERB, _GUTTER = (182.0, 186.0, 188.0), (70.0, 69.0, 68.0)
_TILE = 512  # texels of a tile of wear


def lay_ground(canvas: Canvas, scene: Scene, draw: np.random.Generator) -> None:
    """Draw the ground of a scene on an empty canvas."""
    kinds = canvas.kinds
    canvas.albedo[:] = _SOIL
    for polygons, color, kind in (
        (scene.greens, _GRASS, 3),
        (scene.carriageways, _ASPHALT, 1),
        (scene.pavements, _SLABS, 2),
        (scene.cycleways, _RED, 1),
    ):
        for polygon in polygons:
            _both(canvas, kinds, polygon, color, kind)
    for polygon in scene.pavements:
        _edge(canvas, kinds, polygon, scene.carriageways + scene.cycleways)
    for marking in scene.markings:
        for stripe in _stripes(marking):
            _both(canvas, kinds, stripe, _PAINT, 4)
    _wear(canvas, kinds, draw)


def _both(canvas: Canvas, kinds: NDArray[np.uint8], polygon: Sequence[Point], color: tuple[float, float, float], kind: int) -> None:
    canvas.fill(canvas.albedo, polygon, color)
    canvas.fill(kinds, polygon, (kind, 0, 0))


def _edge(canvas: Canvas, kinds: NDArray[np.uint8], polygon: Polygon, roads: Sequence[Polygon]) -> None:
    """A kerb of stone along each side of a pavement that borders on a road."""
    for a, b in _sides(polygon):
        dx, dy = b[0] - a[0], b[1] - a[1]
        long = max((dx * dx + dy * dy) ** 0.5, 1e-6)
        nx, ny = dy / long, -dx / long
        middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
        for way in (1.0, -1.0):
            outside = (middle[0] + way * nx * 0.3, middle[1] + way * ny * 0.3)
            if any(_inside(outside, road) for road in roads) and not _inside(outside, polygon):
                for near, far, color in ((0.0, 0.22, _GUTTER), (-0.20, 0.0, _KERB)):
                    strip = [(p[0] + way * nx * off, p[1] + way * ny * off) for p, off in ((a, near), (b, near), (b, far), (a, far))]
                    _both(canvas, kinds, strip, color, 1)


def _sides(polygon: Polygon) -> Iterator[tuple[Point, Point]]:
    return zip(polygon, (*polygon[1:], polygon[0]), strict=True)


def _inside(point: Point, polygon: Polygon) -> bool:
    """Even-odd rule."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in _sides(polygon):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def _stripes(marking: Marking) -> Iterator[Sequence[Point]]:
    """The filled polygons that a marking consists of."""
    if marking.width_m == 0.0:
        yield marking.points
        return
    half = marking.width_m / 2
    for (x0, y0), (x1, y1) in zip(marking.points[:-1], marking.points[1:], strict=True):
        long = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        ux, uy = (x1 - x0) / long, (y1 - y0) / long
        step = marking.dash_m if marking.dash_m > 0 else long
        start = 0.0
        while start < long - 1e-9:
            end = min(start + step, long)
            ends = ((start, 1), (end, 1), (end, -1), (start, -1))
            yield [(x0 + ux * s - uy * half * way, y0 + uy * s + ux * half * way) for s, way in ends]
            start += 2 * step


def _wear(canvas: Canvas, kinds: NDArray[np.uint8], draw: np.random.Generator) -> None:
    """Grain, stains and joints: brightness by the place on the ground, fading where it would be finer than a pixel."""
    import cv2

    rays = canvas.rays(1)
    top = int(np.searchsorted(-rays[:, 0, 2], 0.01))  # rows above see no ground
    if top >= canvas.height:
        return
    scale = canvas.camera.view.eye[2] / -rays[top:, :, 2]
    x, y = (canvas.camera.view.eye[k] + rays[top:, :, k] * scale for k in (0, 1))
    grain, stains = _tile(draw, 1), _tile(draw, 24)
    fine = cv2.remap(grain, *_texels(x, y, 22.0), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).astype(np.int16) - 128
    broad = cv2.remap(stains, *_texels(x, y, 9.0), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).astype(np.int16) - 128
    reach = canvas.camera.focal_px * FINE * 0.05
    fade = np.minimum(reach / scale, 1.0).astype(np.float32)
    kind = kinds[top:]
    rough = np.array([0.14, 0.11, 0.08, 0.17, 0.09], np.float32)[kind]
    blotch = np.array([0.14, 0.15, 0.11, 0.20, 0.20], np.float32)[kind]
    change = fine * fade * rough + broad * blotch
    slab = (kind == 2) & (scale < canvas.camera.focal_px * FINE * 0.035)
    joint = (np.minimum(_from_joint(x, 0.6), _from_joint(y, 0.6)) < 0.022) & slab
    change -= joint * np.float32(17.0) * fade
    shaded = canvas.albedo[top:].astype(np.int16) + np.round(change).astype(np.int16)[..., None]
    canvas.albedo[top:] = np.clip(shaded, 0, 255).astype(np.uint8)


def _texels(x: NDArray[Any], y: NDArray[Any], per_m: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    across, down = x * np.float32(per_m / _TILE), y * np.float32(per_m / _TILE)
    return (across - np.floor(across)) * np.float32(_TILE), (down - np.floor(down)) * np.float32(_TILE)


def _from_joint(x: NDArray[Any], step: float) -> NDArray[Any]:
    part = x * np.float32(1.0 / step)
    part -= np.floor(part)
    return np.asarray(np.minimum(part, np.float32(1.0) - part) * np.float32(step))


def _tile(draw: np.random.Generator, blur: int) -> NDArray[np.uint8]:
    """Noise that joins at its edges, its middle at 128."""
    import cv2

    raw = draw.integers(0, 256, (_TILE, _TILE), np.uint8)
    if blur > 1:
        for _ in range(2):
            wide = cv2.copyMakeBorder(raw, blur, blur, blur, blur, cv2.BORDER_WRAP)
            raw = cv2.blur(wide, (blur, blur))[blur:-blur, blur:-blur]
        stretched = (raw.astype(np.int32) - round(float(raw.mean()))) * (blur * 4 // 5) + 128
        raw = np.clip(stretched, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(raw)
