"""Two outputs, scores or logits [1, N, K] and boxes [1, N, 4], in either order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from edge_runtime.decode.ports import Port, declared

Output = TypeVar("Output", Port, NDArray[Any])


def told_apart(outputs: Sequence[Output], columns: int | None = None, *, boxes_first: bool = False) -> tuple[Output, Output]:
    """Scores and boxes. Where a model of four columns makes both look alike, `boxes_first` says how its authors export them.

    Raises ValueError for outputs of another shape, or scores of other than `columns` columns.
    """
    shapes = [output.shape for output in outputs]
    fours = [index for index, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4]
    sound = len(outputs) == 2 and all(len(each.shape) == 3 and each.shape[0] == 1 and str(each.dtype) == "float32" for each in outputs)
    if not sound or not fours or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"scores [1, N, {columns or 'K'}] and boxes [1, N, 4] of float32 were expected, found {declared(outputs)}")
    boxes = fours[0 if boxes_first else -1]
    if columns not in (None, shapes[1 - boxes][2]):
        raise ValueError(f"scores of {columns} columns were expected, found {declared(outputs)}")
    return outputs[1 - boxes], outputs[boxes]


def columns_in(outputs: Sequence[Port], *, boxes_first: bool = False) -> int:
    """K. Raises ValueError, saying why, where it is open, or where names contradict the only thing that tells: the order."""
    scores, boxes = told_apart(outputs, boxes_first=boxes_first)
    if not isinstance(scores.shape[2], int):
        raise ValueError(f"scores of a known number of columns were expected, found {declared(outputs)}")
    if scores.shape[2] == 4 and "box" in scores.name.lower():
        order = "boxes before scores" if boxes_first else "scores before boxes"
        raise ValueError(f"{order} were expected where both have 4 columns, found {scores.name} and {boxes.name}")
    return scores.shape[2]
