"""When one body passes one line: the geometry and the rules of a crossing, apart from counting.

                 left side, depth < 0                      stand on `first`, look at `second`:
                                                           forward is from the left side to the right side
    first ●────────────┼──────────────────● second
          0    ·  ─  ─ ┼ ─  ─  ·   along   1               depth: signed distance of the anchor from the line, px
                      ▕│▏ hysteresis                       along: where beside the line, 0–1 of its length
                 right side, depth > 0                     reach: how far the box extends across (or along) the line, px

A track passes the line when
  1. its path met the segment: the straight way between two sightings, however far apart in time, crosses it between its ends;
  2. it is clearly on the other side: by MARGIN of its reach. What jitters on the line stays where it was;
  3. it has moved TRAVEL of its reach across the line: a parked car that is slowly uncovered shifts its centre by less than that.

It has then passed, and does not pass again before it was AWAY of its reach off the line: what turns round on it, or lingers about it, is one
count; what drove off and came back later crossed the line twice.

A body that is first seen while it straddles the line, and then goes on away from it, has passed it too: it was hidden, or the detector was
late. Its path is drawn backwards at the speed that it then had. That cannot be said of the first frame: nobody saw what was before.

A track that is lost before the line and never found again has not passed it: if the object lives on under a new id, that one straddles
the line when it appears, or meets it, and so the object counts once in either case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.analyse.geometry import Anchor, Array, anchors
from edge_runtime.types import Tick

MARGIN = 0.1
"""Twice the error of a good detector's box centre (a twentieth of the box)."""
TRAVEL = 0.5
"""A box of which only a sliver was visible grows to its whole, and its centre moves by half of it, while the object stands still."""

PROOF = 1.0
"""Of the reach: what is first seen astride the line has to go on for its whole length, longer than the ghosts and parts of a detector live."""


Box = tuple[float, float, float, float]
"""x1 y1 x2 y2, px."""

AWAY = 2.0
"""Of the reach: who was this far beyond the line has left it. Far away, small and covered by others, a track can also go over to somebody who
comes the other way; whoever that is passes on their own account."""


class Place(NamedTuple):
    """One sighting as the line sees it."""

    at: Tick
    depth: float  # px
    along: float  # 0–1 between the ends
    across_px: float  # the box's reach across the line
    beside_px: float  # and along it
    low: float  # depth of the box's edge farthest to the left side
    high: float  # and to the right side
    box: Box


class Passing(NamedTuple):
    """A body passed the line."""

    at: Tick
    forward: bool
    along: float
    speed: float  # px/s across the line
    across_px: float
    beside_px: float


class Segment:
    """A line from `first` to `second`, in pixels. Raises ValueError when they are one point."""

    def __init__(self, first: Array, second: Array) -> None:
        span = second - first
        self.length_px = float(np.hypot(*span))
        if not self.length_px > 0:
            raise ValueError("both ends of the line are the same point")
        self._first = first
        self._tangent = span / self.length_px
        self._normal = np.array([-self._tangent[1], self._tangent[0]])  # y points down: this is the right-hand side

    def places(self, xyxy: NDArray[np.float32], anchor: Anchor, at: Tick) -> list[Place]:
        """Boxes [N, 4] as the line sees them."""
        away = anchors(xyxy, anchor) - self._first
        sides = (xyxy[:, 2:] - xyxy[:, :2]).astype(np.float64)
        across, beside = sides @ np.abs(self._normal), sides @ np.abs(self._tangent)
        middle = (anchors(xyxy, "center") - self._first) @ self._normal
        columns = (away @ self._normal, away @ self._tangent / self.length_px, across, beside, middle - across / 2, middle + across / 2)
        rows = np.stack(columns, axis=1).tolist()
        return [Place._make((at, *row, (x1, y1, x2, y2))) for row, (x1, y1, x2, y2) in zip(rows, xyxy.tolist(), strict=True)]


@dataclass(slots=True)
class Passage:
    """One track's way past one line."""

    first: Place
    sighted: bool  # somebody was looking before its first sighting
    last: Place
    side: int = 0  # -1, +1: the side that it is on until it is clearly on the other; 0: began exactly on the line
    far: float = 0.0  # the farthest that it was on that side, px
    meeting: Passing | None = None  # the latest way across, in whatever direction
    passed: bool = False  # counted: not again until it was away
    moved_on: bool = False  # no longer the place where it was first seen

    @classmethod
    def begin(cls, place: Place, *, sighted: bool) -> Passage:
        """First sighting."""
        return cls(place, sighted, place, _sign(place.depth), abs(place.depth))

    def see(self, place: Place) -> Passing | None:
        """The next sighting. The answer is the passing that is certain now."""
        last, self.last = self.last, place
        if self.passed:
            self._leave(place)
            return None
        here = _sign(place.depth)
        if self.side == 0:
            self.side = here
        if here and here != _sign(last.depth):
            self.meeting = _meet(last, place)
        if here in (0, self.side):
            self.far = max(self.far, abs(place.depth))
            return self._straddled(place)
        if abs(place.depth) < MARGIN * place.across_px or abs(place.depth) + self.far < TRAVEL * place.across_px:
            return None
        self.side, self.far, self.moved_on = here, abs(place.depth), True
        return self.meeting if self.meeting is not None and 0 <= self.meeting.along <= 1 else None

    def _leave(self, place: Place) -> None:
        if abs(place.depth) >= AWAY * place.across_px:
            self.passed, self.meeting = False, None
            self.side, self.far = _sign(place.depth), abs(place.depth)

    def _straddled(self, place: Place) -> Passing | None:
        """The passing that was over, or nearly so, when it was first seen."""
        first = self.first
        gone = (place.depth - first.depth) * self.side
        if self.moved_on or not self.sighted or not first.low < 0 < first.high or gone < PROOF * place.across_px:
            return None
        self.moved_on = True
        passing = _meet(first, place)
        return passing if 0 <= passing.along <= 1 else None


def _sign(depth: float) -> int:
    return (depth > 0) - (depth < 0)


def _meet(before: Place, after: Place) -> Passing:
    """Where the straight way through two places meets the line: between them, or before the first."""
    share = before.depth / (before.depth - after.depth)
    elapsed_ns = after.at.mono_ns - before.at.mono_ns
    at = Tick(before.at.mono_ns + round(share * elapsed_ns), before.at.wall_ns + round(share * (after.at.wall_ns - before.at.wall_ns)))
    along = before.along + share * (after.along - before.along)
    speed = abs(after.depth - before.depth) / max(elapsed_ns / 1e9, 1e-9)
    return Passing(at, after.depth > before.depth, along, speed, after.across_px, after.beside_px)
