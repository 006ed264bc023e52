"""Counting lines."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge_runtime.analyse.geometry import to_pixels
from edge_runtime.analyse.passage import Box, Passage, Passing, Place, Segment
from edge_runtime.options import ID_PATTERN, Point, option
from edge_runtime.types import Event, Json, Size, Tick, Tracks, Window

_WAYS = ("forward", "backward")
_RIDERS = frozenset({"person", "pedestrian", "rider"})
_RIDDEN = frozenset({"bicycle", "motorcycle", "motorbike", "scooter", "horse"})
_RECENT = 64  # passings that a new one is compared with
_TOGETHER_NS = 500_000_000  # two tracks that live at once for this long are no change of id
_ALIKE = 0.5  # intersection over union above which two boxes of one label hold one body: a detector has already dropped what overlaps like that
_LEAST_SIZE = 0.4  # of the larger box, in area: a second reading is about as large as the first, a bicycle beside a lorry is not
_BLIND_NS = 1_000_000_000  # after a silence this long nobody knows what passed meanwhile


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


class _Counted(NamedTuple):
    id: int
    label: str
    passing: Passing


class LineCounter:
    """Counts tracks that pass a line, by direction and class; one passing, one count. What a passing is: `passage.py`.

    `crossing`, at once: {"rule", "dir", "label": the user's word if there is one, "class", "score", "track"}; its time is the instant at which the
    path met the line, or the start of the window that counts it when that is later, so that crossings in a window's time add up to its count.
    `count`, a window and direction: {"rule", "dir", "label", "counts": {class: number}, "total": since the spool began}; zeros too.
    A body that turns round at the line has passed once, in its first direction; one that had left and comes back passes again.
    """

    def __init__(self, options: LineOptions, size: Size, labels: Sequence[str], stream: str) -> None:
        """`size`: the upright picture. Raises ValueError when the line has no length."""
        first, second = to_pixels(options.points, options.units, options.size, size)
        self._options = options
        self._segment = Segment(first, second)
        self._labels = tuple(labels)
        self._stream = stream
        self._words = {"forward": options.forward, "backward": options.backward}
        self._totals: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = {way: Counter() for way in _WAYS}
        self._opened = Tick(0, 0)
        self._recent: deque[_Counted] = deque(maxlen=_RECENT)
        self._seen: dict[int, Passage] = {}  # by track, from its first sighting to its end
        self._looking_since_ns: int | None = None
        self._last_ns = 0

    @property
    def totals(self) -> dict[str, int]:
        """Passings by direction since the spool began."""
        return {way: self._totals[way] for way in _WAYS}

    def step(self, item: Tracks) -> Sequence[Event]:
        """One frame's tracks."""
        stamp = item.boxes.stamp
        now = Tick(stamp.mono_ns, stamp.wall_ns)
        if self._looking_since_ns is None or now.mono_ns - self._last_ns > _BLIND_NS:
            self._looking_since_ns = now.mono_ns
        self._last_ns = now.mono_ns
        anchor = self._options.anchor
        for sighting in item.past:
            self._see(sighting.id, self._segment.places(sighting.xyxy[None], anchor, sighting.at)[0])
        events = []
        for row, place in enumerate(self._segment.places(item.boxes.xyxy, anchor, now)):
            track = int(item.id[row])
            passing = self._see(track, place)
            if passing is not None:
                events += self._count(track, self._labels[int(item.boxes.label[row])], float(item.boxes.score[row]), passing)
        for ended in item.ended.tolist():
            self._seen.pop(ended, None)
        return events

    def advance(self, now: Tick) -> Sequence[Event]:  # noqa: ARG002 - see below
        """Nothing of a line depends on time alone."""
        return ()

    def close(self, window: Window) -> Sequence[Event]:
        """Both directions' sums; they restart."""
        self._opened = window.end
        events = [self._event("count", window, way, {"counts": dict(sorted(self._counts[way].items())), "total": self._totals[way]}) for way in _WAYS]
        for sums in self._counts.values():
            sums.clear()
        return events

    def finish(self) -> Sequence[Event]:
        """Whoever has not clearly passed has not passed."""
        return ()

    def reset(self) -> None:
        """The scene changed: paths begin anew, totals and the window's sums go on."""
        self._seen.clear()
        self._recent.clear()
        self._looking_since_ns = None

    def snapshot(self) -> Json:
        """Totals and sums, with the rule that they belong to."""
        return {"rule": self._rule(), "totals": self.totals, "counts": {way: dict(self._counts[way]) for way in _WAYS}}

    def restore(self, state: Json) -> None:
        """Raises ValueError when the line was drawn elsewhere then: its totals are another line's."""
        if state["rule"] != self._rule():
            raise ValueError(f'line "{self._options.name}" is not where it was: its totals begin at zero')
        self._totals = Counter({way: int(state["totals"][way]) for way in _WAYS})
        self._counts = {way: Counter({str(name): int(count) for name, count in state["counts"][way].items()}) for way in _WAYS}

    # -- passings --------------------------------------------------------------------------------------------------------

    def _rule(self) -> Json:
        options = self._options
        size = None if options.size is None else list(options.size)
        return {"points": [list(map(float, point)) for point in options.points], "units": options.units, "size": size, "anchor": options.anchor}

    def _see(self, track: int, place: Place) -> Passing | None:
        known = self._seen.get(track)
        if known is not None:
            return known.see(place)
        since = self._looking_since_ns
        self._seen[track] = Passage.begin(place, sighted=since is not None and place.at.mono_ns > since)
        return None

    def _count(self, track: int, label: str, score: float, passing: Passing) -> list[Event]:
        self._seen[track].passed = True
        if any(self._same_body(other, track, label, passing) for other in self._recent):
            return []
        self._recent.append(_Counted(track, label, passing))
        way = "forward" if passing.forward else "backward"
        self._totals[way] += 1
        self._counts[way][label] += 1
        at = passing.at if passing.at.mono_ns >= self._opened.mono_ns else self._opened
        data = {"class": label, "score": round(score, 4), "track": track}
        return [self._event("crossing", at, way, data)]

    def _same_body(self, other: _Counted, track: int, label: str, passing: Passing) -> bool:
        """Whether this passing was counted already, under another id. Two bodies cannot be in one place:

        an id switch: the other track was gone before this one began, or as good as, and this one follows in its place by less than its own length;
        two readings of one object by two labels: both tracks live, are about as large, and their centres pass as one;
        two tracks of one label that live side by side are two bodies, in neighbouring lanes or walking abreast, unless they fill the same box.
        A rider and what is ridden are two.
        """
        then = other.passing
        if then.forward != passing.forward or _ride(label, other.label) or _ride(other.label, label):
            return False
        known, here = self._seen.get(other.id), self._seen[track]
        together = known is not None and known.last.at.mono_ns - here.first.at.mono_ns >= _TOGETHER_NS
        if known is not None and together:
            if label == other.label:
                return _overlap(known.last.box, here.last.box) > _ALIKE
            if _smaller(known.last.box, here.last.box) < _LEAST_SIZE:
                return False
        behind_px = abs(passing.at.mono_ns - then.at.mono_ns) / 1e9 * max(then.speed, passing.speed)
        beside_px = abs(passing.along - then.along) * self._segment.length_px
        across = _shared(behind_px, then.across_px, passing.across_px)
        beside = _shared(beside_px, then.beside_px, passing.beside_px)
        return across * beside > (0.65 if together else 0.3)

    def _event(self, kind: str, when: Window | Tick, way: str, data: dict[str, Json]) -> Event:
        word = self._words[way]
        head: dict[str, Json] = {"rule": self._options.name, "dir": way} | ({} if word is None else {"label": word})
        if isinstance(when, Window):
            return Event(kind, self._stream, when.end, head | data, start=when.start, partial=when.partial)
        return Event(kind, self._stream, when, head | data)


def _ride(rider: str, ridden: str) -> bool:
    return rider in _RIDERS and ridden in _RIDDEN


def _shared(apart_px: float, a_px: float, b_px: float) -> float:
    return min(1.0, max(0.0, ((a_px + b_px) / 2 - apart_px) / min(a_px, b_px)))


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    inner = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return inner / (_area(a) + _area(b) - inner)


def _smaller(a: Box, b: Box) -> float:
    """The smaller one's area, as a share of the larger one's."""
    return min(_area(a), _area(b)) / max(_area(a), _area(b))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
