"""Variation: the same few pictures, never twice alike. All of it follows from the generator that is passed in.

single                          mosaic
┌──────────────────┐           ┌──────┬───────────┐
│   ┌──────────┐   │           │  a   │     b     │    each a random part of a picture, at a random scale,
│   │ zoomed,  │   │           ├──────┼───────────┤    mirrored or not; where they meet is random too
│   │ shifted  │   │           │  c   │     d     │
│   └──────────┘114│           │      │           │
└──────────────────┘           └──────┴───────────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_export.street.data import IGNORED
from edge_export.street.recipe import Augmentation

PAD = 114
LEAST_SIDE = 4.0  # px of the network's input: smaller objects are ignored
LEAST_LEFT = 0.35  # share of an object that a crop must leave, or it is ignored
AS_DEPLOYED = 0.2  # share of single pictures that are only letterboxed, as a device does it

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture [h, w, 3] BGR, boxes (N, 4) in its pixels, labels (N,)."""

    picture: Picture
    boxes: NDArray[np.float32]
    labels: NDArray[np.int8]


def vary(examples: Sequence[Example], how: Augmentation, size: tuple[int, int], rng: np.random.Generator) -> Example:
    """One picture of `size` (width, height) from one example, or a mosaic from four."""
    made = _mosaic(examples, how, size, rng) if len(examples) == 4 else _single(examples[0], how, size, rng)
    return Example(_light(made.picture, how, rng), made.boxes, made.labels)


def letterbox(example: Example, size: tuple[int, int]) -> Example:
    """As the device does it: fitted, top left, the rest grey."""
    height, width = example.picture.shape[:2]
    return _warp(example, min(size[0] / width, size[1] / height), (1.0, 1.0), (0.0, 0.0), size)


def _single(example: Example, how: Augmentation, size: tuple[int, int], rng: np.random.Generator) -> Example:
    example = _mirror(example, how, rng)
    if rng.random() < AS_DEPLOYED:
        return letterbox(example, size)
    height, width = example.picture.shape[:2]
    fit = min(size[0] / width, size[1] / height)
    zoom = fit * _log_uniform(rng, how.least_zoom, how.most_zoom)
    aspect = _log_uniform(rng, 0.87, 1.15)
    stretch = (aspect**0.5, aspect**-0.5)
    shift = [_place(side, extent * zoom * each, rng) for side, extent, each in zip(size, (width, height), stretch, strict=True)]
    return _warp(example, zoom, stretch, (shift[0], shift[1]), size)


def _place(side: float, extent: float, rng: np.random.Generator) -> float:
    """Where a stretch of `extent` begins on `side`: within it when it fits, else covering it, in either case with some freedom beyond."""
    low, high = sorted((0.0, side - extent))
    return float(rng.uniform(low - 0.1 * side, high + 0.1 * side))


def _mosaic(examples: Sequence[Example], how: Augmentation, size: tuple[int, int], rng: np.random.Generator) -> Example:
    width, height = size
    x, y = round(width * rng.uniform(0.3, 0.7)), round(height * rng.uniform(0.3, 0.7))
    canvas = np.empty((height, width, 3), np.uint8)
    boxes, labels = [], []
    for example, (left, top, right, bottom) in zip(examples, ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)), strict=True):
        part = (right - left, bottom - top)
        tall, wide = example.picture.shape[:2]
        cover = max(part[0] / wide, part[1] / tall)
        zoom = max(cover, min(size[0] / wide, size[1] / tall) * _log_uniform(rng, how.least_zoom, how.most_zoom**0.5))
        shift = (float(rng.uniform(min(part[0] - wide * zoom, 0), 0)), float(rng.uniform(min(part[1] - tall * zoom, 0), 0)))
        made = _warp(_mirror(example, how, rng), zoom, (1.0, 1.0), shift, part)
        canvas[top:bottom, left:right] = made.picture
        boxes.append(made.boxes + np.array([left, top, left, top], np.float32))
        labels.append(made.labels)
    return Example(canvas, np.concatenate(boxes), np.concatenate(labels))


