"""Where the cells of a head lie: one grid a stride, row by row, finest stride first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Size


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of one stride: x and y [H · W, 2], in cells."""

    stride: int
    cells: NDArray[np.float32]

    @property
    def centres(self) -> NDArray[np.float32]:
        """The middle of each, in tensor pixels."""
        return (self.cells + np.float32(0.5)) * np.float32(self.stride)


def grids_of(size: Size, strides: Sequence[int]) -> Iterator[Grid]:
    """A side that is no multiple of its stride has a cell for what is left over, as convolutions with padding have."""
    for stride in strides:
        y, x = np.mgrid[: -(-size.height // stride), : -(-size.width // stride)]
        yield Grid(stride, np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32))


def cells(size: Size, strides: Sequence[int]) -> int:
    """How many cells all of them have together."""
    return sum(-(-size.width // stride) * -(-size.height // stride) for stride in strides)
