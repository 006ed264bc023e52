"""Counting lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_runtime.options import ID_PATTERN, Point, option


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOptions:
    """A counting line. Stand on the first point and look at the second: forward is from the left side to the right side."""

    name: str = option("Rule id in events.", pattern=ID_PATTERN)
    points: tuple[Point, Point] = option('Two ends, as fractions of width and height, or pixels with units = "px".', kind="points")
    units: Literal["fraction", "px"] = option("Of `points`.", default="fraction")
    size: tuple[int, int] | None = option("Width and height of the picture that pixels refer to.", default=None)
    anchor: Literal["center", "bottom"] = option("The point of a box that has to cross.", default="center")
    forward: str | None = option("The user's word for this direction.", default=None)
    backward: str | None = option("The user's word for the other direction.", default=None)
