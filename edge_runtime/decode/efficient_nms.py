"""Suppression in the graph, as TensorRT's EfficientNMS answers, and exports that keep to its contract.

Four outputs, N places of which the first `num_dets` are filled:

    num_dets [1, 1] int      boxes [1, N, 4] x1, y1, x2, y2 in tensor pixels      scores [1, N]      classes [1, N] int
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

WANTED = (Wanted("integer", (1, 1)), Wanted("float32", (1, None, 4)), Wanted("float32", (1, None)), Wanted("integer", (1, None)))


class EfficientNmsDecoder:
    """Decodes places that were filled in order. Scores below the graph's own threshold never come out, whatever the floor."""

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:  # noqa: ARG002 - rows say what they are
        self._outputs = Outputs(WANTED)
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every filled place that is good enough and wanted."""
        return chosen(*filled(self._outputs(outputs)), self._floor, self._keep)

    @staticmethod
    def classes_in(size: Size, outputs: Sequence[Port]) -> None:  # noqa: ARG004 - any size
        """The shapes do not tell. Raises ValueError, saying why, for a model of another kind."""
        order = places(outputs, WANTED)
        rows = [outputs[index].shape[1] for index in order[1:]]
        if len(set(rows)) != 1:
            raise ValueError(f"boxes, scores and classes of as many places were expected, found {rows}")

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB from 0 to 1, letterboxed to the centre, the rest 114: as YOLO models are mostly exported to it."""
        return ImageInput(name=name, size=size, color="RGB", resize="letterbox", align="center", pad=114, scale=1 / 255)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """The graph has suppressed: nothing more of one label is."""
        return Thresholds(score=0.25, iou=1.0)

    @staticmethod
    def require_raw(size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG004
        """Raises ValueError when these are no filled places of box, score and class."""
        arranged = [outputs[index] for index in places(outputs, WANTED)]
        if not 0 <= arranged[0][0, 0] <= arranged[2].shape[1]:
            raise ValueError(f"{arranged[0][0, 0]} of {arranged[2].shape[1]} places filled")
        require_rows(*(np.asarray(each, np.float64) for each in filled(arranged)))
        if not all(np.isfinite(each).all() for each in arranged[1:3]):
            raise ValueError("outputs that are not finite")


def filled(outputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Boxes, scores and classes of the filled places. Raises ValueError when their numbers disagree."""
    count, xyxy, score, label = outputs
    if not xyxy.shape[1] == score.shape[1] == label.shape[1]:
        raise ValueError(f"as many boxes, scores and classes were expected, found {xyxy.shape[1]}, {score.shape[1]} and {label.shape[1]}")
    found = max(0, int(count[0, 0]))
    return xyxy[0, :found], score[0, :found], label[0, :found]
