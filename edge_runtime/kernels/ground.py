"""Light and darkness on the ground of a simulated street, by the place in metres that a pixel shows. Plain twin: tests/naive_raster.py.

        ▲ ahead
      ╲ │ ╱     beam: falls off ahead and to both sides          ╭───────────╮
       ╲│╱                                                       │ ┌───────┐ │ contact: darkest under the body, gone `reach` from it
      ┌─●─┐ body                                                 │ └───────┘ │
                                                                 ╰───────────╯
"""

from __future__ import annotations

import numpy as np
from numba import float64, int64, njit, types, uint8
from numpy.typing import NDArray


@njit(
    [types.void(uint8[:, ::1], float64[:, ::1], float64[:, ::1], int64[:, ::1], float64, float64)], nogil=True, cache=True, error_model="numpy"
)
def contact(
    mask: NDArray[np.uint8], to_ground: NDArray[np.float64], bodies: NDArray[np.float64], parts: NDArray[np.int64], reach: float, strength: float
) -> None:
    """Raise mask [h, w] to the darkness, of 255, beneath bodies.

    to_ground [3, 3]: (x, y, 1) of a pixel -> ground (x, y, 1) · w. bodies [N, 6]: x, y, unit vector ahead, half length, half width.
    parts [N, 4]: the rows and columns to look at (top, bottom, left, right), within the picture.
    """
    for b in range(len(bodies)):
        x, y, ax, ay, long, wide = bodies[b]
        for row in range(parts[b, 0], parts[b, 1]):
            for column in range(parts[b, 2], parts[b, 3]):
                px, py = column + 0.5, row + 0.5
                w = to_ground[2, 0] * px + to_ground[2, 1] * py + to_ground[2, 2]
                dx = (to_ground[0, 0] * px + to_ground[0, 1] * py + to_ground[0, 2]) / w - x
                dy = (to_ground[1, 0] * px + to_ground[1, 1] * py + to_ground[1, 2]) / w - y
                beyond = max(abs(dx * ax + dy * ay) - long, 0.0)
                aside = max(abs(dy * ax - dx * ay) - wide, 0.0)
                share = 1.0 - np.sqrt(beyond * beyond + aside * aside) / reach
                if share > 0.0:
                    mask[row, column] = max(mask[row, column], int(strength * share * share))


@njit([types.void(uint8[:, :, ::1], uint8[:, ::1])], nogil=True, cache=True, error_model="numpy")
def darken(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Take the share mask / 256 from every pixel of picture [h, w, 3], and clear the mask."""
    height, width = mask.shape
    for row in range(height):
        for column in range(width):
            if mask[row, column]:
                keep = 256 - mask[row, column]
                for c in range(3):
                    picture[row, column, c] = picture[row, column, c] * keep >> 8
                mask[row, column] = 0


@njit(
    [types.void(uint8[:, :, ::1], float64[:, ::1], float64[:, ::1], int64[:, ::1], float64[::1], float64)],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def beam(
    picture: NDArray[np.uint8],
    to_ground: NDArray[np.float64],
    lamps: NDArray[np.float64],
    parts: NDArray[np.int64],
    tint: NDArray[np.float64],
    strength: float,
) -> None:
    """Brighten picture [h, w, 3] where headlights reach the ground.

    to_ground, parts: as in `contact`. lamps [N, 6]: x, y of the front, unit vector ahead, reach ahead, half width at the front, metres. A pixel
    gains `strength` times itself, by tint [3], in the brightest place.
    """
    for b in range(len(lamps)):
        x, y, ax, ay, reach, wide = lamps[b]
        for row in range(parts[b, 0], parts[b, 1]):
            for column in range(parts[b, 2], parts[b, 3]):
                px, py = column + 0.5, row + 0.5
                w = to_ground[2, 0] * px + to_ground[2, 1] * py + to_ground[2, 2]
                dx = (to_ground[0, 0] * px + to_ground[0, 1] * py + to_ground[0, 2]) / w - x
                dy = (to_ground[1, 0] * px + to_ground[1, 1] * py + to_ground[1, 2]) / w - y
                ahead = (dx * ax + dy * ay) / reach
                if 0.0 < ahead < 1.0:
                    aside = (dy * ax - dx * ay) / (wide + 0.28 * ahead * reach)
                    rest = 1.0 - aside * aside
                    if rest > 0.0:
                        share = rest * rest * (1.0 - ahead) * (1.0 - ahead) * min(ahead * 9.0, 1.0)
                        for c in range(3):
                            gain = (picture[row, column, c] + 9.0) * strength * share * tint[c]
                            picture[row, column, c] = min(int(picture[row, column, c] + gain + 0.5), 255)
