"""What comes out of a model: how it is declared, and which output is which.

Exporters name outputs as they like and put them in any order. A family tells its own apart by type and shape; where two are alike, by the order in
which the family's authors export them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Port:
    """A declared input or output. `dtype` as NumPy names it; a `str` in the shape is an open dimension."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class Wanted(NamedTuple):
    """One output that a family expects. None as a side: any, an open one too. `integer` is int32 or int64."""

    kind: Literal["float32", "integer"]
    shape: tuple[int | None, ...]

    def fits(self, output: Port | NDArray[Any]) -> bool:
        """Whether this is it, as declared or as it came."""
        kinds = ("float32",) if self.kind == "float32" else ("int32", "int64")
        return (
            str(output.dtype) in kinds
            and len(output.shape) == len(self.shape)
            and all(mine is None or mine == side for mine, side in zip(self.shape, output.shape, strict=True))
        )

    def __str__(self) -> str:
        return f"{self.kind} {printed(self.shape)}"


class Outputs:
    """The outputs of one inference in the family's order, whatever the model's: looked for once, and again only when they no longer fit."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._wanted = tuple(wanted)
        self._order: tuple[int, ...] = ()

    def __call__(self, outputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Each C-contiguous. Raises ValueError for outputs of other shapes or types."""
        if not self._known(outputs):
            self._order = places(outputs, self._wanted)
        return [np.ascontiguousarray(outputs[index]) for index in self._order]

    def _known(self, outputs: Sequence[NDArray[Any]]) -> bool:
        if len(outputs) != len(self._wanted) or not self._order:
            return False
        return all(wanted.fits(outputs[index]) for wanted, index in zip(self._wanted, self._order, strict=True))


def as_batch_of_one(port: Port) -> Port:
    """A batch that is left open is run as 1."""
    return replace(port, shape=(1, *port.shape[1:])) if port.shape and isinstance(port.shape[0], str) else port


def places(outputs: Sequence[Port | NDArray[Any]], wanted: Sequence[Wanted]) -> tuple[int, ...]:
    """For each that is wanted the index of the first output left that fits it.

    Raises ValueError, saying what was found, unless they match one to one.
    """
    order: list[int] = []
    for each in wanted:
        fitting = [index for index, output in enumerate(outputs) if index not in order and each.fits(output)]
        order += fitting[:1]
    if len(order) != len(wanted) or len(outputs) != len(wanted):
        raise ValueError(f"outputs {', '.join(map(str, wanted))} were expected, found {declared(outputs)}")
    return tuple(order)


def declared(outputs: Sequence[Port | NDArray[Any]]) -> str:
    """float32 [1, 84, 8400], int64 [1, 300]"""
    return ", ".join(f"{output.dtype} {printed(output.shape)}" for output in outputs) or "none"


def printed(shape: Sequence[int | str | None]) -> str:
    """[1, *, 85]"""
    return f"[{', '.join('*' if side is None else str(side) for side in shape)}]"
