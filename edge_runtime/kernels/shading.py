"""Corners and colours of simulated bodies, before they are drawn. Plain twin: tests/naive_raster.py."""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, njit, types, uint8
from numpy.typing import NDArray

_GRID = 256.0  # corners to a pixel: what they are rounded to


@njit([types.void(float64[:, ::1], float64[:, ::1], float64[::1], float64, float64[:, ::1])], nogil=True, cache=True, error_model="numpy")
def project(points: NDArray[np.float64], view: NDArray[np.float64], fall: NDArray[np.float64], near: float, corners: NDArray[np.float64]) -> None:
    """Points [V, 3] in metres -> corners [V, 3] as `raster.draw` takes them: x, y on a grid of 1/256 px, inverse depth; 0 where nearer than `near`.

    view [5, 3]: unit vectors to the right, down and ahead; the eye; focal length and the middle of the picture in pixels. fall [3]: where a
    shadow lies east and north of a metre of height, and 1 to project the points' shadows on the ground instead of the points; else zeros.
    """
    for k in range(len(points)):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        x, y, z = x + z * fall[0] - view[3, 0], y + z * fall[1] - view[3, 1], z * (1.0 - fall[2]) - view[3, 2]
        depth = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z
        scale = view[4, 0] / max(depth, near)
        across = scale * (view[0, 0] * x + view[0, 1] * y + view[0, 2] * z) + view[4, 1]
        down = scale * (view[1, 0] * x + view[1, 1] * y + view[1, 2] * z) + view[4, 2]
        corners[k, 0] = np.floor(across * _GRID + 0.5) / _GRID
        corners[k, 1] = np.floor(down * _GRID + 0.5) / _GRID
        corners[k, 2] = 1.0 / depth if depth > near else 0.0


@njit(
    [
        types.void(
            float64[:, ::1],
            float64[:, ::1],
            int32[:, ::1],
            int64[:, ::1],
            uint8[::1],
            float32[::1],
            float32[:, :, ::1],
            float32[:, :, ::1],
            float64[:, ::1],
            uint8[:, ::1],
        )
    ],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def color(
    points: NDArray[np.float64],
    eye_sun: NDArray[np.float64],
    faces: NDArray[np.int32],
    bodies: NDArray[np.int64],
    slots: NDArray[np.uint8],
    shades: NDArray[np.float32],
    palettes: NDArray[np.float32],
    lights: NDArray[np.float32],
    finish: NDArray[np.float64],
    colors: NDArray[np.uint8],
) -> None:
    """The colour of every face under sky, ground and sun: Lambert's law over a hemisphere, and a mirrored sky on what shines.

    points [V, 3] in metres; eye_sun [2, 3]: where the camera is, the unit vector towards the sun. palettes [N, S, 4]: blue, green, red of each
    slot, and how much of it shines by itself, 0 to 1. lights [N, 4, 3]: of the sky, from the ground, of the sun, as mirrored; 1 leaves a colour
    as it is. finish [S, 2]: how much a slot mirrors when seen straight and when seen along its surface. colors [F, 3] receives blue, green, red.
    """
    for b in range(len(bodies)):
        for f in range(bodies[b, 0], bodies[b, 1]):
            p0, p1, p2, p3 = faces[f, 0], faces[f, 1], faces[f, 2], faces[f, 3]
            ux, uy, uz = points[p2, 0] - points[p0, 0], points[p2, 1] - points[p0, 1], points[p2, 2] - points[p0, 2]
            vx, vy, vz = points[p3, 0] - points[p1, 0], points[p3, 1] - points[p1, 1], points[p3, 2] - points[p1, 2]
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            size = np.sqrt(nx * nx + ny * ny + nz * nz)
            if size > 0.0:
                nx, ny, nz = nx / size, ny / size, nz / size
            ex, ey, ez = eye_sun[0, 0] - points[p0, 0], eye_sun[0, 1] - points[p0, 1], eye_sun[0, 2] - points[p0, 2]
            far = np.sqrt(ex * ex + ey * ey + ez * ez)
            facing = (nx * ex + ny * ey + nz * ez) / max(far, 1e-9)
            sun = max(0.0, nx * eye_sun[1, 0] + ny * eye_sun[1, 1] + nz * eye_sun[1, 2])
            up = 0.5 + 0.5 * nz
            slot = slots[f]
            glance = 1.0 - max(0.0, facing)
            mirror = finish[slot, 0] + (finish[slot, 1] - finish[slot, 0]) * glance * glance * glance
            mirrored_up = 2.0 * facing * nz - ez / max(far, 1e-9)  # z of the mirrored line of sight
            sky = min(max(mirrored_up * 2.0 + 0.75, 0.15), 1.0)
            for c in range(3):
                light = (lights[b, 0, c] * up + lights[b, 1, c] * (1.0 - up)) * shades[f] + lights[b, 2, c] * sun
                own = palettes[b, slot, c]
                glow = palettes[b, slot, 3]
                value = own * (light * (1.0 - glow) + glow) * (1.0 - mirror) + lights[b, 3, c] * mirror * sky
                colors[f, c] = min(max(int(value + 0.5), 0), 255)
