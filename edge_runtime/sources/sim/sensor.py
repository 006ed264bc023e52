"""What a camera adds: it shakes with its mast, its sensor is noisy, and rain falls before it.

Noise and streaks are drawn once, as tiles; each picture takes one tile at an offset that its moment settles. Noise is added as levels from 0 to
twice its middle, so that one saturating addition does; the background is darker by that middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import draw
from edge_runtime.sources.sim.canvas import FINE, MARGIN
from edge_runtime.sources.sim.weather import Weather
from edge_runtime.types import Size

_ROOM = 96  # pixels that a tile is larger than the picture
_SWAYS_S = 0.11  # between the places that a shaking camera swings through


class Sensor:
    """The camera's own part of a picture. `middle`: by how many levels noise brightens it."""

    def __init__(self, size: Size, weather: Weather, seed: int, shake: float | None, noise: float | None) -> None:
        self._size = size
        self._seed = seed
        self._shake = min(weather.shake if shake is None else shake, MARGIN - 1.0)
        spread = weather.noise if noise is None else noise
        grain = np.random.Generator(np.random.PCG64(seed + 77))
        tiles = 3 if weather.streaks > 0 else 1
        self._tiles = [_tile(size, spread, weather.streaks, grain) for _ in range(tiles)] if spread > 0 or weather.streaks > 0 else []
        self.middle = round(2.4 * spread)

    def shift(self, time_s: float) -> tuple[int, int]:
        """By how many canvas pixels (halves of a pixel) the picture is moved down and to the right."""
        if self._shake <= 0:
            return (0, 0)
        step = int(time_s / _SWAYS_S)
        part = time_s / _SWAYS_S - step
        part = part * part * (3 - 2 * part)
        moves = []
        for axis in (0, 1):
            a, b = (draw(self._seed, 1000 + 2 * (step + k) + axis, 2001) / 1000 - 1 for k in (0, 1))
            moves.append(round((a + (b - a) * part) * self._shake * FINE))
        return (moves[0], moves[1])

    def expose(self, picture: NDArray[np.uint8], time_s: float) -> None:
        """Add noise and rain to a picture, in place."""
        import cv2

        if not self._tiles:
            return
        frame = round(time_s * 1000)
        tile = self._tiles[draw(self._seed, 3 * frame, len(self._tiles))]
        top, left = draw(self._seed, 3 * frame + 1, _ROOM), draw(self._seed, 3 * frame + 2, _ROOM)
        part = tile[top : top + self._size.height, left : left + self._size.width]
        cv2.add(picture, part, dst=picture)


def _tile(size: Size, spread: float, streaks: float, grain: np.random.Generator) -> NDArray[np.uint8]:
    """Noise around a middle of 2.4 · spread (sums of four uniform numbers: the same on every machine), and streaks of rain."""
    import cv2

    shape = (size.height + _ROOM, size.width + _ROOM)
    tile = np.zeros((*shape, 3), np.uint8)
    if spread > 0:
        steps = round(spread * 256 / 148)  # four uniform bytes have a standard deviation of 148
        middle = round(2.4 * spread)
        common = sum(grain.integers(0, 256, shape, np.uint8).astype(np.int32) for _ in range(4)) - 510
        for c in range(3):
            own = sum(grain.integers(0, 256, shape, np.uint8).astype(np.int32) for _ in range(4)) - 510
            level = ((common * 220 + own * 131) // 256 * steps + 128) // 256 + middle
            tile[:, :, c] = np.clip(level, 0, 2 * middle)
    if streaks > 0:
        rain = np.zeros(shape, np.uint8)
        for _ in range(size.width * size.height // 1500):
            x, y, long, level = (int(part) for part in grain.integers(0, (shape[1], shape[0], 1000, 1000)))
            far = 0.35 + 0.65 * level / 1000
            reach = int((8 + 34 * long / 1000) * far * size.height / 720)
            cv2.line(rain, (x, y), (x - reach // 7, y + max(reach, 3)), round(streaks * far), 1, cv2.LINE_AA)
        tile = cv2.add(tile, cv2.merge([rain, rain, rain]))
    return tile
