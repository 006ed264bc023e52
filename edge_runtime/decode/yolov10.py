"""YOLOv10, YOLO26 and YOLOv8 to 12 exported with `nms=True`: the graph chooses, rows come out best first.

One output [1, N, 6], N = 300 mostly:

    each row:   x1, y1, x2, y2 in tensor pixels, score, class      (rows that are not needed: zeros, or scores near 0)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.ports import Outputs, Port, Wanted, places
from edge_runtime.decode.rows import chosen, require_rows
from edge_runtime.decode.suppress import Candidates, Suppression
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

WANTED = (Wanted("float32", (1, None, 6)),)
MOST = 1000  # rows; a head of YOLOv5 with one class has as many columns, and thousands of rows


class Yolov10Decoder:
    """Decodes rows that were chosen already."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:  # noqa: ARG002 - rows say what they are
        self._outputs = Outputs(WANTED)
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every row that is good enough and wanted."""
        (rows,) = self._outputs(outputs)
        return chosen(rows[0, :, :4], rows[0, :, 4], rows[0, :, 5], self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> None:  # noqa: ARG004 - any size
        """The shape does not tell. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, WANTED)
        rows = outputs[0].shape[1]
        if isinstance(rows, int) and rows > MOST:
            raise ValueError(f"[1, rows, 6] with at most {MOST} rows was expected, found {rows}")

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, letterboxed to the centre, the rest 114."""
        return ImageInput(name=name, size=size, color="RGB", resize="letterbox", align="center", pad=114, scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """Each object comes once: nothing of one label is suppressed."""
        return Thresholds(score=0.25, iou=1.0)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when these are no rows of box, probability and class."""
        rows = np.asarray(outputs[0][0], np.float64)
        require_rows(rows[:, :4], rows[:, 4], rows[:, 5])
