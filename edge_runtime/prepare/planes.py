"""Planes of any pixel format as tables for `kernels.image.resample`: the part of preprocessing that depends on the format.

    YUV420P      Y Y Y Y Y Y …     U U U …     V V V …          three planes, a component each
    NV12         Y Y Y Y Y Y …     U V U V U V …                two planes, chroma two samples apart
    YUYV         Y U Y V Y U Y V …                              one plane, luma two, chroma four apart
    BGR24        B G R B G R …                                  one plane, three apart
    GRAY8        Y Y Y Y Y Y …                                  one component, the others are 0

Each component is resized on its own and colours are converted after, where there are ten times fewer pixels. Both are linear, so
that only the clip to 0–255 differs from converting first. Resizing is bilinear: centres aligned, edges repeated, no antialiasing, as
cv2.INTER_LINEAR does. That is what nearly all detectors of this kind were trained and are run with, and a smoother reduction gives
them pictures that they do not know. Chroma lies in the middle of the luma that it covers and is stretched over the picture; where the picture's
width is odd its last sample is stretched with the rest, which shifts chroma by less than half a pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.prepare.fit import Box
from edge_runtime.types import Frame, PixelFormat, Size


class _Component(NamedTuple):
    """Where one component's samples lie."""

    plane: int
    step: int  # samples of the plane from one of these to the next
    first: int  # the first one's place in a row
    across: int  # pixels that one covers, to the right and down
    down: int


def _yuv(across: int, down: int) -> tuple[_Component, ...]:
    return _Component(0, 1, 0, 1, 1), _Component(1, 1, 0, across, down), _Component(2, 1, 0, across, down)


_COMPONENTS: dict[PixelFormat, tuple[_Component, ...]] = {
    PixelFormat.YUV420P: _yuv(2, 2),
    PixelFormat.YUV420P10: _yuv(2, 2),
    PixelFormat.YUV422P: _yuv(2, 1),
    PixelFormat.NV12: (_Component(0, 1, 0, 1, 1), _Component(1, 2, 0, 2, 2), _Component(1, 2, 1, 2, 2)),
    PixelFormat.YUYV: (_Component(0, 2, 0, 1, 1), _Component(0, 4, 1, 2, 1), _Component(0, 4, 3, 2, 1)),
    PixelFormat.BGR24: tuple(_Component(0, 3, channel, 1, 1) for channel in range(3)),
    PixelFormat.GRAY8: (_Component(0, 1, 0, 1, 1),),
}


def subsampling(pixel_format: PixelFormat) -> tuple[int, int]:
    """Pixels that a chroma sample covers, across and down; (1, 1) without chroma."""
    last = _COMPONENTS[pixel_format][-1]
    return last.across, last.down


def opencv() -> Any:
    """The cv2 module, kept to the calling thread: its own pool would fight with inference for cores over tenths of a millisecond."""
    import cv2

    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    return cv2


def packed_luma(frame: Frame) -> NDArray[Any]:
    """The plane that holds luma, without a copy: [h, w], but YUYV [h, w, 2] with luma in channel 0 and BGR24 [h, w, 3].

    Raises ValueError when the plane is not as large as the frame says.
    """
    plane = frame.planes[0]
    width, height = frame.size
    if frame.format is PixelFormat.YUYV:
        plane = plane.reshape(plane.shape[0], -1, 2)[:, :width]
    if plane.shape[:2] != (height, width):
        raise ValueError(f"frame of {frame.stamp.source}: expected a first plane of {width}×{height}, found {plane.shape[1]}×{plane.shape[0]}")
    return plane


class Sampling:
    """The kernel's tables for one format and window, and each frame's planes as it takes them.

    `window` is the part of the stored picture that is taken (even corners, or the picture's own); `size` what it becomes, not turned.
    """

    def __init__(self, pixel_format: PixelFormat, window: Box, size: Size) -> None:
        self._shapes = _shapes(pixel_format)
        self._layout = np.zeros((3, 3), np.int64)
        upper_lower = np.zeros((3, 2, size.height), np.uint32)
        row_weight = np.zeros((3, size.height), np.float32)
        left = np.zeros((3, size.width), np.uint32)
        column_weight = np.zeros((3, size.width), np.float32)
        part = np.zeros((3, 2), np.int64)
        part[:, 0] = -1
        for index, at in enumerate(_COMPONENTS[pixel_format]):
            start, end = window.left // at.across, -(-window.right // at.across)
            low, column_weight[index] = _between(end - start, size.width)
            left[index] = low * at.step + at.first
            part[index] = at.plane, at.step if column_weight[index].any() else 0
            layout = self._layout[at.plane]
            layout[1:] = start * at.step, max(layout[2], (end - start) * at.step)
            start, end = window.top // at.down, -(-window.bottom // at.down)
            low, row_weight[at.plane] = _between(end - start, size.height)
            upper_lower[at.plane] = start + low, start + np.minimum(low + 1, end - start - 1)
        self.rows = (upper_lower, row_weight)
        self.columns = (left, column_weight, part)

    def read(self, frame: Frame) -> tuple[tuple[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[np.int64]]:
        """The kernel's `planes` and `layout` for this frame: views, valid as long as its planes are.

        Raises ValueError when a plane has not the shape that its format and size ask for.
        """
        flat: list[NDArray[Any]] = []
        for index, (plane, shape) in enumerate(zip(frame.planes, self._shapes, strict=True)):
            across, down, *packed = shape
            expected = (-(-frame.size.height // down), -(-frame.size.width // across), *packed)
            if plane.shape != expected:
                raise ValueError(
                    f"{frame.stamp.source}: plane {index} of {frame.format.value} {frame.size}: expected {expected}, found {plane.shape}"
                )
            samples, self._layout[index, 0] = _in_one_row(plane)
            flat.append(samples)
        return (flat[0], flat[min(1, len(flat) - 1)], flat[-1]), self._layout


def _between(have: int, wanted: int) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """For each of `wanted` samples spread over `have`: the lower neighbour, and the weight [0, 1) of the next one (0 at the end)."""
    at = np.clip((np.arange(wanted) + 0.5) * have / wanted - 0.5, 0, have - 1)
    low = np.floor(at)
    return low.astype(np.uint32), at - low


def _shapes(pixel_format: PixelFormat) -> list[tuple[int, ...]]:
    """By plane: pixels that an item covers, across and down, then what an item is made of."""
    if pixel_format is PixelFormat.YUYV:
        return [(2, 1, 4)]
    planes: dict[int, tuple[int, ...]] = {}
    for at in _COMPONENTS[pixel_format]:
        planes[at.plane] = (at.across, at.down) if at.step == 1 else (at.across, at.down, at.step)
    return list(planes.values())


def _in_one_row(plane: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """All samples [n] from the plane's first to its last, padding of rows included, and how many lie from row to row."""
    length = plane[0].size
    if plane.flags.c_contiguous:
        return plane.reshape(-1), length
    stride, rest = divmod(plane.strides[0], plane.itemsize)
    if rest or stride < length or not plane[0].flags.c_contiguous:
        return np.ascontiguousarray(plane).reshape(-1), length
    count = (plane.shape[0] - 1) * stride + length
    return np.lib.stride_tricks.as_strided(plane, (count,), (plane.itemsize,), writeable=False), stride
