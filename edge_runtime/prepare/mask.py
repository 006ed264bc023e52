"""Privacy masks: which pixels nobody may see. Tensor, motion gate and annotated picture all ask `hidden_pixels`.

Polygons are fractions of the upright picture. A hidden pixel counts as black (in the gate: as absent) and is never written into a
decoder's planes, from which later frames are predicted: what reads pixels blackens its own small copies.

Shrinking mixes neighbours. A mixed pixel is black as soon as anything hidden went into it (`hidden_after`), so nothing
bleeds over the edge of a mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.prepare.fit import Box, turned
from edge_runtime.types import Frame, Polygon, Size


def hidden_pixels(mask: Sequence[Polygon], stored: Size, rotation: int) -> NDArray[np.uint8] | None:
    """Raster [h, w] of the stored picture (before rotation): 255 where hidden, else 0; None when nothing is.

    A pixel is hidden when its centre lies in a polygon, by the even-odd rule. Polygons add up. Raises ValueError for a polygon of fewer than
    three corners.
    """
    if not mask:
        return None
    upright = turned(stored, rotation)
    hidden = np.zeros((upright.height, upright.width), np.bool_)
    for polygon in mask:
        if len(polygon) < 3:
            raise ValueError(f"mask: expected three corners or more, found {len(polygon)}: {polygon}")
        hidden |= _inside(np.asarray(polygon, np.float64) * upright, upright)
    if not hidden.any():
        return None
    stored_way = np.rot90(hidden, rotation // 90)  # counter-clockwise: back to how it is stored
    return np.where(stored_way, np.uint8(255), np.uint8(0))


def _inside(corners: NDArray[np.float64], size: Size) -> NDArray[np.bool_]:
    """Pixels [h, w] with centres in the polygon: every edge flips what lies to its right, in the rows that it spans."""
    flips = np.zeros((size.height, size.width + 1), np.bool_)
    middles = np.arange(size.height) + 0.5
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = np.flatnonzero((y1 > middles) != (y2 > middles))
        if len(rows):
            crossing = x1 + (middles[rows] - y1) * ((x2 - x1) / (y2 - y1))
            flips[rows, np.clip(np.ceil(crossing - 0.5), 0, size.width).astype(np.intp)] ^= True
    return np.asarray(np.logical_xor.accumulate(flips, axis=1)[:, :-1])


def hidden_after(mask: Sequence[Polygon], frame: Frame, window: Box, size: Size) -> NDArray[np.uint8] | None:
    """Where a bilinear resize of the stored picture's `window` to `size` (width and height before turning) mixes something hidden in.

    Luma and chroma reach differently far; either is enough. 255 there, else 0; None when nothing is touched.
    """
    hidden = hidden_pixels(mask, frame.size, frame.rotation)
    if hidden is None:
        return None
    from edge_runtime.prepare.planes import opencv, subsampling

    cv2 = opencv()
    across, down = subsampling(frame.format)
    touched = np.zeros((size.height, size.width), np.bool_)
    for step_x, step_y in {(1, 1), (across, down)}:
        raster = _subsampled(hidden, step_x, step_y)
        part = raster[window.top // step_y : -(-window.bottom // step_y), window.left // step_x : -(-window.right // step_x)]
        touched |= cv2.resize(part.astype(np.float32), tuple(size), interpolation=cv2.INTER_LINEAR) > 0
    return np.where(touched, np.uint8(255), np.uint8(0)) if touched.any() else None


def _subsampled(hidden: NDArray[np.uint8], across: int, down: int) -> NDArray[np.uint8]:
    """The raster of samples that cover `across` × `down` pixels: one is hidden when any of its pixels is."""
    height, width = hidden.shape
    padded = np.pad(hidden, ((0, -height % down), (0, -width % across)))
    blocks = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
    return np.asarray(blocks.max(axis=(1, 3)), np.uint8)
