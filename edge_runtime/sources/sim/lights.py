"""What burns: headlights and tail lights with their glow, beams on the road, the lit lamps of traffic lights, and all of it mirrored when wet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.street import Point, RoadUser

Color = tuple[float, float, float]  # blue, green, red

WHITE, RED, AMBER = (205.0, 235.0, 255.0), (40.0, 36.0, 255.0), (20.0, 150.0, 255.0)
_KEPT = 192  # sprites
_SPRITE = 64  # pixels of the largest glow


class Lamp(NamedTuple):
    """Something small that shines."""

    at: tuple[float, float, float]  # metres
    color: Color
    size_m: float  # of its glow
    strength: float  # 0 to 1


def lamps_of(user: RoadUser, eye: Sequence[float], heads: float, blinks: bool) -> list[Lamp]:
    """The lamps of a user that shine towards the camera."""
    ahead_x, ahead_y = user.heading
    to_x, to_y = eye[0] - user.x_m, eye[1] - user.y_m
    away = (to_x * to_x + to_y * to_y) ** 0.5
    facing = (to_x * ahead_x + to_y * ahead_y) / max(away, 1e-6)
    if user.kind == "pedestrian":
        return []
    narrow = user.kind in ("bicycle", "motorcycle")
    sides = (0.0,) if narrow else (0.37 * user.width_m, -0.37 * user.width_m)
    small = 0.45 if user.kind == "bicycle" else 1.0
    lamps = []
    if facing > 0.05 and heads > 0:
        high = {"bus": 0.75, "truck": 0.72, "van": 0.92, "bicycle": 0.93, "motorcycle": 0.88}.get(user.kind, 0.6)
        lamps += [_set(user, 0.5 * user.length_m, side, high, WHITE, (1.5 * small, heads * facing)) for side in sides]
    if facing < -0.05 and (heads > 0 or user.braking):
        high = {"bus": 1.0, "truck": 0.8, "van": 1.2, "bicycle": 0.56, "motorcycle": 0.76}.get(user.kind, 0.68)
        strength = (0.55 * heads + (0.45 if user.braking else 0.0)) * -facing
        lamps += [_set(user, -0.5 * user.length_m, side, high, RED, (1.0 * small, strength)) for side in sides]
    if user.indicator and blinks and user.kind != "bicycle":
        side = -(0.25 if narrow else 0.45) * user.width_m * user.indicator
        lamps.append(_set(user, (0.48 if facing > 0 else -0.48) * user.length_m, side, 0.7, AMBER, (0.8, 0.35 + 0.4 * heads)))
    return lamps


def _set(user: RoadUser, ahead: float, left: float, high: float, color: Color, glow: tuple[float, float]) -> Lamp:
    x = user.x_m + user.heading[0] * ahead - user.heading[1] * left
    y = user.y_m + user.heading[1] * ahead + user.heading[0] * left
    return Lamp((x, y, high), color, *glow)


class Glow:
    """Adds lamps to a picture, each as a soft disc that is as large as it appears from the camera."""

    def __init__(self, camera: Camera, wet: float) -> None:
        self._camera = camera
        self._wet = wet
        steps = (np.arange(_SPRITE) + 0.5) / _SPRITE * 2 - 1
        apart = steps[:, None] ** 2 + steps[None, :] ** 2
        soft = np.clip(1.0 - apart, 0.0, 1.0)
        self._disc = (soft * soft * soft * 0.55 + np.clip(1.0 - apart * 9.0, 0.0, 1.0) ** 2 * 0.9).clip(0, 1).astype(np.float32)
        self._halos: dict[tuple[int, Color, int], NDArray[np.uint8]] = {}  # the latest `_KEPT`, by size, colour and strength
        self._smears: dict[tuple[int, Color, int], NDArray[np.uint8]] = {}

    def add(self, lamps: Sequence[Lamp], picture: NDArray[np.uint8], depth: NDArray[np.float32], shift: Point) -> None:
        """Lamps that nothing nearer hides shine in the picture [h, w, 3]; depth [h, w] is the inverse depth of what was drawn."""
        if not lamps:
            return
        places, depths = self._camera.project(np.array([lamp.at for lamp in lamps]))
        for lamp, (x, y), away in zip(lamps, (places + shift).tolist(), depths.tolist(), strict=True):
            column, row = int(x), int(y)
            if away <= NEAR_M or not (0 <= column < depth.shape[1] and 0 <= row < depth.shape[0]) or x < 0 or y < 0:
                continue
            if float(depth[row, column]) * (away - 0.5) > 1.0:
                continue  # hidden
            size = int(lamp.size_m * self._camera.focal_px / away / 2) * 2 + 6
            level = min(int(lamp.strength * 15 + 0.5), 15)
            if level > 0:
                self._stamp(picture, self._halo(size, lamp.color, level), column, row)
                if self._wet > 0 and lamp.at[2] < 5:
                    foot = int(self._camera.focal_px * 2 * lamp.at[2] / away)
                    self._stamp(picture, self._smear(size, lamp.color, level), column, row + foot + size)

    def _halo(self, size: int, color: Color, level: int) -> NDArray[np.uint8]:
        import cv2

        key = (size, color, level)
        if key not in self._halos:
            _make_room(self._halos)
            disc = cv2.resize(self._disc, (size, size), interpolation=cv2.INTER_AREA if size < _SPRITE else cv2.INTER_LINEAR)
            self._halos[key] = np.round(disc[:, :, None] * np.array(color, np.float32) * (level / 15)).astype(np.uint8)
        return self._halos[key]

    def _smear(self, size: int, color: Color, level: int) -> NDArray[np.uint8]:
        import cv2

        key = (size, color, level)
        if key not in self._smears:
            _make_room(self._smears)
            disc = cv2.resize(self._disc, (max(size // 2, 3), size * 3), interpolation=cv2.INTER_LINEAR)
            self._smears[key] = np.round(disc[:, :, None] * np.array(color, np.float32) * (level / 15 * 0.6 * self._wet)).astype(np.uint8)
        return self._smears[key]

    @staticmethod
    def _stamp(picture: NDArray[np.uint8], sprite: NDArray[np.uint8], column: int, row: int) -> None:
        import cv2

        high, wide = sprite.shape[:2]
        top, left = row - high // 2, column - wide // 2
        y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + high, picture.shape[0]), min(left + wide, picture.shape[1])
        if y0 < y1 and x0 < x1:
            part = picture[y0:y1, x0:x1]
            picture[y0:y1, x0:x1] = cv2.add(part, sprite[y0 - top : y1 - top, x0 - left : x1 - left])


def _make_room(sprites: dict[tuple[int, Color, int], NDArray[np.uint8]]) -> None:
    """Forget the oldest sprite when there are as many as may be kept."""
    if len(sprites) >= _KEPT:
        del sprites[next(iter(sprites))]
