"""Light and darkness on the ground of a simulated street, by the place in metres that a pixel shows. Plain twin: tests/naive_raster.py.

  ▲ ahead
╲ │ ╱     beam: falls off ahead and to both sides          ╭───────────╮
 ╲│╱                                                       │ ┌───────┐ │ contact: darkest under the body, gone `reach` from it
┌─●─┐ body                                                 │ └───────┘ │
                                                           ╰───────────╯
"""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, njit, types, uint8
from numpy.typing import NDArray

_STRIDE = 32  # pixels that are looked at together
_SPREAD = 0.22  # of a beam: metres to each side on every metre ahead


@njit(inline="always")
def _place(to_ground: NDArray[np.float64], px: float, py: float) -> tuple[float, float]:
    """Where on the ground a point of the picture is."""
    w = 1.0 / (to_ground[2, 0] * px + to_ground[2, 1] * py + to_ground[2, 2])
    return (
        (to_ground[0, 0] * px + to_ground[0, 1] * py + to_ground[0, 2]) * w,
        (to_ground[1, 0] * px + to_ground[1, 1] * py + to_ground[1, 2]) * w,
    )


@njit([types.void(uint8[:, ::1], float64[:, ::1], float64[:, ::1], int64[:, ::1], float64, float64)], nogil=True, cache=True, error_model="numpy")
def contact(
    mask: NDArray[np.uint8], to_ground: NDArray[np.float64], bodies: NDArray[np.float64], parts: NDArray[np.int64], reach: float, strength: float
) -> None:
    """Raise mask [h, w] to the darkness, of 255, beneath bodies.

    to_ground [3, 3]: (x, y, 1) of a pixel -> ground (x, y, 1) · w. bodies [N, 6]: x, y, unit vector ahead, half length, half width.
    parts [N, 4]: the rows and columns to look at (top, bottom, left, right), within the picture. Four pixels share one place.
    """
    height, width = mask.shape
    for b in range(len(bodies)):
        x, y, ax, ay, long, wide = bodies[b]
        for row in range(parts[b, 0] & -2, parts[b, 1], 2):
            for column in range(parts[b, 2] & -2, parts[b, 3], 2):
                dx, dy = _place(to_ground, column + 1.0, row + 1.0)
                dx -= x
                dy -= y
                beyond = max(abs(dx * ax + dy * ay) - long, 0.0)
                aside = max(abs(dy * ax - dx * ay) - wide, 0.0)
                share = 1.0 - np.sqrt(beyond * beyond + aside * aside) / reach
                if share > 0.0:
                    level = int(strength * share * share)
                    for j in range(row, min(row + 2, height)):
                        for i in range(column, min(column + 2, width)):
                            mask[j, i] = max(mask[j, i], level)


@njit([types.void(uint8[:, :, ::1], uint8[:, ::1], float32[:, ::1])], nogil=True, cache=True, error_model="numpy")
def darken(picture: NDArray[np.uint8], mask: NDArray[np.uint8], standing: NDArray[np.float32]) -> None:
    """Take the share mask / 256 from every pixel of picture [h, w, 3] that shows the ground (standing [h, w] is 0), and clear the mask."""
    height, width = mask.shape
    for row in range(height):
        for start in range(0, width, _STRIDE):
            stop = min(start + _STRIDE, width)
            any_dark = uint8(0)
            for column in range(start, stop):
                any_dark |= mask[row, column]
            if any_dark:
                for column in range(start, stop):
                    if standing[row, column] == 0.0:
                        keep = 256 - mask[row, column]
                        for c in range(3):
                            picture[row, column, c] = picture[row, column, c] * keep >> 8
                    mask[row, column] = 0


@njit(inline="always")
def _inside(slope: float, level: float, low: float, high: float) -> tuple[float, float]:
    """The part of an interval in which slope · x + level is positive; what ends before it begins is empty."""
    if slope > 0.0:
        low = min(max(low, -level / slope), 1e6)
    elif slope < 0.0:
        high = min(high, -level / slope)
    elif level <= 0.0:
        high = low
    return low, max(low, high)


@njit(inline="always")
def _gain(picture: NDArray[np.uint8], standing: NDArray[np.float32], row: int, column: int, blue: float, green: float, red: float) -> None:
    """Brighten four pixels."""
    gains = (int(blue * 256.0), int(green * 256.0), int(red * 256.0))
    for j in range(row, min(row + 2, picture.shape[0])):
        for i in range(column, min(column + 2, picture.shape[1])):
            if standing[j, i] == 0.0:
                for c in range(3):
                    level = picture[j, i, c]
                    picture[j, i, c] = min(level + ((level + 9) * gains[c] >> 8), 255)


@njit(
    [types.void(uint8[:, :, ::1], float32[:, ::1], float64[:, ::1], float64[:, ::1], int64[:, ::1], float64[::1])],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def beam(
    picture: NDArray[np.uint8],
    standing: NDArray[np.float32],
    to_ground: NDArray[np.float64],
    lamps: NDArray[np.float64],
    parts: NDArray[np.int64],
    gains: NDArray[np.float64],
) -> None:
    """Brighten picture [h, w, 3] where headlights reach the ground and nothing stands before it (standing [h, w] is 0).

    to_ground, parts: as in `contact`, but which columns are looked at follows from the beam itself. lamps [N, 6]: x, y of the front, unit vector
    ahead, reach ahead, half width at the front, metres. In the brightest place a pixel gains `gains` [3] times itself.
    """
    height, width = picture.shape[:2]
    along, across, scale = np.empty(3), np.empty(3), np.empty(3)  # homogeneous: metres ahead and to the left are along/scale, across/scale
    for b in range(len(lamps)):
        x, y, ax, ay, reach, wide = lamps[b]
        sign = 1.0 if to_ground[2, 0] * width * 0.5 + to_ground[2, 1] * height + to_ground[2, 2] > 0.0 else -1.0
        for k in range(3):
            scale[k] = sign * to_ground[2, k]
            dx, dy = sign * to_ground[0, k] - x * scale[k], sign * to_ground[1, k] - y * scale[k]
            along[k] = dx * ax + dy * ay
            across[k] = dy * ax - dx * ay
        for row in range(parts[b, 0] & -2, parts[b, 1], 2):
            at = row + 1.0
            u, v, w = along[1] * at + along[2], across[1] * at + across[2], scale[1] * at + scale[2]
            low, high = _inside(along[0], u, 0.0, float(width))
            low, high = _inside(reach * scale[0] - along[0], reach * w - u, low, high)
            edge, grow = wide * scale[0] + _SPREAD * along[0], wide * w + _SPREAD * u
            low, high = _inside(edge - across[0], grow - v, low, high)
            low, high = _inside(edge + across[0], grow + v, low, high)
            for column in range(int(low) & -2, int(high), 2):
                px = column + 1.0
                depth = 1.0 / (scale[0] * px + w)
                ahead = (along[0] * px + u) * depth / reach
                aside = (across[0] * px + v) * depth / (wide + _SPREAD * ahead * reach)
                rest = 1.0 - aside * aside
                if 0.0 < ahead < 1.0 and rest > 0.0:
                    share = rest * rest * (1.0 - ahead) * (1.0 - ahead) * min(ahead * 9.0, 1.0)
                    _gain(picture, standing, row, column, share * gains[0], share * gains[1], share * gains[2])
