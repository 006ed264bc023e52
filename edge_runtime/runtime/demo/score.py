"""Counted against true: sums by line, direction and class, and what is fair to compare. No I/O, no clock.

         first picture                                                        last picture
              ├──── EDGE ────┤──────────────────────────────────┤──── EDGE ────┤
    crossings:   left out, when                 compared           left out, when
                 nobody counted it                                  nobody counted it (yet)

Whoever crosses right after the first picture was never seen on the other side; whoever crosses right before the last has not clearly passed:
a counter that is sure of what it counts cannot know either. So a true crossing of those seconds is compared only if it was counted. What was
counted is always compared, and so is everything in between.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge_runtime.sources.sim.street import GROUP_OF, GROUPS

EDGE_S = 2.0
MATCH_S = 1.5  # two reports of one crossing are at most so far apart
RECENT = 1000  # crossings that are remembered one by one, at each end

CLASSES = tuple(GROUP_OF)


class Crossing(NamedTuple):
    """One body over one line: as the daemon published it, or as it was."""

    line: str
    way: str  # forward | backward
    label: str
    at_s: float
    speed_kmh: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line and direction: by class, counted and true. `true` is None where nobody knows."""

    line: str
    way: str
    counted: dict[str, int]
    true: dict[str, int] | None
    counted_kmh: float | None = None  # means
    true_kmh: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left_out`: true crossings at either end that nobody could have counted."""

    rows: Sequence[Row]
    left_out: int = 0

    @property
    def counted(self) -> int:
        """Of all rows."""
        return sum(sum(row.counted.values()) for row in self.rows)

    @property
    def true(self) -> int | None:
        """Of all rows; None where nobody knows."""
        return None if any(row.true is None for row in self.rows) else sum(sum((row.true or {}).values()) for row in self.rows)

    def grouped(self) -> list[tuple[str, str, int, int]]:
        """Line, group of classes, counted, true; directions together. Empty without truth; groups that were never there are left out."""
        sums: dict[tuple[str, str], list[int]] = {}
        for row in self.rows:
            for side, labels in enumerate((row.counted, row.true or {})):
                for label, number in labels.items():
                    sums.setdefault((row.line, group_of(label)), [0, 0])[side] += number
        if self.true is None:
            return []
        order = {row.line: index for index, row in enumerate(self.rows)}
        keys = sorted((key for key, both in sums.items() if any(both)), key=lambda key: (order[key[0]], _rank(key[1]), key[1]))
        return [(line, group, sums[line, group][0], sums[line, group][1]) for line, group in keys]

    @property
    def error(self) -> float | None:
        """|counted − true| summed over lines, directions and groups, so that too many here and too few there do not cancel; over true."""
        true = self.true
        if not true:
            return None
        return sum(_off(row) for row in self.rows) / true


def error_of(row: Row) -> float | None:
    """|counted − true| by group, over true. None where there is none to compare with."""
    true = sum((row.true or {}).values())
    return _off(row) / true if true else None


def group_of(label: str) -> str:
    """The group that a class belongs to; a class of another model is a group of its own."""
    return GROUP_OF.get(label, label)


def _off(row: Row) -> int:
    groups: Counter[str] = Counter()
    for label, number in row.counted.items():
        groups[group_of(label)] += number
    for label, number in (row.true or {}).items():
        groups[group_of(label)] -= number
    return sum(abs(number) for number in groups.values())


def _rank(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


@dataclass(slots=True)
class Ledger:
    """One side's crossings: sums for ever, the single ones only of the first seconds and of the latest."""

    sums: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kmh: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)  # sum, number
    first: list[Crossing] = field(default_factory=list)
    latest: deque[Crossing] = field(default_factory=lambda: deque(maxlen=RECENT))
    total: int = 0

    def add(self, crossings: Iterable[Crossing]) -> None:
        """Note crossings, about in the order in which they happened."""
        for each in crossings:
            self.total += 1
            self.sums[each.line, each.way, each.label] += 1
            self.latest.append(each)
            if len(self.first) < RECENT and each.at_s <= (self.first[0].at_s if self.first else each.at_s) + 10 * EDGE_S:
                self.first.append(each)
            if each.speed_kmh is not None:
                so_far, number = self.kmh.get((each.line, each.way), (0.0, 0))
                self.kmh[each.line, each.way] = (so_far + each.speed_kmh, number + 1)

    def at_the_ends(self, first_s: float, last_s: float, within_s: float) -> list[Crossing]:
        """Those within `within_s` of the first or of the last picture, each once."""
        near = [each for each in self.first if each.at_s < first_s + within_s]
        near += [each for each in self.latest if each.at_s > last_s - within_s and each.at_s >= first_s + within_s]
        return near

    def mean_kmh(self, line: str, way: str) -> float | None:
        """Of those that have a speed."""
        so_far, number = self.kmh.get((line, way), (0.0, 0))
        return so_far / number if number else None


def compare(counted: Ledger, true: Ledger | None, rules: Sequence[tuple[str, str]], span: tuple[float, float]) -> Comparison:
    """Both sides, a row for each of `rules` (line, direction). `span`: when the first and the last picture were taken."""
    missing: Counter[tuple[str, str, str]] = Counter()
    if true is not None:
        missing = Counter((each.line, each.way, each.label) for each in _unseen(counted, true, span))
    rows = []
    for line, way in rules:
        truth = None
        if true is not None:
            truth = _labels(true.sums, line, way, missing)
        rows.append(
            Row(
                line,
                way,
                _labels(counted.sums, line, way, Counter()),
                truth,
                counted.mean_kmh(line, way),
                None if true is None else true.mean_kmh(line, way),
            )
        )
    return Comparison(rows, sum(missing.values()))


def _labels(sums: Counter[tuple[str, str, str]], line: str, way: str, less: Counter[tuple[str, str, str]]) -> dict[str, int]:
    found = {key[2]: number - less[key] for key, number in sums.items() if key[:2] == (line, way)}
    return {label: found[label] for label in sorted(found, key=lambda name: (CLASSES.index(name) if name in CLASSES else len(CLASSES), name))}


def _unseen(counted: Ledger, true: Ledger, span: tuple[float, float]) -> list[Crossing]:
    """True crossings at the ends of `span` that no counted one stands for. Whoever was counted as what it is goes first, the nearest in time."""
    free = counted.at_the_ends(*span, EDGE_S + MATCH_S)
    unseen = sorted(true.at_the_ends(*span, EDGE_S), key=lambda each: each.at_s)
    for alike in (_label_of, _group_of, _anything):
        left = []
        for body in unseen:
            near = [each for each in free if each[:2] == body[:2] and alike(each) == alike(body) and abs(each.at_s - body.at_s) <= MATCH_S]
            if near:
                free.remove(min(near, key=lambda each: abs(each.at_s - body.at_s)))
            else:
                left.append(body)
        unseen = left
    return unseen


def _label_of(crossing: Crossing) -> str:
    return crossing.label


def _group_of(crossing: Crossing) -> str:
    return group_of(crossing.label)


def _anything(_: Crossing) -> str:
    return ""
