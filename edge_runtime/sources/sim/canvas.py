"""What the background is drawn on: a picture twice as fine as the camera's, with depth, sunlight and what shines by itself.

albedo    [H, W, 3]  colours as under white light         sun    [H, W]  how much of the sun reaches a pixel, of 255
glow      [H, W, 3]  light of windows and lamps           depth  [H, W]  inverse depth of what stands (not of the ground), 1/m
kinds     [H, W]     of ground: 0 bare, 1 asphalt, 2 slabs, 3 grass, 4 paint
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import Point, View
from edge_runtime.types import Size

FINE = 2  # canvas pixels to a pixel of the camera
MARGIN = 4  # pixels around the picture, for a camera that shakes
_SHIFT = 4  # binary places of a corner
_CLIP_M = 0.6

Color = tuple[float, float, float]


class Canvas:
    """The fine picture of a view, `MARGIN` wider than the camera's on every side."""

    def __init__(self, view: View, size: Size) -> None:
        self.camera = Camera(view, size)
        self.width, self.height = (size.width + 2 * MARGIN) * FINE, (size.height + 2 * MARGIN) * FINE
        self.albedo = np.zeros((self.height, self.width, 3), np.uint8)
        self.glow = np.zeros((self.height, self.width, 3), np.uint8)
        self._rays: dict[int, NDArray[np.float32]] = {}  # by step
        self.kinds = np.zeros((self.height, self.width), np.uint8)
        self.sun = np.zeros((self.height, self.width), np.uint8)
        self.depth = np.zeros((self.height, self.width), np.float32)

    def places(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points [N, 3] in metres -> canvas pixels [N, 2], depths [N]."""
        places, depths = self.camera.project(points)
        return (places + MARGIN) * FINE, depths

    def outline(self, ground: Sequence[Point] | NDArray[np.float64], high_m: float = 0.0) -> NDArray[np.int32]:
        """A flat polygon in metres -> its corners in sixteenths of a canvas pixel, [N, 2]; empty when behind the camera."""
        corners = np.array([(x, y, high_m) for x, y in ground])
        clipped = _in_front(self.camera.seen(corners), 1.5 * self.camera.size.width / self.camera.focal_px)
        if len(clipped) < 3:
            return np.zeros((0, 2), np.int32)
        places = self.camera.focal_px * clipped[:, :2] / clipped[:, 2:] + (self.camera.size.width / 2, self.camera.size.height / 2)
        fine = (places + MARGIN) * FINE - 0.5
        return np.round(fine * (1 << _SHIFT)).astype(np.int32)

    def fill(self, image: NDArray[np.uint8], ground: Sequence[Point] | NDArray[np.float64], color: Color) -> None:
        """Fill a flat polygon on the ground (convex or not) in one of the canvas's images."""
        import cv2

        outline = self.outline(ground)
        if len(outline):
            cv2.fillPoly(image, [outline], color, cv2.LINE_8, _SHIFT)

    def rays(self, step: int) -> NDArray[np.float32]:
        """[H/step, W/step, 3] what to go per metre of depth, seen from the middle of each block of `step` canvas pixels."""
        if step in self._rays:
            return self._rays[step]
        xs = ((np.arange(self.width // step) + 0.5) * step / FINE - MARGIN - self.camera.size.width / 2) / self.camera.focal_px
        ys = ((np.arange(self.height // step) + 0.5) * step / FINE - MARGIN - self.camera.size.height / 2) / self.camera.focal_px
        right, down, ahead = self.camera.axes.astype(np.float32)
        grid = xs.astype(np.float32)[None, :, None] * right + ys.astype(np.float32)[:, None, None] * down + ahead
        self._rays[step] = np.asarray(grid, np.float32)
        return self._rays[step]

    def wall(self, quad: NDArray[np.float64], texture: NDArray[np.uint8], glow: NDArray[np.uint8], sun: float) -> None:
        """A textured rectangle in space where nothing nearer stands; quad [4, 3] from its lower left corner, counter-clockwise seen from outside."""
        import cv2

        places, depths = self.places(quad)
        if (depths < _CLIP_M).any():
            return
        area = (places[2, 0] - places[0, 0]) * (places[3, 1] - places[1, 1]) - (places[3, 0] - places[1, 0]) * (places[2, 1] - places[0, 1])
        (left, top), (right, bottom) = np.floor(places.min(0)).astype(int), np.ceil(places.max(0)).astype(int)
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, self.width), min(bottom, self.height)
        if area >= 0 or left >= right or top >= bottom:
            return
        high, wide = texture.shape[:2]
        source = np.array([(0, high), (wide, high), (wide, 0), (0, 0)], np.float32) - 0.5
        target = (places - (left, top) - 0.5).astype(np.float32)
        warp = cv2.getPerspectiveTransform(source, target)
        size = (right - left, bottom - top)
        inside = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillConvexPoly(inside, np.round(target * 16).astype(np.int32), 255, cv2.LINE_8, _SHIFT)
        flat = np.linalg.solve(np.concatenate([places[:3], np.ones((3, 1))], axis=1), 1.0 / depths[:3])
        xs, ys = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
        inverse = (flat[0] * xs[None, :] + (flat[1] * ys + flat[2])[:, None]).astype(np.float32)
        part = np.s_[top:bottom, left:right]
        shown = (inside > 0) & (inverse > self.depth[part])
        smaller = _mipped(texture, glow, places)
        scale = np.diag([texture.shape[1] / smaller[0].shape[1], texture.shape[0] / smaller[0].shape[0], 1.0])
        for image, drawn in ((self.albedo, smaller[0]), (self.glow, smaller[1])):
            image[part][shown] = cv2.warpPerspective(drawn, warp @ scale, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[shown]
        self.depth[part][shown] = inverse[shown]
        self.sun[part][shown] = round(255 * sun)


def _mipped(texture: NDArray[np.uint8], glow: NDArray[np.uint8], places: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Textures small enough for what is seen of them, so that they do not flicker."""
    import cv2

    wide = float(np.abs(places[[1, 2], 0] - places[[0, 3], 0]).max())
    high = float(np.abs(places[[3, 2], 1] - places[[0, 1], 1]).max())
    size = (int(min(texture.shape[1], max(8, wide * 1.5))), int(min(texture.shape[0], max(8, high * 1.5))))
    return cv2.resize(texture, size, interpolation=cv2.INTER_AREA), cv2.resize(glow, size, interpolation=cv2.INTER_AREA)


def _in_front(seen: NDArray[np.float64], steepest: float) -> NDArray[np.float64]:
    """The part of a polygon, in the camera's axes, that is ahead and not farther aside than `steepest` times its depth, so that its corners stay
    small numbers (Sutherland and Hodgman, CACM 17(1), 1974)."""
    planes = ((0, 0, 1, _CLIP_M), (1, 0, steepest, 0), (-1, 0, steepest, 0), (0, 1, steepest, 0), (0, -1, steepest, 0))
    corners = [(float(x), float(y), float(z)) for x, y, z in seen]
    for a, b, c, least in planes:
        kept = []
        for k, start in enumerate(corners):
            end = corners[(k + 1) % len(corners)]
            within = a * start[0] + b * start[1] + c * start[2] - least
            beyond = a * end[0] + b * end[1] + c * end[2] - least
            if within >= 0:
                kept.append(start)
            if (within >= 0) != (beyond >= 0):
                part = within / (within - beyond)
                kept.append((start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part, start[2] + (end[2] - start[2]) * part))
        corners = kept
    return np.array(corners) if corners else np.zeros((0, 3))
