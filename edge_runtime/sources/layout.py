"""Shapes of planes, one definition for whoever makes or moves frames."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from edge_runtime.types import ColorSpec, Matrix, PixelFormat, Size

HD_HEIGHT = 720
LARGEST_PIXELS = 8192 * 4608  # a header that claims more is a lie or an attack; so are the buffers it asks for


class PlaneShape(NamedTuple):
    """One plane as an array: `shape` counts items of `dtype`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes without padding."""
        return math.prod(self.shape) * self.dtype.itemsize


_U8 = np.dtype(np.uint8)
_U16 = np.dtype("<u2")


@lru_cache(maxsize=64)
def plane_shapes(pixels: PixelFormat, size: Size) -> tuple[PlaneShape, ...]:
    """The planes of a picture as `types.PixelFormat` draws them."""
    width, height = size
    half_w, half_h = (width + 1) // 2, (height + 1) // 2
    return {
        PixelFormat.YUV420P: (PlaneShape((height, width), _U8), *[PlaneShape((half_h, half_w), _U8)] * 2),
        PixelFormat.YUV422P: (PlaneShape((height, width), _U8), *[PlaneShape((height, half_w), _U8)] * 2),
        PixelFormat.YUV420P10: (PlaneShape((height, width), _U16), *[PlaneShape((half_h, half_w), _U16)] * 2),
        PixelFormat.NV12: (PlaneShape((height, width), _U8), PlaneShape((half_h, half_w, 2), _U8)),
        PixelFormat.YUYV: (PlaneShape((height, half_w, 4), _U8),),
        PixelFormat.BGR24: (PlaneShape((height, width, 3), _U8),),
        PixelFormat.GRAY8: (PlaneShape((height, width), _U8),),
    }[pixels]


def usual_matrix(size: Size) -> Matrix:
    """What players assume of a stream that does not say: BT.709 from 720 lines on, else BT.601."""
    return Matrix.BT709 if size.height >= HD_HEIGHT else Matrix.BT601


def usual_color(pixels: PixelFormat, size: Size) -> ColorSpec:
    """What players assume of a stream that says nothing: limited range, full where there is no chroma to go with."""
    return ColorSpec(usual_matrix(size), full_range=pixels in (PixelFormat.GRAY8, PixelFormat.BGR24))
