"""Photographs of the material as frames: as a picture's bytes, and as a camera's planes. And a model's way from there to its decoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.infer.bundle import Bundle
from edge_runtime.infer.session import open_session
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import ColorSpec, Frame, Geometry, Matrix, PixelFormat, Size, Stamp

STAMP = Stamp("still", 1, 0, 0)


def photographs(material: Path) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Their ids in the labels, and BGR pixels."""
    import cv2

    cv2.setNumThreads(1)
    folder = material / "stills" / "voc"
    for image in json.loads((folder / "gt_coco.json").read_text())["images"]:
        yield image["id"], cv2.imread(str(folder / "images" / image["file_name"]))


def as_bgr(picture: NDArray[np.uint8]) -> Frame:
    height, width = picture.shape[:2]
    return Frame(STAMP, (picture,), PixelFormat.BGR24, ColorSpec(), Size(width, height))


def as_planes(picture: NDArray[np.uint8]) -> Frame:
    """YUV 4:2:0 as a video decoder gives it; an odd last row or column is left out."""
    import cv2

    height, width = (side // 2 * 2 for side in picture.shape[:2])
    rows = cv2.cvtColor(np.ascontiguousarray(picture[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    quarter = height * width // 4
    flat = rows.reshape(-1)
    chroma = (flat[height * width :][:quarter], flat[height * width + quarter :])
    planes = (rows[:height], *(each.reshape(height // 2, width // 2) for each in chroma))
    return Frame(STAMP, planes, PixelFormat.YUV420P, ColorSpec(Matrix.BT601), Size(width, height))


FORMATS = {"bgr": as_bgr, "planes": as_planes}


class Walk:
    """A bundle's model with one thread: frame to raw outputs."""

    def __init__(self, bundle: Bundle) -> None:
        self.manifest = bundle.manifest
        self._session = open_session(bundle.model_path, bundle.manifest, ("cpu",), 1)
        self._preprocess = Preprocessor(bundle.manifest.inputs[0], ())
        self._buffer = self._preprocess.allocate()

    def __call__(self, frame: Frame) -> tuple[list[NDArray[Any]], Geometry]:
        geometry = self._preprocess(frame, self._buffer)
        return self._session.run(None, {self.manifest.inputs[0].name: self._buffer}), geometry
