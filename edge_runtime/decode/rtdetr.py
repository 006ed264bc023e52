"""RT-DETR, D-FINE and DEIM as their authors export them: the graph chooses, and scales boxes to the size that its second input says.

Three outputs, Q = 300 mostly:

    labels [1, Q] int      boxes [1, Q, 4] x1, y1, x2, y2      scores [1, Q]

The second input, `orig_target_sizes` [1, 2], is width and height. Adopting makes it a constant, the tensor's own: so boxes are in tensor pixels, as
every family's are, and the model has one input, a picture.
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

WANTED = (Wanted("integer", (1, None)), Wanted("float32", (1, None, 4)), Wanted("float32", (1, None)))


class RtDetrDecoder:
    """Decodes queries that were scored already."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:  # noqa: ARG002 - rows say what they are
        self._outputs = Outputs(WANTED)
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every query that is good enough and wanted."""
        label, xyxy, score = self._outputs(outputs)
        if not label.shape[1] == xyxy.shape[1] == score.shape[1]:
            raise ValueError(f"as many labels, boxes and scores were expected, found {label.shape[1]}, {xyxy.shape[1]} and {score.shape[1]}")
        return chosen(xyxy[0], score[0], label[0], self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> None:  # noqa: ARG004 - any size
        """The shapes do not tell. Raises ValueError, saying why, for a model of another kind."""
        rows = [outputs[index].shape[1] for index in places(outputs, WANTED)]
        if len(set(rows)) != 1:
            raise ValueError(f"labels, boxes and scores of as many queries were expected, found {rows}")

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, stretched."""
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """Each object comes once: nothing of one label is suppressed."""
        return Thresholds(score=0.4, iou=1.0)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when these are no queries with label, box and score."""
        label, xyxy, score = (np.asarray(outputs[index][0], np.float64) for index in places(outputs, WANTED))
        require_rows(xyxy, score, label)
