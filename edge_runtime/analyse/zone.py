"""Zones and their occupancy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.analyse.geometry import anchors, inside, to_pixels
from edge_runtime.options import ID_PATTERN, Point, option
from edge_runtime.types import Event, Json, Size, Tick, Tracks, Window

_BLIND_NS = 1_000_000_000  # a longer silence is not known to have looked like the frame before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOptions:
    """An area whose occupants are counted."""

    name: str = option("Rule id in events.", pattern=ID_PATTERN)
    polygon: tuple[Point, ...] = option("Three or more corners.", kind="points")
    units: Literal["fraction", "px"] = option("Of `polygon`.", default="fraction")
    size: tuple[int, int] | None = option("Width and height of the picture that pixels refer to.", default=None)
    anchor: Literal["center", "bottom"] = option("The point of a box that has to be inside.", default="bottom")
    measure: tuple[Literal["occupancy"], ...] = option("What to publish.", default=("occupancy",))


class ZoneOccupancy:
    """How many are in a zone.

    `occupancy`, a window: {"rule", "now", "min", "max", "mean", "classes": {class: how many now}}. `mean` is over the time that was seen: a frame
    stands for the time until the next one, but for no more than a second. A window in which nothing was seen says null for min, max and mean.

    A track is inside from the frame that sees its anchor inside until one sees it outside, or it has ended: an occupant that is hidden or
    missed for some frames has not left.
    """

    def __init__(self, options: ZoneOptions, size: Size, labels: Sequence[str], stream: str) -> None:
        """`size`: the upright picture. Raises ValueError for fewer than three corners."""
        if len(options.polygon) < 3:
            raise ValueError(f'zone "{options.name}": {len(options.polygon)} corners, expected three or more')
        self._options = options
        self._polygon = to_pixels(options.polygon, options.units, options.size, size)
        self._labels = tuple(labels)
        self._stream = stream
        self._inside: dict[int, str] = {}  # class by track
        self._last_ns: int | None = None
        self._seen_ns = 0
        self._sum_ns = 0  # occupants × time
        self._low: int | None = None
        self._high: int | None = None

    @property
    def now(self) -> int:
        """How many are inside."""
        return len(self._inside)

    def step(self, item: Tracks) -> Sequence[Event]:
        """One frame's tracks."""
        self._integrate(item.boxes.stamp.mono_ns)
        within = inside(self._polygon, anchors(item.boxes.xyxy, self._options.anchor))
        for track, label, here in zip(item.id.tolist(), item.boxes.label.tolist(), within.tolist(), strict=True):
            if here:
                self._inside[track] = self._labels[label]
            else:
                self._inside.pop(track, None)
        for track in item.ended.tolist():
            self._inside.pop(track, None)
        self._low = self.now if self._low is None else min(self._low, self.now)
        self._high = self.now if self._high is None else max(self._high, self.now)
        return ()

    def advance(self, now: Tick) -> Sequence[Event]:  # noqa: ARG002 - see below
        """Without a frame nothing is known."""
        return ()

    def close(self, window: Window) -> Sequence[Event]:
        """The window's figures; the next ones begin with who is inside now."""
        end_ns = window.end.mono_ns
        if self._last_ns is not None and self._last_ns < end_ns:
            began_ns = self._last_ns
            self._integrate(end_ns)
            self._last_ns = end_ns if end_ns - began_ns <= _BLIND_NS else None
        mean = self._sum_ns / self._seen_ns if self._seen_ns else self._low  # one frame only: what it showed
        figures = {"now": self.now, "min": self._low, "max": self._high, "mean": None if mean is None else round(mean, 3)}
        data = {"rule": self._options.name} | figures | {"classes": dict(sorted(Counter(self._inside.values()).items()))}
        self._seen_ns = self._sum_ns = 0
        self._low = self._high = None if self._last_ns is None else self.now
        return [Event("occupancy", self._stream, window.end, data, start=window.start, partial=window.partial)]

    def finish(self) -> Sequence[Event]:
        """Nothing is owed but the window's figures."""
        return ()

    def reset(self) -> None:
        """The scene changed: nobody is known to be inside; the window's figures go on."""
        self._inside.clear()
        self._last_ns = None

    def snapshot(self) -> Json:
        """The open window's figures, with the rule that they belong to."""
        return {"rule": self._rule(), "seen_ns": self._seen_ns, "sum_ns": self._sum_ns, "min": self._low, "max": self._high}

    def restore(self, state: Json) -> None:
        """Raises ValueError when the zone was drawn elsewhere then."""
        if state["rule"] != self._rule():
            raise ValueError(f'zone "{self._options.name}" is not where it was: its figures begin anew')
        self._seen_ns, self._sum_ns = int(state["seen_ns"]), int(state["sum_ns"])
        self._low = None if state["min"] is None else int(state["min"])
        self._high = None if state["max"] is None else int(state["max"])

    def _rule(self) -> Json:
        options = self._options
        size = None if options.size is None else list(options.size)
        return {"polygon": [list(map(float, point)) for point in options.polygon], "units": options.units, "size": size, "anchor": options.anchor}

    def _integrate(self, until_ns: int) -> None:
        if self._last_ns is not None:
            length_ns = min(max(0, until_ns - self._last_ns), _BLIND_NS)
            self._seen_ns += length_ns
            self._sum_ns += length_ns * self.now
        self._last_ns = until_ns
