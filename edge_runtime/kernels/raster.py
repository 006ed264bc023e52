"""Drawing of simulated bodies: convex quads with depth, four samples to a pixel. Plain twin: tests/naive_raster.py.

    ┌───────────────┐   a pixel has four samples, no two in one row or one column, so that edges near the horizontal and the vertical both
    │      ●        │   fade in four steps (rotated grid, Shirley's n-rooks): sample k lies at ((2·ACROSS[k] + 1)/8, (2k + 1)/8)
    │             ● │
    │  ●            │   a body is drawn row by row: each of its faces leaves the depth and the number of the nearest face at the samples
    │          ●    │   of one row; then the row is blended into the picture where the body is nearer than what stands there already
    └───────────────┘

Depths are inverse (1/m): they are linear over the picture, larger is nearer, 0 is infinitely far.
Corners are expected on a grid of 1/256 px, so that machines agree on them; nothing here may be contracted or reordered.
"""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int32, int64, njit, types, uint8
from numpy.typing import NDArray

SAMPLES = 4
_ACROSS = (3, 7, 1, 5)  # eighths of a pixel


@njit(inline="always")
def _span(xs: NDArray[np.float64], ys: NDArray[np.float64], at: float) -> tuple[float, float]:
    """Where the row at height `at` enters and leaves a convex quad; enters after it leaves where it does neither."""
    low, high = 1e30, -1e30
    for k in range(4):
        x0, y0 = xs[k], ys[k]
        x1, y1 = xs[(k + 1) & 3], ys[(k + 1) & 3]
        if (y0 <= at) != (y1 <= at):
            x = x0 + (at - y0) * (x1 - x0) / (y1 - y0)
            low = min(low, x)
            high = max(high, x)
    return low, high


