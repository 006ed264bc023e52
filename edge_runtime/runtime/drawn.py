"""A street that was never filmed: boxes that drive over a textured road, for measuring where there is no footage.

    ┌──────────────────────────┐
    │  texture, still          │     noise that stays (what a picture's detail costs to decode)
    │ ═══▪══════▪▪═══════▪═══► │     lanes of boxes, some faster than others
    │ ◄══▪═════════▪═════════  │     noise that changes (what a sensor's grain costs to decode)
    └──────────────────────────┘

It costs a decoder about what a real street does. Nothing that a detector would call a car is in it, so trackers and lines have little to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Size

CLIP_FPS = 30
_LANES = 6
_BOXES_A_LANE = 4
_GRAIN = 12  # levels: makes 1080p about 5 Mbit/s, as street cameras are set, and as dear to decode as their pictures


def draw_street(path: Path, size: Size, seconds: float) -> None:
    """Write an H.264 clip of CLIP_FPS pictures a second. `size` must be even. The same arguments give the same pictures."""
    from edge_runtime.sources.film import Film

    with Film(path, CLIP_FPS) as film:
        for number, picture in enumerate(pictures(size, round(seconds * CLIP_FPS))):
            film.write(picture, number * 1_000_000_000 // CLIP_FPS)


def pictures(size: Size, count: int, seed: int = 1) -> Iterator[NDArray[np.uint8]]:
    """`count` pictures [h, w, 3], BGR."""
    random = np.random.default_rng(seed)
    ground = _texture(size, random)
    speed = random.uniform(0.002, 0.012, _LANES) * np.where(np.arange(_LANES) % 2, -1, 1)
    start = random.uniform(0, 1, (_LANES, _BOXES_A_LANE))
    color = random.integers(20, 235, (_LANES, _BOXES_A_LANE, 3), dtype=np.uint8)
    grain = random.integers(0, _GRAIN, (8, size.height, size.width, 1), dtype=np.uint8)
    for number in range(count):
        picture = ground + grain[number % len(grain)]
        for lane in range(_LANES):
            _drive(picture, (start[lane] + number * speed[lane]) % 1.0, color[lane], lane)
        yield picture


def _texture(size: Size, random: np.random.Generator) -> NDArray[np.uint8]:
    import cv2

    layers = np.zeros((size.height, size.width, 3), np.float32)
    for cells, strength in ((8, 60.0), (64, 25.0), (320, 12.0)):
        small = random.uniform(0, strength, (max(1, cells * size.height // size.width), cells, 3)).astype(np.float32)
        layers += cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(70 + layers, 0, 255 - _GRAIN), np.uint8)


def _drive(picture: NDArray[np.uint8], along: NDArray[np.float64], color: NDArray[np.uint8], lane: int) -> None:
    height, width = picture.shape[:2]
    top = round(height * (0.3 + 0.6 * lane / _LANES))
    tall, long = max(2, height // 18), max(2, width // 14)
    for place, paint in zip(along, color, strict=True):
        left = round(place * (width + long)) - long
        picture[top : top + tall, max(0, left) : max(0, left + long)] = paint
