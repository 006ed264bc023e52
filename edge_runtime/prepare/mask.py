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

from edge_runtime.prepare.fit import Box
from edge_runtime.types import Frame, Polygon, Size

_SHIFT = 4  # cv2 takes corners in 1/16 pixel


def hidden_pixels(mask: Sequence[Polygon], stored: Size, rotation: int) -> NDArray[np.uint8] | None:
    """Raster [h, w] of the stored picture (before rotation): 255 where hidden, else 0; None when nothing is.

    A pixel is hidden when a polygon covers its centre or its edge passes through it. Polygons add up; one that crosses itself is
    hidden where an odd number of its turns lie around a pixel. Raises ValueError for a polygon of fewer than three corners.
    """
    if not mask:
        return None
    from edge_runtime.prepare.planes import opencv

    cv2 = opencv()
    width, height = (stored.height, stored.width) if rotation in (90, 270) else stored
    raster = np.zeros((height, width), np.uint8)
    for polygon in mask:
        if len(polygon) < 3:
            raise ValueError(f"mask: expected three corners or more, found {len(polygon)}: {polygon}")
        corners = np.asarray(polygon, np.float64) * (width, height) - 0.5  # cv2 puts whole numbers at pixel centres
        cv2.fillPoly(raster, [np.round(corners * 2**_SHIFT).astype(np.int32)], 255, shift=_SHIFT)
    if not raster.any():
        return None
    return np.ascontiguousarray(np.rot90(raster, rotation // 90))  # counter-clockwise: back to how it is stored


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