@njit(inline="always")
def _area(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Twice the signed area of a quad: negative for those that turn counter-clockwise on a picture whose rows grow downwards."""
    return (xs[2] - xs[0]) * (ys[3] - ys[1]) - (xs[3] - xs[1]) * (ys[2] - ys[0])


@njit(inline="always")
def _plane(xs: NDArray[np.float64], ys: NDArray[np.float64], zs: NDArray[np.float64], plane: NDArray[np.float64]) -> None:
    """Inverse depth as a·x + b·y + c over a quad, by its diagonals; a quad that is nearly a line gets the mean."""
    ux, uy, uz = xs[2] - xs[0], ys[2] - ys[0], zs[2] - zs[0]
    vx, vy, vz = xs[3] - xs[1], ys[3] - ys[1], zs[3] - zs[1]
    cross = ux * vy - vx * uy
    middle = (zs[0] + zs[1] + zs[2] + zs[3]) * 0.25
    if abs(cross) < 0.02:
        plane[0] = 0.0
        plane[1] = 0.0
        plane[2] = middle
        return
    plane[0] = (uz * vy - vz * uy) / cross
    plane[1] = (ux * vz - vx * uz) / cross
    x, y = (xs[0] + xs[1] + xs[2] + xs[3]) * 0.25, (ys[0] + ys[1] + ys[2] + ys[3]) * 0.25
    plane[2] = middle - plane[0] * x - plane[1] * y


@njit(
    [
        types.void(
            uint8[:, :, ::1], float32[:, ::1], int32[:, ::1], float64[:, ::1], int32[:, ::1], uint8[:, ::1], int64[:, ::1], int64[:, ::1]
        )
    ],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def draw(
    picture: NDArray[np.uint8],
    nearest: NDArray[np.float32],
    owner: NDArray[np.int32],
    corners: NDArray[np.float64],
    faces: NDArray[np.int32],
    colors: NDArray[np.uint8],
    bodies: NDArray[np.int64],
    seen: NDArray[np.int64],
) -> None:
    """Draw bodies, in the order given, best from far to near.

    picture [h, w, 3]; nearest [h, w]: inverse depth of what stands there, raised where a body covers at least half of a pixel; owner [h, w]: the
    number of that body. corners [V, 3]: x, y in pixels, inverse depth (at most 0: behind the camera, its faces are left out). faces [F, 4],
    colors [F, 3]. bodies [N, 4]: first face, past its last face, number, 0 (1: both sides of its faces show). seen [N, 4]: receives the
    touched rows and columns as (top, bottom, left, right), empty where top = bottom.
    """
    height, width = nearest.shape
    depth = np.zeros((SAMPLES, width))
    face_at = np.full((SAMPLES, width), -1, np.int32)
    most = 0
    for b in range(len(bodies)):
        most = max(most, bodies[b, 1] - bodies[b, 0])
    shown = np.empty(most, np.int64)
    rows = np.empty((most, 2), np.int64)
    planes = np.empty((most, 3))
    quad_x, quad_y = np.empty((most, 4)), np.empty((most, 4))
    quad_z = np.empty(4)
    for b in range(len(bodies)):
        count, top, bottom, left, right = 0, height, 0, width, 0
        for f in range(bodies[b, 0], bodies[b, 1]):
            xs, ys = quad_x[count], quad_y[count]
            behind = False
            for k in range(4):
                corner = faces[f, k]
                xs[k] = corners[corner, 0]
                ys[k] = corners[corner, 1]
                quad_z[k] = corners[corner, 2]
                behind |= quad_z[k] <= 0.0
            if behind or (bodies[b, 3] == 0 and _area(xs, ys) >= 0.0):
                continue
            first, last = int(np.floor(ys.min())), int(np.floor(ys.max())) + 1
            low, high = int(np.floor(xs.min())), int(np.floor(xs.max())) + 1
            if last <= 0 or first >= height or high <= 0 or low >= width:
                continue
            _plane(xs, ys, quad_z, planes[count])
            shown[count] = f
            rows[count, 0], rows[count, 1] = first, last
            top, bottom = min(top, max(first, 0)), max(bottom, min(last, height))
            left, right = min(left, max(low, 0)), max(right, min(high, width))
            count += 1
        if count == 0:
            top = bottom = left = right = 0
        seen[b, 0], seen[b, 1], seen[b, 2], seen[b, 3] = top, bottom, left, right
        for y in range(top, bottom):
            for j in range(count):
                if rows[j, 0] > y or rows[j, 1] <= y:
                    continue
                a, slope, c = planes[j, 0], planes[j, 1], planes[j, 2]
                for k in range(SAMPLES):
                    at = y + (2 * k + 1) * 0.125
                    low_x, high_x = _span(quad_x[j], quad_y[j], at)
                    if low_x > high_x:
                        continue
                    off = _ACROSS[k] * 0.125
                    start, stop = max(left, int(np.ceil(low_x - off))), min(right, int(np.ceil(high_x - off)))
                    base = slope * at + c
                    for x in range(start, stop):
                        z = a * (x + off) + base
                        if z > depth[k, x]:
                            depth[k, x] = z
                            face_at[k, x] = shown[j]
            for x in range(left, right):
                covered, blue, green, red, front = 0, 0, 0, 0, float32(0.0)
                for k in range(SAMPLES):
                    f = face_at[k, x]
                    if f >= 0:
                        z32 = float32(depth[k, x])
                        if z32 > nearest[y, x]:
                            covered += 1
                            blue += colors[f, 0]
                            green += colors[f, 1]
                            red += colors[f, 2]
                            front = max(front, z32)
                        face_at[k, x] = -1
                        depth[k, x] = 0.0
                if covered > 0:
                    rest = SAMPLES - covered
                    picture[y, x, 0] = (blue + rest * picture[y, x, 0] + 2) >> 2
                    picture[y, x, 1] = (green + rest * picture[y, x, 1] + 2) >> 2
                    picture[y, x, 2] = (red + rest * picture[y, x, 2] + 2) >> 2
                    if covered >= 2:
                        nearest[y, x] = front
                        owner[y, x] = bodies[b, 2]


@njit([types.void(uint8[:, ::1], float64[:, ::1], int32[:, ::1], int64[:, ::1], uint8[:, ::1])], nogil=True, cache=True, error_model="numpy")
def cast(mask: NDArray[np.uint8], corners: NDArray[np.float64], faces: NDArray[np.int32], bodies: NDArray[np.int64], lit: NDArray[np.uint8]) -> None:
    """Raise mask [h, w] to the share (of 255) of each pixel that lies in the shadow of a body, times how far the sun reaches it (lit, of 255).

    corners [V, 3]: the corners' shadows, x and y in pixels, inverse depth. Faces that turn clockwise are the shadow's doubles and left out.
    bodies [N, 4]: as in `draw`; the third receives 1 where anything was drawn, else 0.
    """
    height, width = mask.shape
    covered = np.zeros(width, np.uint8)
    xs, ys = np.empty(4), np.empty(4)
    most = 0
    for b in range(len(bodies)):
        most = max(most, bodies[b, 1] - bodies[b, 0])
    quad_x, quad_y = np.empty((most, 4)), np.empty((most, 4))
    for b in range(len(bodies)):
        count, top, bottom, left, right = 0, height, 0, width, 0
        for f in range(bodies[b, 0], bodies[b, 1]):
            xs, ys = quad_x[count], quad_y[count]
            behind = False
            for k in range(4):
                corner = faces[f, k]
                xs[k] = corners[corner, 0]
                ys[k] = corners[corner, 1]
                behind |= corners[corner, 2] <= 0.0
            if behind or _area(xs, ys) >= 0.0:
                continue
            first, last = int(np.floor(ys.min())), int(np.floor(ys.max())) + 1
            low, high = int(np.floor(xs.min())), int(np.floor(xs.max())) + 1
            if last <= 0 or first >= height or high <= 0 or low >= width:
                continue
            top, bottom = min(top, max(first, 0)), max(bottom, min(last, height))
            left, right = min(left, max(low, 0)), max(right, min(high, width))
            count += 1
        bodies[b, 2] = 1 if count else 0
        for y in range(top, bottom):
            for j in range(count):
                for k in range(SAMPLES):
                    low_x, high_x = _span(quad_x[j], quad_y[j], y + (2 * k + 1) * 0.125)
                    if low_x > high_x:
                        continue
                    off = _ACROSS[k] * 0.125
                    for x in range(max(left, int(np.ceil(low_x - off))), min(right, int(np.ceil(high_x - off)))):
                        covered[x] |= 1 << k
            for x in range(left, right):
                if covered[x]:
                    bits = covered[x]
                    share = ((bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1)) * 255 >> 2
                    mask[y, x] = max(mask[y, x], (share * lit[y, x]) // 255)
                    covered[x] = 0


@njit([types.void(float64[:, ::1], float64[:, ::1], int32[:, ::1], int64[:, ::1], uint8[::1], float32[::1], float32[:, :, ::1], float32[:, :, ::1], float64[:, ::1], uint8[:, ::1])], nogil=True, cache=True, error_model="numpy")
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
