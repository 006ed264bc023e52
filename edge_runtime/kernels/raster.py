"""Drawing of simulated bodies: convex quads with depth, four samples to a pixel. Plain twin: tests/naive_raster.py.

    ┌───────────────┐   a pixel has four samples, no two in one row or one column, so that edges near the horizontal and the vertical both
    │      ●        │   fade in four steps (rotated grid, Shirley's n-rooks): sample k lies at (ACROSS[k]/8, (2k + 1)/8)
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
def _spans(xs: NDArray[np.float64], ys: NDArray[np.float64], first: int, last: int, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Where the rows of samples from `first` to before `last` enter and leave a convex quad -> low, high; row s lies at (2s + 1)/8."""
    for s in range(first, last):
        low[s] = 1e9
        high[s] = -1e9
    for k in range(4):
        x0, y0 = xs[k], ys[k]
        x1, y1 = xs[(k + 1) & 3], ys[(k + 1) & 3]
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        if y0 == y1:
            continue
        slope = (x1 - x0) / (y1 - y0)
        for s in range(max(first, _row(y0)), min(last, _row(y1))):
            x = x0 + ((2 * s + 1) * 0.125 - y0) * slope
            low[s] = min(low[s], x)
            high[s] = max(high[s], x)


@njit(inline="always")
def _row(y: float) -> int:
    """The first row of samples at or below a height in pixels."""
    return int(np.ceil(y * 4.0 - 0.5))


@njit(inline="always")
def _least(four: NDArray[np.float64]) -> float:
    return float(min(four[0], four[1], four[2], four[3]))


@njit(inline="always")
def _most(four: NDArray[np.float64]) -> float:
    return float(max(four[0], four[1], four[2], four[3]))


