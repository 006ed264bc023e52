"""A frame as a picture to draw on: BGR, upright, masked, at its full size.

Only local, explicitly asked for pictures are made this way (annotated films); the daemon's path to the model never is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import Frame, Polygon, Size


class Pictures:
    """One camera's frames as pictures. Tables and masks are kept for the next frame of the same size; called from one thread at a time."""

    def __init__(self, mask: Sequence[Polygon]) -> None:
        self._mask = mask
        self._size: Size | None = None
        self._convert: Preprocessor | None = None

    def to_bgr(self, frame: Frame) -> NDArray[np.uint8]:
        """A new array [h, w, 3] of the upright picture, B G R in 0–255; what the mask hides is black.

        The same conversion as a model's tensor, so the film shows what the model was given, only larger.
        """
        size = frame.upright
        if self._convert is None or size != self._size:
            image = ImageInput(name="picture", size=size, layout="NHWC", dtype="uint8", color="BGR", resize="stretch")
            self._size, self._convert = size, Preprocessor(image, self._mask)
        picture = np.empty((size.height, size.width, 3), np.uint8)
        self._convert(frame, picture[None])
        return picture


def to_bgr(frame: Frame, mask: Sequence[Polygon]) -> NDArray[np.uint8]:
    """One picture, by itself; for many of one camera `Pictures` is several times as fast."""
    return Pictures(mask).to_bgr(frame)
