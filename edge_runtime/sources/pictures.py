"""A decoded AVFrame as planes that NumPy can read, without a copy wherever the pixel format is one of ours.

line_size (bytes)
├───────────── width ─────────────┤▒▒ padding ▒▒│     view = buffer.reshape(height, line_size)[:, :width]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import Unsupported
from edge_runtime.sources.layout import LARGEST_PIXELS, plane_shapes, usual_matrix
from edge_runtime.types import ColorSpec, Matrix, PixelFormat, Size

if TYPE_CHECKING:
    from av import VideoFrame

_OURS = {
    "yuv420p": PixelFormat.YUV420P,
    "yuvj420p": PixelFormat.YUV420P,
    "yuv422p": PixelFormat.YUV422P,
    "yuvj422p": PixelFormat.YUV422P,
    "yuv420p10le": PixelFormat.YUV420P10,
    "nv12": PixelFormat.NV12,
    "yuyv422": PixelFormat.YUYV,
    "bgr24": PixelFormat.BGR24,
    "gray": PixelFormat.GRAY8,
}

# What swscale turns a foreign format into: the nearest of ours of the same kind (YUV stays YUV with its matrix and range, RGB stays RGB).
_NEAREST = {
    **dict.fromkeys(("yuv444p", "yuv440p", "yuva422p", "yuva444p", "yuv422p16le", "nv16", "nv24"), "yuv422p"),
    **dict.fromkeys(("yuvj444p", "yuvj440p"), "yuvj422p"),
    "yuvj411p": "yuvj420p",
    **dict.fromkeys(("yuv410p", "yuv411p", "yuva420p", "nv21", "yuv420p9le"), "yuv420p"),
    **dict.fromkeys(("yuv420p12le", "yuv420p14le", "yuv420p16le", "yuv422p10le", "yuv422p12le", "yuv444p10le", "yuv444p12le"), "yuv420p10le"),
    **dict.fromkeys(("p010le", "p012le", "p016le", "p210le", "yuv420p10be"), "yuv420p10le"),
    **dict.fromkeys(("uyvy422", "yvyu422"), "yuyv422"),
    **dict.fromkeys(("rgb24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr", "gbrp", "gbrap", "pal8"), "bgr24"),
    **dict.fromkeys(("rgb565le", "rgb555le", "bgr565le", "rgb8", "bgr8", "rgb48le", "rgba64le", "gbrp10le", "gbrp12le"), "bgr24"),
    **dict.fromkeys(("gray9le", "gray10le", "gray12le", "gray14le", "gray16le", "gray16be", "ya8", "monow", "monob"), "gray"),
}

_MATRICES = {1: Matrix.BT709, 4: Matrix.BT601, 5: Matrix.BT601, 6: Matrix.BT601, 7: Matrix.BT709, 9: Matrix.BT2020, 10: Matrix.BT2020}  # AVCOL_SPC
_LIMITED, _FULL = 1, 2  # AVCOL_RANGE


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The part of a Frame that comes from the decoder."""

    planes: tuple[NDArray[Any], ...]
    format: PixelFormat
    color: ColorSpec
    size: Size
    rotation: int


def conversion_note(pixel_format: str) -> str:
    """What a stream of this pixel format costs; "" when its planes are used as they are. Raises Unsupported."""
    if pixel_format in _OURS:
        return ""
    return f"pixel format {pixel_format} is converted to {_nearest(pixel_format)}, which costs CPU on every selected frame"


def picture_of(frame: VideoFrame) -> Picture:
    """Read-only views into the decoder's own planes (a conversion's, for a foreign pixel format). Raises Unsupported."""
    size = Size(frame.width, frame.height)
    if not 0 < size.width * size.height <= LARGEST_PIXELS:
        raise Unsupported(f"a picture of {size.width}x{size.height}: expected at most {LARGEST_PIXELS} pixels; set the camera to a smaller one")
    name = frame.format.name
    full_range = _is_full_range(name, frame.color_range)
    matrix = _MATRICES.get(frame.colorspace) or usual_matrix(size)
    rotation = round(-frame.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
    if name not in _OURS:
        name = _nearest(name)
        frame = frame.reformat(format=name)
    pixels = _OURS[name]
    return Picture(_views(frame, pixels, size), pixels, ColorSpec(matrix, full_range), size, rotation)


def _nearest(name: str) -> str:
    if name not in _NEAREST:
        known = ", ".join(sorted(_OURS))
        raise Unsupported(f"pixel format {name}: expected one of {known} (or one that converts to these); set the camera to H.264 or H.265, 4:2:0")
    return _NEAREST[name]


def _is_full_range(name: str, color_range: int) -> bool:
    if name.startswith("yuvj"):
        return True
    if color_range in (_LIMITED, _FULL):
        return color_range == _FULL
    return not name.startswith(("yuv", "nv", "p0", "p2", "uyvy", "yvyu"))  # RGB and gray


def _views(frame: VideoFrame, pixels: PixelFormat, size: Size) -> tuple[NDArray[Any], ...]:
    views = []
    for plane, (shape, dtype) in zip(frame.planes, plane_shapes(pixels, size), strict=False):  # pal8 has a palette more
        rows = np.frombuffer(memoryview(plane).toreadonly(), dtype).reshape(shape[0], -1)
        if plane.line_size < 0:
            rows = rows[::-1]  # stored bottom-up
        views.append(rows[:, : math.prod(shape[1:])].reshape(shape))
    return tuple(views)
