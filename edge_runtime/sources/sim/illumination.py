"""Light on the background: sky, sun and street lamps on what was drawn, sky above, haze with distance, and mirrors on wet ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.canvas import FINE, Canvas
from edge_runtime.sources.sim.furniture import LAMP_M
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import Point, Scene
from edge_runtime.sources.sim.weather import LAMP_LIGHT, Weather

_MIRRORS = np.array([0.3, 1.0, 0.62, 0.08, 0.9], np.float32)  # how well a kind of ground does when wet
_COARSE = 8  # canvas pixels to a sample of lamplight
_REACH_M = 9.5  # from a lamp's foot to where half of its light is left


def lamps_near(scene: Scene, camera: Camera) -> tuple[Point, ...]:
    """Where street lamps light the ground: those of the scene, and the one on the camera's own mast, which is never in the picture."""
    ahead = camera.ground((camera.size.width / 2, camera.size.height * 0.86))
    return (*scene.lamps, ahead)


def lamplight(lamps: Sequence[Point], x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much light of street lamps reaches points, 0 to about 1; any shape. Their light falls downwards."""
    total = np.zeros(np.shape(x))
    above = np.maximum(z - LAMP_M + 2.5, 0.0)
    for lamp_x, lamp_y in lamps:
        apart = ((x - lamp_x) ** 2 + (y - lamp_y) ** 2 + 2.2 * above * above) / (_REACH_M * _REACH_M)
        total += 1.05 / ((1.0 + apart) * (1.0 + apart))
    return np.minimum(total, 1.2)


def illuminate(canvas: Canvas, scene: Scene, weather: Weather, draw: np.random.Generator) -> NDArray[np.uint8]:
    """The canvas as it looks, [H, W, 3]."""
    rays = canvas.rays(1)
    below = rays[:, :, 2] < -1e-3
    ground = np.where(below, rays[:, :, 2] / np.float32(-canvas.camera.view.eye[2]), 0).astype(np.float32)
    stands = canvas.depth > 0
    inverse = np.where(stands, canvas.depth, ground)
    empty = inverse <= 1e-4
    lamps = _lamps(canvas, scene, inverse) * np.float32(weather.lamps) if weather.lamps > 0 else None
    far = 1.0 / np.maximum(inverse, np.float32(1e-4))
    haze = far / (far + np.float32(weather.haze_m))
    above = int(np.flatnonzero(empty.any(axis=1)).max(initial=-1)) + 1  # rows that show any sky
    sky = _sky(canvas, weather, draw, above)
    shown = np.empty_like(canvas.albedo)
    for c in range(3):
        sideways = 0.62 * weather.sky[c] + 0.38 * weather.bounce[c] + 0.10 * weather.sky[c]
        light: NDArray[Any] = np.where(stands, np.float32(sideways), np.float32(weather.sky[c]))
        light += canvas.sun * np.float32(weather.sun[c] / 255.0)
        if lamps is not None:
            light += lamps * np.float32(LAMP_LIGHT[c])
        level = canvas.albedo[:, :, c] * light
        level += canvas.glow[:, :, c] * np.float32(0.35 + 0.65 * (1.0 - min(weather.sky[2], 1.0)))
        level += (np.float32(weather.horizon[c]) - level) * haze
        level[:above] = np.where(empty[:above], sky[:, :, c], level[:above])
        shown[:, :, c] = np.clip(level + 0.5, 0, 255).astype(np.uint8)
    if weather.wet > 0:
        _mirror(canvas, shown, ~stands & ~empty, weather.wet)
    return shown


def _lamps(canvas: Canvas, scene: Scene, inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    rays = canvas.rays(_COARSE)
    rows, columns = rays.shape[:2]
    near = inverse[_COARSE // 2 :: _COARSE, _COARSE // 2 :: _COARSE][:rows, :columns]
    points = rays / np.maximum(near, 1e-4)[:, :, None] + canvas.camera.eye
    light = lamplight(lamps_near(scene, canvas.camera), points[:, :, 0], points[:, :, 1], points[:, :, 2]).astype(np.float32)
    return np.asarray(cv2.resize(light, (canvas.width, canvas.height), interpolation=cv2.INTER_LINEAR), np.float32)


def _sky(canvas: Canvas, weather: Weather, draw: np.random.Generator, rows: int) -> NDArray[np.float32]:
    """The uppermost rows: from the zenith's colour to the horizon's, with soft clouds."""
    import cv2

    up = np.clip(canvas.rays(1)[:rows, :, 2], 0.0, 0.5) * 2.0
    part = np.sqrt(up)[:, :, None]
    sky = np.array(weather.horizon, np.float32) * (1 - part) + np.array(weather.zenith, np.float32) * part
    if weather.clouds > 0 and rows > 0:
        cloud = np.zeros((rows, canvas.width), np.float32)
        for cells, strength in ((5, 0.55), (11, 0.30), (27, 0.15)):
            small = draw.integers(0, 256, (cells * 2, cells), np.uint8)
            cloud += strength * cv2.resize(small, (canvas.width, canvas.height), interpolation=cv2.INTER_CUBIC)[:rows].astype(np.float32)
        share = np.clip((cloud - 118.0) / 70.0, 0.0, 1.0)[:, :, None] * np.float32(weather.clouds * 0.75)
        bright = np.minimum(np.array(weather.horizon, np.float32) * 1.06, 250.0)
        sky = sky * (1 - share) + bright * share
    return np.asarray(sky, np.float32)


def _mirror(canvas: Canvas, shown: NDArray[np.uint8], ground: NDArray[np.bool_], wet: float) -> None:
    """Blend what stands beyond into wet ground: each column mirrored where its ground begins, smeared downwards, fainter when near."""
    import cv2

    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    first = np.where(ground.any(axis=0), ground.argmax(axis=0), canvas.height).astype(np.float32)
    first = cv2.blur(first[None, :], (41 * FINE, 1))[0]
    source_y = np.clip(2 * first[None, :] - rows, 0, canvas.height - 1)
    source_x = np.repeat(np.arange(canvas.width, dtype=np.float32)[None, :], canvas.height, axis=0)
    mirrored = cv2.remap(shown, source_x, source_y.astype(np.float32), cv2.INTER_LINEAR)
    mirrored = cv2.blur(cv2.blur(mirrored, (9 * FINE, 15 * FINE)), (5 * FINE, 15 * FINE))
    share = np.clip((rows - first[None, :]) / canvas.height, 0, 1)
    weight = np.where(ground, wet * _MIRRORS[canvas.kinds] * (0.62 - 0.45 * share), 0.0).astype(np.float32)[:, :, None]
    shown[:] = np.clip(shown * (1 - 0.30 * np.float32(wet) * (weight > 0)) * (1 - 0.6 * weight) + mirrored * weight * 0.85 + 0.5, 0, 255).astype(
        np.uint8
    )
