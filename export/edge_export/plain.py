"""The framework's side of a comparison, written a second time: plain NumPy, double precision, nothing shared with the device.

    picture (BGR) ─► bilinear ─► letterbox | stretch ─► channel order, scale, mean, std ─► [1, 3, h, w]
    [1, A, 5 + C] ─► cells to pixels ─► suppression ─► boxes in pixels of the picture

What `edge_runtime.prepare` and `edge_runtime.decode` do fast is held against this. It follows the papers and the manifest's words, not their code:
YOLOX (Ge et al. 2021, arXiv:2107.08430); greedy suppression, same label by `iou`, different labels by the runtime's CROSS_CLASS_IOU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.types import Size

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture as a tensor, and how to come back: picture = (tensor − offset) / scale, for x and y."""

    tensor: NDArray[np.float32]  # [1, 3, height, width]
    scale: tuple[float, float]
    offset: tuple[float, float]
    picture: Size


@dataclass(frozen=True, slots=True)
class Found:
    """Detections, best first: xyxy [N, 4] in pixels of the picture, score [N], label [N]."""

    xyxy: Real
    score: Real
    label: NDArray[np.int64]


def place(picture: NDArray[Any], image: ImageInput) -> Placed:
    """A BGR picture [h, w, 3] (any real type, 0–255) as the network saw pictures in training. Raises ValueError for a crop."""
    size = Size(picture.shape[1], picture.shape[0])
    return _laid(bilinear(picture, content_size(size, image)), size, image)


def place_planes(planes: Sequence[NDArray[np.uint8]], image: ImageInput) -> Placed:
    """I420 planes (BT.601, limited range) likewise, in the device's order: each plane is resized, then colours are made."""
    size = Size(planes[0].shape[1], planes[0].shape[0])
    return _laid(_bgr(*(bilinear(plane, content_size(size, image)) for plane in planes)), size, image)


def content_size(picture: Size, image: ImageInput) -> Size:
    """How large a picture of this size becomes in the tensor."""
    if image.resize == "crop":
        raise ValueError("resize = crop: networks are trained here on whole pictures: expected letterbox or stretch")
    if image.resize == "stretch":
        return image.size
    ratio = min(image.size.width / picture.width, image.size.height / picture.height)
    width, height = (max(1, min(room, int(side * ratio + 0.5))) for room, side in zip(image.size, picture, strict=True))
    return Size(width, height)


def _laid(content: Real, picture: Size, image: ImageInput) -> Placed:
    height, width = content.shape[:2]
    left, top = ((image.size.width - width) // 2, (image.size.height - height) // 2) if image.align == "center" else (0, 0)
    canvas = np.full((image.size.height, image.size.width, 3), float(image.pad))
    canvas[top : top + height, left : left + width] = content
    ordered = canvas if image.color == "BGR" else canvas[:, :, ::-1]
    value = (ordered * image.scale - np.array(image.mean)) / np.array(image.std)
    tensor = np.ascontiguousarray(value.transpose(2, 0, 1)[None], np.float32)
    return Placed(tensor, (width / picture.width, height / picture.height), (left, top), picture)


def bilinear(picture: NDArray[Any], size: Size) -> Real:
    """The picture [h, w, …] stretched to `size`: centres on centres, edges repeated, no smoothing."""
    out = np.asarray(picture, np.float64)
    for axis, wanted in ((0, size.height), (1, size.width)):
        have = out.shape[axis]
        at = np.clip((np.arange(wanted) + 0.5) / wanted * have - 0.5, 0, have - 1)
        low = at.astype(int)
        share = (at - low).reshape([-1 if each == axis else 1 for each in range(out.ndim)])
        out = out.take(low, axis) * (1 - share) + out.take(np.minimum(low + 1, have - 1), axis) * share
    return out


def yolox(output: NDArray[np.float32], placed: Placed, floor: float, iou: float, across: float) -> Found:
    """What the raw output [1, A, 5 + C] says: scores from `floor`, overlap above `iou` (one label) or `across` (two labels) suppressed."""
    raw = output[0].astype(np.float64)
    cells = []
    height, width = placed.tensor.shape[2:]
    for stride in (8, 16, 32):
        cells += [(x, y, stride) for y in range(height // stride) for x in range(width // stride)]
    x, y, stride = np.array(cells, np.float64).T
    score, label = raw[:, 4] * raw[:, 5:].max(axis=1), raw[:, 5:].argmax(axis=1)
    centre = np.stack([(raw[:, 0] + x) * stride, (raw[:, 1] + y) * stride], axis=1)
    half = np.exp(raw[:, 2:4]) * stride[:, None] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= floor]
    kept: list[int] = []
    for row in order:
        overlaps = overlap(boxes[row], boxes[kept]) if kept else np.zeros(0)
        if not (overlaps > np.where(label[kept] == label[row], iou, across)).any():
            kept.append(int(row))
    xyxy = (boxes[kept].reshape(-1, 4) - np.tile(placed.offset, 2)) / np.tile(placed.scale, 2)
    xyxy = np.clip(xyxy, 0, np.tile(placed.picture, 2))
    seen = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return Found(xyxy[seen], score[kept][seen], label[kept][seen])


def overlap(box: Real, boxes: Real) -> Real:
    """Intersection over union of one box with many [N, 4]."""
    corner = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.clip(corner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared / np.maximum(np.prod(box[2:] - box[:2]) + areas - shared, 1e-12), np.float64)


def planes_of(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A BGR picture of even size as I420 planes, BT.601 limited range as cameras send it: chroma is the mean of four pixels, in their middle."""
    blue, green, red = np.moveaxis(picture.astype(np.float64), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (plane.reshape(plane.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for plane in ((blue - luma) / 1.772, (red - luma) / 1.402))
    stored = (16 + luma * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255)
    y, u, v = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in stored)
    return y, u, v


def picture_of(planes: Sequence[NDArray[np.uint8]]) -> Real:
    """I420 planes as a BGR picture [h, w, 3], unrounded, as the usual script makes it: chroma is stretched first, colours made at every pixel."""
    size = Size(planes[0].shape[1], planes[0].shape[0])
    return _bgr(planes[0].astype(np.float64), *(bilinear(plane, size) for plane in planes[1:]))


def _bgr(y: Real, u: Real, v: Real) -> Real:
    """BT.601, limited range: planes of one size -> [h, w, 3], clipped to 0–255."""
    luma, cb, cr = (y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224
    red, blue = luma + 1.402 * cr, luma + 1.772 * cb
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.clip(np.stack([blue, green, red], axis=2), 0, 255)
