"""Raw model outputs -> values; a row of the table each family, near kin in one module.

A row is a string, so that a family's code is imported only when a model names it. A family says everything about its kind, so that adopting,
loading and decoding can never disagree: how outputs become detections, from what is declared alone whether a model may be one of it (`classes_in`),
what its models expect to see (`usual_input`), what its authors suppress (`usual_thresholds`), and whether the numbers of one real inference are such
as it decodes (`require_raw`).

Declarations of one family can be another's too: then both say so. Their numbers may still tell them apart; where not even those do, a person must.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.ports import Port
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

DECODERS: dict[str, str] = {
    "detr": "edge_runtime.decode.detr:DetrDecoder",
    "efficient-nms": "edge_runtime.decode.efficient_nms:EfficientNmsDecoder",
    "fastestdet": "edge_runtime.decode.fastestdet:FastestDetDecoder",
    "lpd-yunet": "edge_runtime.decode.lpd_yunet:LpdYunetDecoder",
    "nanodet": "edge_runtime.decode.distribution:NanoDetDecoder",
    "nanodet-plus": "edge_runtime.decode.distribution:NanoDetPlusDecoder",
    "picodet": "edge_runtime.decode.distribution:PicoDetDecoder",
    "rfdetr": "edge_runtime.decode.detr:RfDetrDecoder",
    "rtdetr": "edge_runtime.decode.rtdetr:RtDetrDecoder",
    "rtdetr-logits": "edge_runtime.decode.detr:RtDetrLogitsDecoder",
    "ssd": "edge_runtime.decode.ssd:SsdDecoder",
    "yolov10": "edge_runtime.decode.yolov10:Yolov10Decoder",
    "yolov5": "edge_runtime.decode.yolov5:Yolov5Decoder",
    "yolov7-nms": "edge_runtime.decode.yolov7_nms:Yolov7NmsDecoder",
    "yolov8": "edge_runtime.decode.yolov8:Yolov8Decoder",
    "yolox": "edge_runtime.decode.yolox:YoloxDecoder",
    "yunet": "edge_runtime.decode.yunet:YunetDecoder",
}

CROSS_CLASS_IOU = 0.7
"""Overlap above which two boxes of different labels are one object read twice.

Why suppress across labels at all: a detector reads one van as "car" and as "truck". Over 100 frames of a roadside camera, YOLOX-nano (scores
from 0.1) did so six times a frame, and 94 % of the pairs that overlap by more than 0.45 overlap by more than 0.7 (88 % in 151 street photographs).

Why not lower: distinct objects share a place too, a rider and the bicycle most of all. In a crowd, such pairs of detections stayed below 0.7; in
5,577 labelled boxes of street photographs (few riders) two distinct objects of different labels never overlap by more than 0.36.
"""


class Decoder(Protocol):
    """Outputs of one inference -> what was seen. Built once a lane, never called concurrently: it owns scratch memory.

    Scores down to `floor` stay (a tracker's second association needs them), best first. Unwanted labels go before suppression, so
    that they cannot push a wanted box away. Suppression is by label, and across labels only above CROSS_CLASS_IOU.
    """

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        """Boxes come back in source pixels, clipped to the picture, none of them empty: what lies in the padding alone is not there.

        Raises ValueError for outputs of another shape than the manifest's, and for a label that has no name.
        """


class Family(Protocol):
    """What a row of the table names: the decoder's class."""

    def __call__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> Decoder: ...

    def classes_in(self, size: Size, outputs: Sequence[Port]) -> int | None:
        """How many classes a model of this family with such outputs has, None where they do not tell. An open batch is declared as 1.

        Raises ValueError, saying why, when it is of another kind.
        """

    def usual_input(self, name: str, size: Size) -> ImageInput:
        """The preprocessing that its models are trained with, as its authors publish it."""

    def usual_thresholds(self) -> Thresholds:
        """What its authors report and suppress. iou = 1: its models give each object once, and nothing of one label is suppressed."""

    def require_raw(self, size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when these numbers cannot be what `decode` expects: shapes alone do not tell a raw head from a decoded one."""


def family_of(name: str) -> Family:
    """The row of this name. Raises ValueError for a family that is not in the table."""
    if name not in DECODERS:
        raise ValueError(f'unknown family "{name}": known are {", ".join(sorted(DECODERS))}')
    module, _, attribute = DECODERS[name].partition(":")
    family: Family = getattr(importlib.import_module(module), attribute)
    return family


def make_decoder(manifest: Manifest, floor: float, keep: NDArray[np.bool_] | None, iou: float | None = None) -> Decoder:
    """The decoder that the manifest names.

    `floor`: the least score that is reported, 0–1. `keep`: a flag for each of the manifest's labels, None for all. `iou`: overlap
    above which two boxes of one label are one object; None takes the manifest's. Raises ValueError for an unknown family, or
    flags that do not match the labels.
    """
    wanted = np.ones(len(manifest.labels), np.bool_) if keep is None else np.ascontiguousarray(keep, np.bool_)
    if wanted.shape != (len(manifest.labels),):
        raise ValueError(f"{wanted.size} flags for the {len(manifest.labels)} labels of {manifest.identity}")
    return family_of(manifest.family)(manifest, floor, wanted, manifest.thresholds.iou if iou is None else iou)
