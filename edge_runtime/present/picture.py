"""A frame as a picture to draw on: BGR, upright, masked, at its full size.

Only local, explicitly asked for pictures are made this way (annotated films); the daemon's path to the model never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import get_ident

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import Frame, Polygon, Size

_Mask = tuple[tuple[tuple[float, float], ...], ...]


def to_bgr(frame: Frame, mask: Sequence[Polygon]) -> NDArray[np.uint8]:
    """A new array [h, w, 3] of the upright picture, B G R in 0–255; what `mask` hides is black.

    The same conversion as a model's tensor, so the film shows what the model was given, only larger.
    """
    width, height = frame.upright
    picture = np.empty((height, width, 3), np.uint8)
    corners = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in mask)
    _converter(frame.upright, corners, get_ident())(frame, picture[None])
    return picture


@lru_cache(maxsize=2)
def _converter(size: Size, mask: _Mask, _thread: int) -> Preprocessor:
    """Tables and arrays for pictures of this size; a thread has its own, since they are written to."""
    return Preprocessor(ImageInput(name="picture", size=size, layout="NHWC", dtype="uint8", color="BGR", resize="stretch"), mask)
