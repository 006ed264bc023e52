"""Clips made for tests. Every picture carries its number in its luma, so that a test knows which one it got.

┌──┬──┬──┬──┬──┬──┬──┬──┬───────┐
│b7│b6│b5│b4│b3│b2│b1│b0│ grey  │    eight blocks, white = 1, black = 0
├──┴──┴──┴──┴──┴──┴──┴──┴───────┤
│ grey gradient                 │
└───────────────────────────────┘
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 8
_DARK, _BRIGHT = 40, 210


def make_clip(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (320, 240),
    fps: float = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    full_range: bool = False,
) -> Path:
    """Encode `frames` numbered pictures; `times_ms` gives each its own presentation time instead of a steady rate."""
    import av

    default = {"preset": "ultrafast", "g": "10", "bf": "0"} if codec == "libx264" else {}
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = container.add_stream(codec, rate=rate, options={**default, **(options or {})})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        if full_range:
            stream.codec_context.color_range = 2
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames if times_ms is None else len(times_ms)):
            picture = av.VideoFrame.from_ndarray(numbered(number, size), format="gray").reformat(format=pix_fmt, dst_color_range=1)
            picture.color_range = 2 if full_range else 1
            picture.time_base = 1 / rate if times_ms is None else Fraction(1, 1000)
            picture.pts = number if times_ms is None else times_ms[number]
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def make_jpegs(count: int, pix_fmt: str = "yuvj420p", size: tuple[int, int] = (320, 240)) -> list[bytes]:
    """Numbered pictures, each a JPEG file, full range, as cameras make them."""
    import av

    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = pix_fmt
    encoder.color_range = 2
    encoder.time_base = Fraction(1, 15)
    files = []
    for number in range(count):
        picture = av.VideoFrame.from_ndarray(numbered(number, size), format="gray").reformat(format=pix_fmt)
        picture.color_range = 2
        picture.pts = number
        files += [bytes(packet) for packet in encoder.encode(picture)]
    return files


def numbered(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The grey picture of `number`."""
    width, height = size
    picture = np.empty((height, width), np.uint8)
    picture[:] = np.linspace(80, 160, width).astype(np.uint8)
    block = width // (BITS + 1)
    for bit in range(BITS):
        picture[: height // 3, bit * block : (bit + 1) * block] = _BRIGHT if number >> (BITS - 1 - bit) & 1 else _DARK
    return picture


def number_of(luma: NDArray[Any]) -> int:
    """Which picture it is; `luma` may have ten bits."""
    height, width = luma.shape[:2]
    block = width // (BITS + 1)
    middle = 512 if luma.dtype.itemsize == 2 else 128
    row = luma[height // 6]
    return sum(int(row[bit * block + block // 2] > middle) << (BITS - 1 - bit) for bit in range(BITS))


def rotate_clockwise(path: Path, degrees: int) -> Path:
    """Write the display matrix of a camera that was turned, into an MP4's track header (ISO 14496-12, 8.3.2).

    A point (x, y) is shown at (a·x + c·y + tx, b·x + d·y + ty); y grows downwards, so (a, b, c, d) = (0, 1, −1, 0) turns it clockwise.
    """
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    assert data[at] == 0, "expected version 0"
    one, unit = 1 << 16, 1 << 30
    struct.pack_into(">9i", data, at + 40, a * one, b * one, 0, c * one, d * one, 0, 0, 0, unit)
    path.write_bytes(bytes(data))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file, as a power cut would."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
