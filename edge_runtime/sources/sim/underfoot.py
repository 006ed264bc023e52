"""What road users do to the ground: shadows in the sun, darkness beneath them, beams of headlights before them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.stage import Cast, Figure
from edge_runtime.sources.sim.street import Point, RoadUser
from edge_runtime.sources.sim.weather import Weather

_REACH_M = 0.45  # of the darkness around a footprint
_BEAM_M = {"car": 15.0, "van": 15.0, "bus": 16.0, "truck": 16.0, "motorcycle": 13.0, "bicycle": 6.0}
_TINT = np.array((0.80, 0.95, 1.0))


class Underfoot:
    """Draws on the ground, before bodies are drawn."""

    def __init__(self, camera: Camera, weather: Weather, cast: Cast, lit: NDArray[np.uint8]) -> None:
        from edge_runtime.kernels import ground

        self._kernels = ground
        self._camera = camera
        self._weather = weather
        self._cast = cast
        self._lit = lit
        self._mask = np.zeros((camera.size.height, camera.size.width), np.uint8)

    def draw(self, users: Sequence[RoadUser], figures: Sequence[Figure], onto: tuple[NDArray[np.uint8], NDArray[np.float32]], shift: Point) -> None:
        """Darken and brighten the ground, in place. Users and figures go together; `onto`: a picture, and inverse depths of what stands in it."""
        if not users:
            return
        to_ground = self._to_ground(shift)
        if self._weather.shadow > 0:
            self._cast.shade(figures, self._mask, self._lit, shift)
        places = np.array([(user.x_m, user.y_m, *user.heading, 0.5 * user.length_m, 0.5 * user.width_m) for user in users])
        places[:, 4:] *= [(0.35, 0.5) if user.kind == "pedestrian" else (0.85, 0.45) if user.width_m < 1.2 else (0.95, 0.92) for user in users]
        self._kernels.contact(self._mask, to_ground, places, self._parts(places, _REACH_M, _REACH_M, shift), _REACH_M, 255 * self._weather.contact)
        self._kernels.darken(onto[0], self._mask, onto[1])
        if self._weather.heads > 0:
            self._beams(users, to_ground, onto, shift)

    def _beams(
        self, users: Sequence[RoadUser], to_ground: NDArray[np.float64], onto: tuple[NDArray[np.uint8], NDArray[np.float32]], shift: Point
    ) -> None:
        lamps = []
        for user in users:
            reach = _BEAM_M.get(user.kind)
            if reach is not None:
                x, y = user.x_m + user.heading[0] * user.length_m / 2, user.y_m + user.heading[1] * user.length_m / 2
                lamps.append((x, y, *user.heading, reach, 0.3 + 0.45 * user.width_m))
        if lamps:
            table = np.array(lamps)
            middle = table.copy()
            middle[:, :2] += table[:, 2:4] * table[:, 4:5] / 2
            middle[:, 5] += 0.22 * table[:, 4]
            middle[:, 4] /= 2
            strength = self._weather.heads**2 * (1.9 if self._weather.lamps >= 1 else 0.45)
            self._kernels.beam(*onto, to_ground, table, self._parts(middle, 0.0, 0.0, shift), _TINT * strength)

    def _to_ground(self, shift: Point) -> NDArray[np.float64]:
        """[3, 3] from a shifted pixel to the ground, homogeneous."""
        camera = self._camera
        right, down, ahead = camera.axes
        rays = np.stack([right / camera.focal_px, down / camera.focal_px, ahead], axis=1)  # columns: per pixel right, per pixel down, ahead
        rays[:, 2] -= rays[:, 0] * (camera.size.width / 2 + shift[0]) + rays[:, 1] * (camera.size.height / 2 + shift[1])
        high = camera.eye[2]
        return np.ascontiguousarray(np.stack([camera.eye[0] * rays[2] - high * rays[0], camera.eye[1] * rays[2] - high * rays[1], rays[2]]))

    def _parts(self, places: NDArray[np.float64], ahead: float, aside: float, shift: Point) -> NDArray[np.int64]:
        """[N, 4] the rows and columns that rectangles on the ground touch; none for those that reach behind the camera."""
        corners = []
        for long, wide in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
            u, v = long * (places[:, 4] + ahead), wide * (places[:, 5] + aside)
            corners.append(
                np.stack([places[:, 0] + places[:, 2] * u - places[:, 3] * v, places[:, 1] + places[:, 3] * u + places[:, 2] * v, 0 * u], axis=1)
            )
        spots, depths = self._camera.project(np.concatenate(corners))
        spots = (spots + shift).reshape(4, -1, 2)
        low, high = np.floor(spots.min(0)), np.ceil(spots.max(0))
        size = self._camera.size
        parts = np.stack(
            [
                np.clip(low[:, 1], 0, size.height),
                np.clip(high[:, 1], 0, size.height),
                np.clip(low[:, 0], 0, size.width),
                np.clip(high[:, 0], 0, size.width),
            ],
            axis=1,
        ).astype(np.int64)
        parts[(depths.reshape(4, -1) <= NEAR_M).any(0)] = 0
        return parts
