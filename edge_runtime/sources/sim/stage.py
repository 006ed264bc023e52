"""Meshes on a picture: corners, colours and shadows of many figures at once, handed to the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.liveries import FINISH
from edge_runtime.sources.sim.mesh import Mesh
from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.street import Point
from edge_runtime.sources.sim.weather import Weather

_UPRIGHT = np.zeros(3)


class Figure(NamedTuple):
    """A mesh at a moment."""

    mesh: Mesh
    points: NDArray[np.float64]  # [V, 3] metres
    palette: NDArray[np.float32]  # [S, 4]
    number: int


class Cast:
    """Draws figures as one camera sees them in one weather."""

    def __init__(self, camera: Camera, weather: Weather) -> None:
        from edge_runtime.kernels import raster, shading

        self._raster = raster
        self._shading = shading
        self.darker = 0  # levels that colours stay below their value, for noise to be added
        self._owner = np.zeros((0, 0), np.int32)  # who is seen in which pixel; nobody asks
        self.camera = camera
        self._eye_sun = np.array([camera.view.eye, weather.towards_sun], np.float64)
        self.light = np.array([weather.sky, weather.bounce, weather.sun, weather.mirrored], np.float32)
        self._shadow = weather.shadow
        east, north, up = weather.towards_sun
        self._fall = np.array((-east / up, -north / up, 1.0))

    def show(
        self,
        figures: Sequence[Figure],
        picture: NDArray[np.uint8],
        depth: NDArray[np.float32],
        shift: Point,
        *,
        lights: NDArray[np.float32] | None = None,
    ) -> None:
        """Draw figures, given from far to near, `shift` pixels right and down; depth [h, w] is the inverse depth of what stands in the picture.

        lights [N, 4, 3]: of the sky, from the ground, of the sun, as mirrored, for each figure; by default those of the weather.
        """
        if not figures:
            return
        together = _Together.of(figures, [figure.mesh.faces for figure in figures])
        if self._owner.shape != depth.shape:
            self._owner = np.zeros(depth.shape, np.int32)
        if lights is None:
            lights = np.repeat(self.light[None], len(figures), axis=0)
        slots, shades = np.concatenate([figure.mesh.slots for figure in figures]), np.concatenate([figure.mesh.shades for figure in figures])
        colors = np.empty((len(together.faces), 3), np.uint8)
        palettes = np.ascontiguousarray(np.stack([figure.palette for figure in figures]))
        self._shading.color(together.points, self._eye_sun, together.faces, together.bodies, slots, shades, palettes, lights, FINISH, colors)
        if self.darker:
            np.subtract(np.maximum(colors, self.darker), self.darker, out=colors)
        touched = np.zeros((len(figures), 4), np.int64)
        self._raster.draw(
            picture, depth, self._owner, self._corners(together.points, shift, _UPRIGHT), together.faces, colors, together.bodies, touched
        )

    def shares(self, figures: Sequence[Figure], depth: NDArray[np.float32]) -> NDArray[np.float64]:
        """[N] how much of each figure's outline within the picture is seen, before depth [h, w] and behind nearer figures; 0: it has none."""
        together = _Together.of(figures, [figure.mesh.faces for figure in figures])
        together.bodies[:, 2] = np.arange(1, len(figures) + 1)
        corners = self._corners(together.points, (0.0, 0.0), _UPRIGHT)
        colors, picture = np.zeros((len(together.faces), 3), np.uint8), np.zeros((*depth.shape, 3), np.uint8)
        touched = np.zeros((len(figures), 4), np.int64)
        owner, nearest = np.zeros(depth.shape, np.int32), depth.copy()
        self._raster.draw(picture, nearest, owner, corners, together.faces, colors, together.bodies, touched)
        seen = np.bincount(owner.reshape(-1), minlength=len(figures) + 1)[1:]
        alone = np.zeros(len(figures))
        nearest[:] = 0.0
        for k, (top, bottom, left, right) in enumerate(touched.tolist()):
            if top < bottom:
                self._raster.draw(picture, nearest, owner, corners, together.faces, colors, together.bodies[k : k + 1], touched[k : k + 1])
                alone[k] = np.count_nonzero(nearest[top:bottom, left:right])
                nearest[top:bottom, left:right] = 0.0
        return np.asarray(seen / np.maximum(alone, 1.0))

    def shade(self, figures: Sequence[Figure], mask: NDArray[np.uint8], lit: NDArray[np.uint8], shift: Point) -> None:
        """Raise mask [h, w] to the darkness, of 255, where the sun does not reach the ground because of figures."""
        together = _Together.of(figures, [figure.mesh.outline for figure in figures])
        self._raster.cast(mask, self._corners(together.points, shift, self._fall), together.faces, together.bodies, lit, round(255 * self._shadow))

    def _corners(self, points: NDArray[np.float64], shift: Point, fall: NDArray[np.float64]) -> NDArray[np.float64]:
        camera = self.camera
        middle = (camera.size.width / 2 + shift[0], camera.size.height / 2 + shift[1])
        view = np.array([*camera.axes.tolist(), camera.view.eye, (camera.focal_px, *middle)], np.float64)
        corners = np.empty((len(points), 3))
        self._shading.project(points, view, fall, NEAR_M, corners)
        return corners


class _Together(NamedTuple):
    """Figures as the kernels take them."""

    points: NDArray[np.float64]
    faces: NDArray[np.int32]
    bodies: NDArray[np.int64]  # [N, 5] first face, past the last, number, first corner, past the last

    @staticmethod
    def of(figures: Sequence[Figure], own: Sequence[NDArray[np.int32]]) -> _Together:
        """`own`: the faces of each figure."""
        corners = np.cumsum([0, *(len(figure.points) for figure in figures)])
        ends = np.cumsum([0, *(len(faces) for faces in own)])
        bodies = np.zeros((len(figures), 5), np.int64)
        bodies[:, 0], bodies[:, 1] = ends[:-1], ends[1:]
        bodies[:, 3], bodies[:, 4] = corners[:-1], corners[1:]
        bodies[:, 2] = [figure.number for figure in figures]
        faces = np.concatenate(own)
        faces += np.repeat(corners[:-1], np.diff(ends)).astype(np.int32)[:, None]
        return _Together(np.ascontiguousarray(np.concatenate([figure.points for figure in figures])), faces, bodies)
