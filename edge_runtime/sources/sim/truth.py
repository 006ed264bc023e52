"""What really happens at lines and in zones: judged by true boxes, tick by tick, so that the frames that are asked for do not matter.

                     right of the line                A crossing: the straight way of a box's anchor between two ticks meets the line between its
                    ╱                                 ends, within the picture, and the anchor goes on to CLEAR of the body's height beyond it.
      ●────────────┼───────────● second               Standing on the first point and looking at the second, `forward` is from the left-hand side to
    first    ·  ─ ─┼─ ─  ·                            the right-hand side as the picture shows it. Every passage counts, also that of one who comes
                   left of the line                   back. Exactly on the line is the right-hand side.

CLEAR is there because boxes breathe: a box spans a walker's legs, its centre swings with each step, and who crosses a line slowly would have
passed it three times within a tenth of a second.

Written without the package's own counters, which are measured by it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np

from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.street import Moment, Point, RoadUser, View
from edge_runtime.types import Size

KEPT = 8192
"""Crossings and stays in detail; sums are kept for ever."""

CLEAR = 0.1
"""Of a box's height: a hand's breadth of somebody who walks, more than the swing of the legs moves the centre of the box."""

_KMH = 3.6
Item = TypeVar("Item")


class LineRule(Protocol):
    """A counting line, of a scene or of a config: the latter may also have `units`, `size` and `anchor` (else "center")."""

    @property
    def name(self) -> str: ...
    @property
    def points(self) -> tuple[Point, Point]: ...


class ZoneRule(Protocol):
    """A zone, of a scene or of a config: the latter may also have `units`, `size` and `anchor` (else "bottom")."""

    @property
    def name(self) -> str: ...
    @property
    def polygon(self) -> tuple[Point, ...]: ...


@dataclass(frozen=True, slots=True)
class Crossing:
    """One passage of one road user over one line."""

    line: str
    direction: str  # forward | backward
    id: int
    kind: str
    label: str
    time_s: float
    speed_kmh: float


@dataclass(frozen=True, slots=True)
class Stay:
    """One road user's time in one zone. `leave_s` is None while it lasts; `dwell_s` is up to the latest tick then."""

    zone: str
    id: int
    kind: str
    label: str
    enter_s: float
    leave_s: float | None
    dwell_s: float


class Record(Sequence[Item], Generic[Item]):
    """All that has happened, by number from 0, of which the latest KEPT are at hand. One thread adds, any may read.

    `record[n:]` is what came from number n on, as far as it is still kept; `len` counts all. Raises IndexError for one that is gone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Item] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, item: Item) -> None:
        with self._lock:
            self._kept.append(item)
            self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, which: int) -> Item: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[Item]: ...
    def __getitem__(self, which: int | slice) -> Item | Sequence[Item]:
        with self._lock:
            gone = self._count - len(self._kept)
            if isinstance(which, slice):
                numbers = range(self._count)[which]
                if numbers.step == 1 and len(numbers) < 64:  # the news: no copy of all
                    return [self._kept[number - gone] for number in numbers if number >= gone]
                kept = list(self._kept)
                return [kept[number - gone] for number in numbers if number >= gone]
            number = range(self._count)[which]
            if number < gone:
                raise IndexError(f"number {number} is no longer kept: the oldest is {gone}")
            return self._kept[number - gone]


class TruthLog:
    """Judges every tick of a world. One thread calls `watch`; everything else may be read from any thread."""

    def __init__(self, view: View, size: Size, lines: Sequence[LineRule], zones: Sequence[ZoneRule]) -> None:
        """`size`: of the picture. Raises ValueError for a line without length, and a zone with fewer than three corners."""
        self.crossings: Record[Crossing] = Record()
        self.stays: Record[Stay] = Record()  # those that have ended
        self._camera = Camera(view, size)
        self._size = size
        self._lines = [_Line(rule, size) for rule in lines]
        self._zones = [_Area(rule, size) for rule in zones]
        corners = [line.ends for line in self._lines] + [area.corners for area in self._zones]
        self._places = np.array([(*np.min(points, axis=0), *np.max(points, axis=0)) for points in corners], np.float64)  # [R, 4] boxes, pixels
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._staying: dict[tuple[str, int], Stay] = {}
        self._before: dict[int, _Body] = {}  # by user, at the tick before
        self._sides: dict[tuple[str, int], _Side] = {}  # of a line that a user is on
        self._time_s = 0.0

    @property
    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Crossings by (line, direction, label) so far: a copy."""
        with self._lock:
            return dict(self._counts)

    @property
    def staying(self) -> Sequence[Stay]:
        """Who is in a zone now."""
        with self._lock:
            return tuple(self._staying.values())

    def watch(self, moment: Moment) -> None:
        """The next tick."""
        users = self._close(moment.users)
        now = self._bodies(users)
        since, self._time_s = self._time_s, moment.time_s
        for line in self._lines:
            for user in users:
                before = self._before.get(user.id)
                if before is not None:
                    self._pass(line, user, (before, now[user.id]), (since, moment.time_s))
        self._sides = {key: side for key, side in self._sides.items() if key[1] in now}
        for area in self._zones:
            places = {user.id: now[user.id].anchors[area.which] for user in users}
            inside = {user.id: user for user in users if self._shown(places[user.id]) and area.holds(places[user.id])}
            self._attend(area.name, inside, moment.time_s)
        self._before = now

    # -- judging ------------------------------------------------------------------------------------------------------------

    def _close(self, users: Sequence[RoadUser]) -> list[RoadUser]:
        """Those whose box may touch the surroundings of a line or a zone: nobody else can cross or enter before the next tick."""
        if not users or not len(self._places):
            return []
        bodies = np.array([(user.x_m, user.y_m, user.height_m / 2, user.length_m, user.height_m) for user in users])
        places, depths = self._camera.project(bodies[:, :3])
        reach = 0.75 * self._camera.focal_px * (bodies[:, 3] + bodies[:, 4]) / np.maximum(depths, 0.5)
        x, y = places[:, 0, None], places[:, 1, None]
        left, top, right, bottom = self._places.T
        wide = reach[:, None]
        near = (x > left - wide) & (x < right + wide) & (y > top - wide) & (y < bottom + wide) & (depths[:, None] > 0.5)
        return [user for user, here in zip(users, near.any(axis=1).tolist(), strict=True) if here]

    def _bodies(self, users: Sequence[RoadUser]) -> dict[int, _Body]:
        rows = self._camera.boxes(users).tolist()
        return {
            user.id: _Body((((x1 + x2) / 2, (y1 + y2) / 2), ((x1 + x2) / 2, y2)), y2 - y1)
            for user, (x1, y1, x2, y2) in zip(users, rows, strict=True)
        }  # fmt: skip

    def _shown(self, place: Point) -> bool:
        return 0.0 <= place[0] < self._size.width and 0.0 <= place[1] < self._size.height

    def _pass(self, line: _Line, user: RoadUser, ways: tuple[_Body, _Body], span_s: tuple[float, float]) -> None:
        before, now = (body.anchors[line.which] for body in ways)
        was, here = line.depth(before), line.depth(now)
        side = self._sides.setdefault((line.name, user.id), _Side(was < 0.0))
        if (was < 0.0) != (here < 0.0):
            part = was / (was - here)
            meeting = (before[0] + part * (now[0] - before[0]), before[1] + part * (now[1] - before[1]))
            between = 0.0 <= line.along(meeting) < 1.0 and self._shown(meeting)
            side.met_s = span_s[0] + part * (span_s[1] - span_s[0]) if between else None
        if (here < 0.0) == side.left or abs(here) < CLEAR * ways[1].height_px * line.length_px:
            return
        side.left = not side.left
        if side.met_s is None:
            return
        way = "backward" if side.left else "forward"
        with self._lock:
            self._counts[line.name, way, user.label] += 1
        self.crossings.add(Crossing(line.name, way, user.id, user.kind, user.label, round(side.met_s, 4), round(user.speed_mps * _KMH, 2)))

    def _attend(self, zone: str, inside: Mapping[int, RoadUser], time_s: float) -> None:
        with self._lock:
            known = {key[1]: stay for key, stay in self._staying.items() if key[0] == zone}
            for number, stay in known.items():
                dwell = round(time_s - stay.enter_s, 4)
                if number in inside:
                    self._staying[zone, number] = Stay(zone, number, stay.kind, stay.label, stay.enter_s, None, dwell)
                else:
                    del self._staying[zone, number]
                    self.stays.add(Stay(zone, number, stay.kind, stay.label, stay.enter_s, round(time_s, 4), dwell))
            for number, user in inside.items():
                if number not in known:
                    self._staying[zone, number] = Stay(zone, number, user.kind, user.label, round(time_s, 4), None, 0.0)


