"""Suppression in the graph, as YOLOv7 exports it (`--end2end --max-wh`): as many rows as were found.

One output [N, 7]:

    each row:   picture of the batch (0), x1, y1, x2, y2 in tensor pixels, class, score
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

WANTED = (Wanted("float32", (None, 7)),)


class Yolov7NmsDecoder:
    """Decodes rows that were suppressed already. Scores below the graph's own threshold never come out, whatever the floor."""

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
        return chosen(rows[:, 1:5], rows[:, 6], rows[:, 5], self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> None:  # noqa: ARG004 - any size
        """The shape does not tell. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, WANTED)

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, letterboxed to the centre, the rest 114."""
        return ImageInput(name=name, size=size, color="RGB", resize="letterbox", align="center", pad=114, scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """The graph has suppressed: nothing more of one label is."""
        return Thresholds(score=0.25, iou=1.0)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when these are no rows of picture, box, class and score."""
        rows = np.asarray(outputs[0], np.float64)
        require_rows(rows[:, 1:5], rows[:, 6], rows[:, 5])
        if rows[:, 0].any():
            raise ValueError("rows of another picture than the first: its first column is something else, or it was exported for more than one")