@njit(inline="always")
def _area(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """Twice the signed area of a quad: negative for those that turn counter-clockwise on a picture whose rows grow downwards."""
    return float((xs[2] - xs[0]) * (ys[3] - ys[1]) - (xs[3] - xs[1]) * (ys[2] - ys[0]))


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


@njit(inline="always")
def _bounds(corners: NDArray[np.float64], body: NDArray[np.int64], height: int, width: int, bounds: NDArray[np.int64]) -> None:
    """Rows and columns of a picture that a body may touch: top, bottom, left, right; all zero where there are none."""
    low_x, high_x, low_y, high_y = 1e9, -1e9, 1e9, -1e9
    for corner in range(body[3], body[4]):
        if corners[corner, 2] > 0.0:
            low_x, high_x = min(low_x, corners[corner, 0]), max(high_x, corners[corner, 0])
            low_y, high_y = min(low_y, corners[corner, 1]), max(high_y, corners[corner, 1])
    bounds[0], bounds[1] = max(int(np.floor(low_y)), 0), min(int(np.floor(high_y)) + 1, height)
    bounds[2], bounds[3] = max(int(np.floor(low_x)), 0), min(int(np.floor(high_x)) + 1, width)
    if bounds[0] >= bounds[1] or bounds[2] >= bounds[3]:
        bounds[:] = 0


@njit(nogil=True, error_model="numpy")
def _scan(
    corners: NDArray[np.float64],
    faces: NDArray[np.int32],
    body: NDArray[np.int64],
    bounds: NDArray[np.int64],
    extents: NDArray[np.int64],
    depth: NDArray[np.float32],
    face_at: NDArray[np.int32],
) -> None:
    """The nearest face of a body at every sample of its bounds: depth and face_at, rows of samples one after another; depth starts as zeros.

    extents [h, 2]: receives the columns that each row of pixels uses, for rows within bounds.
    """
    top, bottom, left, right = bounds[0], bounds[1], bounds[2], bounds[3]
    low, high = np.empty(bottom * SAMPLES), np.empty(bottom * SAMPLES)
    xs, ys, zs, plane = np.empty(4), np.empty(4), np.empty(4), np.empty(3)
    for y in range(top, bottom):
        extents[y, 0], extents[y, 1] = right, left
    for f in range(body[0], body[1]):
        behind = False
        for k in range(4):
            corner = faces[f, k]
            xs[k], ys[k], zs[k] = corners[corner, 0], corners[corner, 1], corners[corner, 2]
            behind |= zs[k] <= 0.0
        if behind or _area(xs, ys) >= 0.0:
            continue
        first, last = max(_row(_least(ys)), top * SAMPLES), min(_row(_most(ys)), bottom * SAMPLES)
        if first >= last:
            continue
        _plane(xs, ys, zs, plane)
        deepest, closest = _least(zs), _most(zs)  # an edge-on plane runs away between the grid's steps
        _spans(xs, ys, first, last, low, high)
        for s in range(first, last):
            off = _ACROSS[s & 3] * 0.125
            start, stop = max(left, int(np.ceil(low[s] - off))), min(right, int(np.ceil(high[s] - off)))
            if start >= stop:
                continue
            extents[s >> 2, 0], extents[s >> 2, 1] = min(extents[s >> 2, 0], start), max(extents[s >> 2, 1], stop)
            base = plane[1] * ((2 * s + 1) * 0.125) + plane[2]
            line = (s - top * SAMPLES) * (right - left) - left
            for x in range(start, stop):
                z = float32(min(max(plane[0] * (x + off) + base, deepest), closest))
                if z > depth[line + x]:
                    depth[line + x] = z
                    face_at[line + x] = f


@njit(nogil=True, error_model="numpy")
def _blend(
    picture: NDArray[np.uint8],
    nearest: NDArray[np.float32],
    owner: NDArray[np.int32],
    colors: NDArray[np.uint8],
    number: int,
    bounds: NDArray[np.int64],
    extents: NDArray[np.int64],
    depth: NDArray[np.float32],
    face_at: NDArray[np.int32],
) -> None:
    """What `_scan` found into the picture where it is nearest; depth becomes zeros again."""
    top, left, wide = bounds[0], bounds[2], bounds[3] - bounds[2]
    for y in range(top, bounds[1]):
        for x in range(extents[y, 0], extents[y, 1]):
            covered, blue, green, red, front = 0, 0, 0, 0, float32(0.0)
            for k in range(SAMPLES):
                at = ((y - top) * SAMPLES + k) * wide + x - left
                z = depth[at]
                if z > nearest[y, x]:
                    f = face_at[at]
                    covered += 1
                    blue += colors[f, 0]
                    green += colors[f, 1]
                    red += colors[f, 2]
                    front = max(front, z)
                depth[at] = float32(0.0)
            if covered > 0:
                rest = SAMPLES - covered
                picture[y, x, 0] = (blue + rest * picture[y, x, 0] + 2) >> 2
                picture[y, x, 1] = (green + rest * picture[y, x, 1] + 2) >> 2
                picture[y, x, 2] = (red + rest * picture[y, x, 2] + 2) >> 2
                if covered >= 2:
                    nearest[y, x] = front
                    owner[y, x] = number


@njit(
    [types.void(uint8[:, :, ::1], float32[:, ::1], int32[:, ::1], float64[:, ::1], int32[:, ::1], uint8[:, ::1], int64[:, ::1], int64[:, ::1])],
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
    colors [F, 3]. bodies [N, 5]: first face, past the last face, number, first corner, past the last corner. seen [N, 4]: receives the rows
    and columns that may be touched as (top, bottom, left, right), empty where top = bottom. Faces show the side that turns counter-clockwise.
    """
    height, width = nearest.shape
    bounds = np.empty(4, np.int64)
    extents = np.empty((height, 2), np.int64)
    depth = np.zeros(0, np.float32)
    face_at = np.empty(0, np.int32)
    for b in range(len(bodies)):
        _bounds(corners, bodies[b], height, width, bounds)
        for k in range(4):
            seen[b, k] = bounds[k]
        if bounds[0] < bounds[1]:
            size = (bounds[1] - bounds[0]) * SAMPLES * (bounds[3] - bounds[2])
            if size > len(depth):
                depth = np.zeros(size, np.float32)
                face_at = np.empty(size, np.int32)
            _scan(corners, faces, bodies[b], bounds, extents, depth, face_at)
            _blend(picture, nearest, owner, colors, bodies[b, 2], bounds, extents, depth, face_at)


@njit([types.void(uint8[:, ::1], float64[:, ::1], int32[:, ::1], int64[:, ::1], uint8[:, ::1], int64)], nogil=True, cache=True, error_model="numpy")
def cast(
    mask: NDArray[np.uint8],
    corners: NDArray[np.float64],
    faces: NDArray[np.int32],
    bodies: NDArray[np.int64],
    lit: NDArray[np.uint8],
    strength: int,
) -> None:
    """Raise mask [h, w] to the darkness, of 255, of the shadows of bodies: `strength` where a pixel is wholly in shadow and the sun reaches it.

    corners [V, 3]: the corners' shadows, x and y in pixels, inverse depth. Faces that turn clockwise are the shadow's doubles and left out.
    bodies [N, 5]: as in `draw`. lit [h, w]: how far the sun reaches a pixel, of 255.
    """
    height, width = mask.shape
    low, high = np.empty(height * SAMPLES), np.empty(height * SAMPLES)
    xs, ys = np.empty(4), np.empty(4)
    bounds = np.empty(4, np.int64)
    covered = np.zeros(0, np.uint8)
    for b in range(len(bodies)):
        _bounds(corners, bodies[b], height, width, bounds)
        top, bottom, left, right = bounds[0], bounds[1], bounds[2], bounds[3]
        if top >= bottom:
            continue
        wide = right - left
        size = (bottom - top) * wide
        if size > len(covered):
            covered = np.zeros(size, np.uint8)
        covered[:size] = 0
        for f in range(bodies[b, 0], bodies[b, 1]):
            behind = False
            for k in range(4):
                corner = faces[f, k]
                xs[k], ys[k] = corners[corner, 0], corners[corner, 1]
                behind |= corners[corner, 2] <= 0.0
            if behind or _area(xs, ys) >= 0.0:
                continue
            first, last = max(_row(_least(ys)), top * SAMPLES), min(_row(_most(ys)), bottom * SAMPLES)
            if first >= last:
                continue
            _spans(xs, ys, first, last, low, high)
            for s in range(first, last):
                off = _ACROSS[s & 3] * 0.125
                line = ((s >> 2) - top) * wide - left
                for x in range(max(left, int(np.ceil(low[s] - off))), min(right, int(np.ceil(high[s] - off)))):
                    covered[line + x] |= 1 << (s & 3)
        for y in range(top, bottom):
            for x in range(left, right):
                bits = covered[(y - top) * wide + x - left]
                if bits:
                    share = (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1)
                    mask[y, x] = max(mask[y, x], (share * strength * lit[y, x]) // (255 * SAMPLES))