class _Body(NamedTuple):
    """One user at one tick, in pixels."""

    anchors: tuple[Point, Point]  # the centre of its box, the middle of the lower edge
    height_px: float


@dataclass(slots=True)
class _Side:
    """On which side of a line a user clearly is, or was."""

    left: bool
    met_s: float | None = None  # when its way met the line last; None: beside the ends, or out of the picture


def _which(rule: LineRule | ZoneRule, otherwise: str) -> int:
    """0 for the centre of a box, 1 for the middle of its lower edge."""
    return ("center", "bottom").index(getattr(rule, "anchor", otherwise))


def _pixels(points: Sequence[Point], rule: LineRule | ZoneRule, size: Size) -> list[Point]:
    if getattr(rule, "units", "fraction") == "px":
        width, height = getattr(rule, "size", None) or size
        points = [(x / width, y / height) for x, y in points]
    return [(x * size.width, y * size.height) for x, y in points]


class _Line:
    """A line in pixels."""

    def __init__(self, rule: LineRule, size: Size) -> None:
        self.name = rule.name
        self.which = _which(rule, "center")
        self.ends = _pixels(rule.points, rule, size)
        (self._x, self._y), (x, y) = self.ends
        self._dx, self._dy = x - self._x, y - self._y
        self._square = self._dx * self._dx + self._dy * self._dy
        self.length_px = self._square**0.5
        if not self._square > 0.0:
            raise ValueError(f'line "{rule.name}": both ends are the same point')

    def depth(self, place: Point) -> float:
        """How far on its right-hand side, times its length, in pixels squared; below zero on its left."""
        return self._dx * (place[1] - self._y) - self._dy * (place[0] - self._x)

    def along(self, place: Point) -> float:
        """Where beside it: 0 at its first point, 1 at its second."""
        return (self._dx * (place[0] - self._x) + self._dy * (place[1] - self._y)) / self._square


class _Area:
    """A zone in pixels."""

    def __init__(self, rule: ZoneRule, size: Size) -> None:
        if len(rule.polygon) < 3:
            raise ValueError(f'zone "{rule.name}": {len(rule.polygon)} corners, expected three or more')
        self.name = rule.name
        self.which = _which(rule, "bottom")
        self.corners = _pixels(rule.polygon, rule, size)
        self._edges = list(zip(self.corners, (*self.corners[1:], self.corners[0]), strict=True))

    def holds(self, place: Point) -> bool:
        """By the even-odd rule."""
        x, y = place
        odd = False
        for (ax, ay), (bx, by) in self._edges:
            if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
                odd = not odd
        return odd
