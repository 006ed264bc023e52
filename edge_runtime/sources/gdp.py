"""GStreamer's data protocol (GDP 1.0), as `gdppay` writes it: how raw pictures, their size and their times come through a pipe.

    0  1      2        3     4  5    6        10          18         26           62
    ┌──┬──┬───────┬─────┬───────┬────────┬───────────┬──────────┬─ … ─┬──────────┐ ┌─────────────┐
    │ 1│ 0│ flags │  ×  │ type  │ length │ timestamp │ duration │     │ checksums│ │ length bytes│
    └──┴──┴───────┴─────┴───────┴────────┴───────────┴──────────┴─ … ─┴──────────┘ └─────────────┘
    big endian; type 1 is a buffer, 2 caps (text: "video/x-raw, format=(string)I420, width=(int)640, …"), 64 and up an event

Caps may come again at any time, with another size. Rows are padded as GStreamer's default layout says (gst-video-info.c): to 4 bytes,
chroma rows of an odd picture as if it were one pixel larger.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import Disconnected, Unsupported
from edge_runtime.sources.layout import LARGEST_PIXELS, plane_shapes, usual_color
from edge_runtime.types import ColorSpec, Matrix, PixelFormat, Size

HEADER_BYTES = 62
BUFFER, CAPS = 1, 2
_NO_TIME = 2**64 - 1
_FIELDS = struct.Struct(">BBBxHIQQ")

# What the pipeline may give as it is. No ten-bit format: elements that can give anything would choose it, and it costs twice the memory.
FORMATS = {
    "I420": PixelFormat.YUV420P,
    "Y42B": PixelFormat.YUV422P,
    "NV12": PixelFormat.NV12,
    "YUY2": PixelFormat.YUYV,
    "BGR": PixelFormat.BGR24,
    "GRAY8": PixelFormat.GRAY8,
}
_MATRICES = {"2": Matrix.BT709, "3": Matrix.BT601, "4": Matrix.BT601, "5": Matrix.BT709, "6": Matrix.BT2020}  # GstVideoColorMatrix
_NAMED = {"bt601": Matrix.BT601, "bt709": Matrix.BT709, "bt2020": Matrix.BT2020, "bt2020-10": Matrix.BT2020}


@dataclass(frozen=True, slots=True)
class Header:
    """What precedes `length` bytes of payload. `pts_ns` is the running time of a buffer, None when it has none."""

    type: int
    length: int
    pts_ns: int | None


@dataclass(frozen=True, slots=True)
class Caps:
    """How to read the buffers that follow."""

    format: PixelFormat
    size: Size
    color: ColorSpec
    fps: float | None


def parse_header(data: bytes) -> Header:
    """62 bytes. Raises Disconnected when they are none of GDP's."""
    major, _, _, kind, length, pts, _ = _FIELDS.unpack_from(data)
    if major != 1:
        raise Disconnected(f"expected GDP 1.0 from the pipeline, found {data[:8]!r}; does an element write to standard output?")
    return Header(kind, length, None if pts == _NO_TIME else pts)


def parse_caps(text: str) -> Caps:
    """GStreamer's caps. Raises Unsupported for anything but raw video in one of our formats."""
    text = text.strip("\0")
    fields = dict(re.findall(r"([\w-]+)=\(\w+\)\"?([^,;\"]+)", text))
    try:
        pixels = FORMATS[fields["format"]]
        size = Size(int(fields["width"]), int(fields["height"]))
        fps = Fraction(fields.get("framerate", "0"))
    except (KeyError, ValueError, ZeroDivisionError):
        raise Unsupported(f"expected raw video from the pipeline, found {text[:200]}") from None
    if not 0 < size.width * size.height <= LARGEST_PIXELS:
        raise Unsupported(f"a picture of {size.width}x{size.height}: expected at most {LARGEST_PIXELS} pixels; scale it down in the pipeline")
    return Caps(pixels, size, _color(fields.get("colorimetry", ""), pixels, size), float(fps) or None)


def buffer_bytes(caps: Caps) -> int:
    """The length of one picture with GStreamer's padding."""
    return sum(rows * stride for rows, stride in _strides(caps.format, caps.size))


def planes_of(data: NDArray[np.uint8], caps: Caps) -> tuple[NDArray[Any], ...]:
    """Read-only views into one buffer's bytes."""
    data.flags.writeable = False
    views = []
    offset = 0
    for (shape, dtype), (rows, stride) in zip(plane_shapes(caps.format, caps.size), _strides(caps.format, caps.size), strict=True):
        plane = data[offset : offset + rows * stride].view(dtype).reshape(rows, -1)
        views.append(plane[: shape[0], : int(np.prod(shape[1:]))].reshape(shape))
        offset += rows * stride
    return tuple(views)


def _strides(pixels: PixelFormat, size: Size) -> tuple[tuple[int, int], ...]:
    """(rows, bytes a row) of each plane."""
    width, height = size
    even_w, even_h = _up(width, 2), _up(height, 2)
    return {
        PixelFormat.YUV420P: ((even_h, _up(width, 4)), *[(even_h // 2, _up(even_w // 2, 4))] * 2),
        PixelFormat.YUV422P: ((height, _up(width, 4)), *[(height, _up(width, 8) // 2)] * 2),
        PixelFormat.NV12: ((even_h, _up(width, 4)), (even_h // 2, _up(width, 4))),
        PixelFormat.YUYV: ((height, _up(2 * width, 4)),),
        PixelFormat.BGR24: ((height, _up(3 * width, 4)),),
        PixelFormat.GRAY8: ((height, _up(width, 4)),),
    }[pixels]


def _color(colorimetry: str, pixels: PixelFormat, size: Size) -> ColorSpec:
    """From a name ("bt709") or "range:matrix:transfer:primaries" in GStreamer's numbers (range 1 is full, 2 limited)."""
    usual = usual_color(pixels, size)
    if colorimetry in _NAMED:
        return ColorSpec(_NAMED[colorimetry], usual.full_range)
    numbers = colorimetry.split(":")
    if len(numbers) < 2:
        return usual
    full_range = numbers[0] == "1" if numbers[0] in "12" else usual.full_range
    return ColorSpec(_MATRICES.get(numbers[1], usual.matrix), full_range)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
