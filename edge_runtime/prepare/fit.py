"""Where a picture lies in a model's tensor.

    letterbox, center            letterbox, top-left          crop                        stretch
    ┌───────────────┐            ┌───────────────┐            ┌─────┬───────┬─────┐       ┌───────────────┐
    │      pad      │            │    picture    │            │     │       │     │       │    picture    │
    ├───────────────┤            │               │            │ cut │ taken │ cut │       │               │
    │    picture    │            ├───────────────┤            │     │       │     │       │               │
    ├───────────────┤            │      pad      │            └─────┴───────┴─────┘       │               │
    └───────────────┘            └───────────────┘             one side fills whole       └───────────────┘

Coordinates are continuous: a picture of width w spans [0, w], its first pixel [0, 1] with the centre at 0.5. A window of the source
is stretched over the content of the tensor, edge to edge, so that both axes are plain: tensor = source · scale + offset, without half
pixels; samples are taken at centres, as OpenCV does. Sizes are rounded to whole pixels once, and `Geometry` holds what came of it, so
inverting it gives back the source exactly.

A crop's window has even corners, whatever the format, so that it also cuts subsampled chroma at whole samples: at most one
source pixel off the centre, and its aspect off by less than one pixel in width and height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge_runtime.manifest import ImageInput
from edge_runtime.types import Geometry, Size


class Box(NamedTuple):
    """Whole pixels [left, right) × [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Fit:
    """One picture size in one model: what is taken, how large it becomes, where it lies."""

    window: Box  # of the stored picture (before rotation)
    content: Size  # upright, tensor pixels
    left: int
    top: int
    geometry: Geometry


def turned(size: Size, rotation: int) -> Size:
    """The size after turning by `rotation` degrees (a multiple of 90)."""
    return Size(size.height, size.width) if rotation in (90, 270) else size


def fit(image: ImageInput, stored: Size, rotation: int) -> Fit:
    """How a picture of `stored` size, to be turned clockwise by `rotation`, is laid into the model's input."""
    upright = turned(stored, rotation)
    window = _crop(stored, turned(image.size, rotation)) if image.resize == "crop" else Box(0, 0, *stored)
    content = _contain(upright, image.size) if image.resize == "letterbox" else image.size
    centred = image.align == "center"
    left = (image.size.width - content.width) // 2 if centred else 0
    top = (image.size.height - content.height) // 2 if centred else 0
    seen = _upright(window, stored, rotation)
    scale = (content.width / seen.size.width, content.height / seen.size.height)
    offset = (left - seen.left * scale[0], top - seen.top * scale[1])
    return Fit(window, content, left, top, Geometry(scale, offset, upright))


def _contain(picture: Size, room: Size) -> Size:
    """The largest size of the picture's aspect inside `room`; halves are rounded up, no side is less than a pixel."""
    ratio = min(room.width / picture.width, room.height / picture.height)
    return Size(
        min(room.width, max(1, int(picture.width * ratio + 0.5))),
        min(room.height, max(1, int(picture.height * ratio + 0.5))),
    )


def _crop(picture: Size, aspect: Size) -> Box:
    """The centred window of `aspect` that touches two sides of the picture."""
    left, right = _middle(picture.width, picture.height * aspect.width / aspect.height)
    top, bottom = _middle(picture.height, picture.width * aspect.height / aspect.width)
    return Box(left, top, right, bottom)


def _middle(length: int, wanted: float) -> tuple[int, int]:
    if wanted >= length:
        return 0, length
    taken = max(2, 2 * round(wanted / 2))
    if taken >= length:
        return 0, length
    start = (length - taken) // 4 * 2
    return start, start + taken


def _upright(box: Box, stored: Size, rotation: int) -> Box:
    """Where a box of the stored picture lies once it is turned clockwise."""
    if rotation == 90:
        return Box(stored.height - box.bottom, box.left, stored.height - box.top, box.right)
    if rotation == 180:
        return Box(stored.width - box.right, stored.height - box.bottom, stored.width - box.left, stored.height - box.top)
    if rotation == 270:
        return Box(box.top, stored.width - box.right, box.bottom, stored.width - box.left)
    return box
