"""A frame becomes a model's tensor, as the bundle's manifest says it must be made.

Everything that depends only on a stream's format, size, rotation and colour (tables, masks, small arrays) is worked out when its
first frame comes and kept for the next; a stream that changes shape for ever costs time, never memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.color import normalised, pixel_values, to_rgb
from edge_runtime.prepare.fit import Fit, fit, turned
from edge_runtime.prepare.mask import hidden_after
from edge_runtime.prepare.planes import Sampling, opencv
from edge_runtime.types import ColorSpec, Frame, Geometry, PixelFormat, Polygon, Size

_KEPT = 4  # streams a camera switches between: day and night profile, main and substream
_Key = tuple[PixelFormat, Size, int, ColorSpec]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one kind of frame needs."""

    fit: Fit
    sampling: Sampling
    matrix: NDArray[np.float32]
    black: tuple[NDArray[np.uint8], list[NDArray[Any]]] | None  # where, and a plane of black for each channel; before turning
    planar: NDArray[Any] | None  # [3, h, w] in between, before turning, for tensors that the kernel does not write itself


class Preprocessor:
    """One camera's way from planes to tensor. Called from one thread; construction loads the kernels (compiled or from Numba's cache).

    `mask` holds polygons in fractions of the upright picture: every tensor pixel that a hidden source pixel would go into is black.
    Raises ValueError for a normalisation that divides by zero or is not finite.
    """

    def __init__(self, image_input: ImageInput, mask: Sequence[Polygon]) -> None:
        from edge_runtime.kernels.image import resample

        self._cv2 = opencv()
        self._resample = resample
        self._input = image_input
        self._mask = tuple(tuple(polygon) for polygon in mask)
        self._pad = pixel_values(image_input, image_input.pad)
        self._plans: OrderedDict[_Key, _Plan] = OrderedDict()
        self._own: dict[int, tuple[NDArray[Any], Fit | None]] = {}  # buffers made here, and what their padding was painted for

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's, with a batch of one."""
        width, height = self._input.size
        return (1, 3, height, width) if self._input.layout == "NCHW" else (1, height, width, 3)

    def allocate(self) -> NDArray[Any]:
        """A buffer for `__call__`, all padding and touched, so that its first frame waits for no memory.

        Padding of such a buffer is painted again only when the picture's place in it changes: nobody else may write into it.
        """
        buffer = np.empty(self.shape, self._input.dtype)
        self._paint(buffer)
        self._own[id(buffer)] = (buffer, None)
        return buffer

    def __call__(self, frame: Frame, buffer: NDArray[Any]) -> Geometry:
        """Fill `buffer` (from `allocate`, or alike and C-contiguous). The frame's planes are only read, and not after this returns.

        Raises ValueError when the buffer or the frame's planes do not have the shape that they must have.
        """
        plan = self._plan(frame)
        place = plan.fit
        self._clear_around(place, buffer)
        planes, layout = plan.sampling.read(frame)
        rows = slice(place.top, place.top + place.content.height)
        columns = slice(place.left, place.left + place.content.width)
        tables = (layout, plan.sampling.rows, plan.sampling.columns, plan.matrix)
        if plan.planar is None:
            self._resample(planes, *tables, buffer[0], (place.top, place.left))
            self._blacken(plan, buffer[0, :, rows, columns])
        else:
            self._resample(planes, *tables, plan.planar, (0, 0))
            self._blacken(plan, plan.planar)
            self._arrange(self._turned(plan.planar, frame.rotation), buffer[0], rows, columns)
        return place.geometry

    def _blacken(self, plan: _Plan, picture: NDArray[Any]) -> None:
        if plan.black is not None:
            where, shades = plan.black
            for channel, shade in zip(picture, shades, strict=True):
                self._cv2.copyTo(shade, where, channel)

    def _turned(self, planar: NDArray[Any], rotation: int) -> list[NDArray[Any]]:
        """The channels, upright."""
        if rotation == 0:
            return list(planar)
        turn = {90: self._cv2.ROTATE_90_CLOCKWISE, 180: self._cv2.ROTATE_180, 270: self._cv2.ROTATE_90_COUNTERCLOCKWISE}[rotation]
        return [self._cv2.rotate(channel, turn) for channel in planar]

    def _arrange(self, channels: list[NDArray[Any]], tensor: NDArray[Any], rows: slice, columns: slice) -> None:
        """Upright channels into their place in the tensor, in its layout and dtype."""
        if self._input.layout == "NHWC" and self._input.dtype != "float16":
            self._cv2.merge(channels, tensor[rows, columns])
            return
        planes_first = tensor if self._input.layout == "NCHW" else tensor.transpose(2, 0, 1)
        for channel, plane in zip(channels, planes_first, strict=True):
            plane[rows, columns] = channel

    def _plan(self, frame: Frame) -> _Plan:
        key = (frame.format, frame.size, frame.rotation, frame.color)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make_plan(frame)
            if len(self._plans) > _KEPT:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan

    def _make_plan(self, frame: Frame) -> _Plan:
        place = fit(self._input, frame.size, frame.rotation)
        size = turned(place.content, frame.rotation)
        sampling = Sampling(frame.format, place.window, size)
        matrix = normalised(to_rgb(frame.format, frame.color), self._input)
        kind = np.uint8 if self._input.dtype == "uint8" else np.float32
        hidden = hidden_after(self._mask, frame, place.window, size)
        shades = [np.full((size.height, size.width), value, kind) for value in pixel_values(self._input, 0)]
        direct = self._input.layout == "NCHW" and self._input.dtype != "float16" and frame.rotation == 0
        planar = None if direct else np.empty((3, size.height, size.width), kind)
        return _Plan(place, sampling, matrix, None if hidden is None else (hidden, shades), planar)

    def _clear_around(self, place: Fit, buffer: NDArray[Any]) -> None:
        if buffer.shape != self.shape or buffer.dtype != self._input.dtype or not buffer.flags.c_contiguous:
            expected = f"a C-contiguous buffer {self.shape} of {self._input.dtype}"
            raise ValueError(f"input {self._input.name!r}: expected {expected}, found {buffer.shape} of {buffer.dtype}")
        own = self._own.get(id(buffer))
        if own is not None and own[1] is place:
            return
        if place.content != self._input.size:
            self._paint(buffer)
        if own is not None:
            self._own[id(buffer)] = (buffer, place)

    def _paint(self, buffer: NDArray[Any]) -> None:
        shape = (1, 3, 1, 1) if self._input.layout == "NCHW" else (1, 1, 1, 3)
        buffer[...] = self._pad.reshape(shape)
