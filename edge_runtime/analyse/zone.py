"""Zones and their occupancy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_runtime.options import ID_PATTERN, Point, option


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOptions:
    """An area whose occupants are counted."""

    name: str = option("Rule id in events.", pattern=ID_PATTERN)
    polygon: tuple[Point, ...] = option("Three or more corners.", kind="points")
    units: Literal["fraction", "px"] = option("Of `polygon`.", default="fraction")
    size: tuple[int, int] | None = option("Width and height of the picture that pixels refer to.", default=None)
    anchor: Literal["center", "bottom"] = option("The point of a box that has to be inside.", default="bottom")
    measure: tuple[Literal["occupancy"], ...] = option("What to publish.", default=("occupancy",))