def _mirror(example: Example, how: Augmentation, rng: np.random.Generator) -> Example:
    if rng.random() >= how.p_flip:
        return example
    width = example.picture.shape[1]
    boxes = example.boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32) + np.array([width, 0, width, 0], np.float32)
    return Example(example.picture[:, ::-1], boxes, example.labels)


def _warp(example: Example, zoom: float, stretch: tuple[float, float], shift: tuple[float, float], size: tuple[int, int]) -> Example:
    """Scales and shifts onto a canvas of `size`; objects that are too small or cut off too much become ignored."""
    import cv2

    scale = np.array([zoom * stretch[0], zoom * stretch[1]])
    picture = np.ascontiguousarray(example.picture)
    if zoom < 0.6:  # warpAffine has no area filter, and what a device sees is not aliased either
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    step = scale * np.array(example.picture.shape[1::-1]) / np.array(picture.shape[1::-1])
    offset = np.array(shift) + 0.5 * step - 0.5  # it maps the middles of pixels, not their corners
    matrix = np.array([[step[0], 0, offset[0]], [0, step[1], offset[1]]])
    made = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(PAD, PAD, PAD))
    return Example(made, *_clip(example.boxes * np.tile(scale, 2) + np.tile(shift, 2), example.labels, size))


def _clip(boxes: NDArray[np.float64], labels: NDArray[np.int8], size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    inside = np.clip(boxes, 0, np.tile(np.array(size, np.float64), 2))
    sides, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    left = np.prod(sides, axis=1) / np.maximum(np.prod(whole, axis=1), 1e-9)
    doubtful = (left < LEAST_LEFT) | (sides.max(axis=1, initial=0) < LEAST_SIDE * 1.5) | (sides.min(axis=1, initial=np.inf) < LEAST_SIDE * 0.6)
    kept = (sides > 1).all(axis=1)
    return inside[kept].astype(np.float32), np.where(doubtful, np.int8(IGNORED), labels)[kept]


def _light(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """Colour, night, blur, noise, compression, cutout: what weather and cameras do."""
    import cv2

    picture = _colors(picture, how, rng)
    if rng.random() < how.p_blur:
        reach = int(rng.integers(1, 3)) * 2 + 1
        kernel = (reach, reach) if rng.random() < 0.5 else (reach, 1)
        picture = cv2.blur(picture, kernel)
    if rng.random() < how.p_noise:
        picture = _noise(picture, rng)
    if rng.random() < how.p_jpeg:
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])[1]
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < how.p_cutout:
        height, width = picture.shape[:2]
        for _ in range(int(rng.integers(1, 4))):
            wide, high = int(rng.integers(6, width // 8)), int(rng.integers(6, height // 8))
            x, y = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
            picture[y : y + high, x : x + wide] = rng.integers(0, 255, 3)
    return picture


def _noise(picture: Picture, rng: np.random.Generator) -> Picture:
    """A sensor's grain, one tile of it over and over: drawing it anew for every pixel would cost more than all the rest."""
    tile = rng.integers(-1000, 1000, 65_536, np.int16) * (rng.uniform(2, 14) / 1000)
    grain = np.roll(np.resize(tile, picture.size), int(rng.integers(0, 997))).reshape(picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _colors(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """Gamma, gain and tint by one table a channel; saturation by mixing with grey."""
    import cv2

    levels = np.arange(256) / 255
    night = rng.random() < how.p_night
    gamma = _log_uniform(rng, 1 / (1 + how.color), 1 + how.color) * (rng.uniform(1.2, 2.2) if night else 1)
    gain = _log_uniform(rng, 1 / (1 + how.color), 1 + how.color) * (rng.uniform(0.35, 0.8) if night else 1)
    tint = 1 + rng.uniform(-0.12, 0.12, 3) * (1.5 if night else 1)
    lift = rng.uniform(-0.08, 0.08)
    table = np.clip((levels[:, None] ** gamma * gain * tint + lift) * 255, 0, 255).astype(np.uint8)
    picture = cv2.LUT(picture, table.reshape(1, 256, 3))
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        keep = rng.uniform(0.0, 1.4)
        picture = cv2.addWeighted(picture, keep, grey, 1 - keep, 0)
    return picture


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
