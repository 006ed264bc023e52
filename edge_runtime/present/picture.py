"""A frame as a picture to draw on: BGR, upright, masked, at its full size.

Only local, explicitly asked for pictures are made this way (annotated films); the daemon's path to the model never is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import Frame, Polygon


def to_bgr(frame: Frame, mask: Sequence[Polygon]) -> NDArray[np.uint8]:
    """A new array [h, w, 3] of the upright picture, B G R in 0–255; what `mask` hides is black.

    The same conversion as a model's tensor, so the film shows what the model was given, only larger.
    """
    image = ImageInput(name="picture", size=frame.upright, layout="NHWC", dtype="uint8", color="BGR", resize="stretch")
    width, height = frame.upright
    picture = np.empty((height, width, 3), np.uint8)
    Preprocessor(image, mask)(frame, picture[None])
    return picture
