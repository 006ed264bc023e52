"""The simulated camera: a pinhole above the street, from metres on the ground to pixels and back.

eye ●───────────► forward      columns of the picture grow to the right, rows downwards; (0, 0) is the top left CORNER of the picture,
    │╲ pitch                   so pixel (i, j) covers [i, i+1) × [j, j+1)
    │  ╲                              x = w/2 + f·right/depth
────┴────╲────── ground               y = h/2 + f·down/depth          f = (w/2) / tan(hfov/2), depth in metres along forward
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import place
from edge_runtime.sources.sim.street import Point, RoadUser, View
from edge_runtime.types import Size

NEAR_M = 0.3  # what is nearer than this, or behind the camera, counts as this far away


class Camera:
    """A view of a picture's size. Angles become rounded numbers once, so that every machine projects alike."""

    def __init__(self, view: View, size: Size) -> None:
        yaw, pitch = math.radians(view.yaw_deg), math.radians(view.pitch_deg)
        sin_yaw, cos_yaw = round(math.sin(yaw), 9), round(math.cos(yaw), 9)
        sin_pitch, cos_pitch = round(math.sin(pitch), 9), round(math.cos(pitch), 9)
        self.view = view
        self.size = size
        self.focal_px = round(size.width / 2 / math.tan(math.radians(view.hfov_deg) / 2), 6)
        self.eye = np.array(view.eye, np.float64)
        self.axes = np.array(  # rows: right, down, forward
            [
                (cos_yaw, -sin_yaw, 0.0),
                (-sin_yaw * sin_pitch, -cos_yaw * sin_pitch, -cos_pitch),
                (sin_yaw * cos_pitch, cos_yaw * cos_pitch, -sin_pitch),
            ]
        )

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points [N, 3] in metres -> places [N, 2] in pixels and depths [N] in metres (at most zero: behind the camera)."""
        seen = self.seen(points)
        depth = seen[:, 2]
        return self.focal_px * seen[:, :2] / np.maximum(depth, NEAR_M)[:, None] + (self.size.width / 2, self.size.height / 2), depth

    def seen(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points [N, 3] in metres -> [N, 3]: metres to the right, down and ahead of the eye."""
        x, y, z = (points - self.eye).T
        return np.stack([a * x + b * y + c * z for a, b, c in self.axes.tolist()], axis=1)

    def ground(self, px: Point) -> Point:
        """The place on the ground, in metres, that is seen at a pixel; infinite from the horizon upwards."""
        right, down = (px[0] - self.size.width / 2) / self.focal_px, (px[1] - self.size.height / 2) / self.focal_px
        x, y, z = (right * self.axes[0] + down * self.axes[1] + self.axes[2]).tolist()
        if z >= -1e-9:
            return (math.inf, math.inf)
        ahead = -self.view.eye[2] / z
        return (self.view.eye[0] + ahead * x, self.view.eye[1] + ahead * y)

    def boxes(self, users: Sequence[RoadUser]) -> NDArray[np.float64]:
        """[N, 4] left, top, right, bottom in pixels: the bounds of each user's whole body, hidden or not, within the picture or not.

        All zeros for a user of which nothing is in front of the camera.
        """
        if not users:
            return np.zeros((0, 4))
        placed = place(users)
        places, depths = self.project(placed.points)
        boxes = np.concatenate(
            [np.minimum.reduceat(places, placed.starts, axis=0), np.maximum.reduceat(places, placed.starts, axis=0)],
            axis=1,
        )
        boxes[np.maximum.reduceat(depths, placed.starts) <= NEAR_M] = 0.0
        return boxes
