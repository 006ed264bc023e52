"""Which pictures `fps` selects, and how fast they come.

    media time   0    33   67   100  133  167  200  ms   (30 pictures/s)
    slot         0    0    0    1    1    1    2         (10 wanted: slot = ⌊time · fps⌋)
    taken        ●              ●              ●         the first picture of each slot

By time, not by counting: 12.5 -> 10 takes four of five, variable rates work, and no slot ever gives two.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from fractions import Fraction

_NS = 1_000_000_000
_TOLERANCE_NS = 2_000_000  # containers round to milliseconds; without this 30 -> 10 would take a neighbour now and then
_EARLY_NS = 15_000_000  # what networks and cameras jitter by, and less than half the distance of pictures at 30 a second
_LOOKAHEAD = 64  # slots remembered for pictures that are not shown yet; decoders reorder over 16 pictures at most
_RATE_WINDOW = 64
_RATE_EVERY = 8
_GAP_RATIO = 3  # an interval so many times the median is a gap in the stream, not its rate


class Cadence:
    """Selects pictures by media time. Deterministic: the same times give the same choice."""

    def __init__(self, fps: float) -> None:
        self._fps = Fraction(fps).limit_denominator(1000)
        self._tolerance_ns = min(_TOLERANCE_NS, int(_NS / self._fps / 10))
        self._last_slot = -1
        self._earliest: dict[int, int] = {}  # slot -> media time of the earliest picture known to come

    def hopeless(self, media_ns: int) -> bool:
        """Whether a picture that is about to be decoded can be none that `take` will pick. Called in decoding order.

        It cannot when its slot was served, or when an earlier picture of its slot is already on its way through the decoder: the
        caller may then skip it, provided that no other picture is predicted from it.
        """
        slot = self._slot(media_ns)
        if slot <= self._last_slot:
            return True
        earliest = self._earliest.get(slot)
        if earliest is not None and earliest <= media_ns:
            return True
        self._earliest[slot] = media_ns
        if len(self._earliest) > _LOOKAHEAD:
            del self._earliest[min(self._earliest)]
        return False

    def take(self, media_ns: int) -> bool:
        """Whether this picture is the first of its slot. Called in the order of presentation."""
        slot = self._slot(media_ns)
        if slot <= self._last_slot:
            return False
        self._last_slot = slot
        for old in [known for known in self._earliest if known <= slot]:
            del self._earliest[old]
        return True

    def _slot(self, media_ns: int) -> int:
        return (media_ns + self._tolerance_ns) * self._fps.numerator // (_NS * self._fps.denominator)


class ArrivalCadence:
    """Selects pictures that carry no time of their own, by when they came.

    Borders of slots would fall onto such pictures: of 15 a second with 15 wanted, one that comes a millisecond early would be the second of
    its slot, and the next slot would stay empty. Here a turn is due one period after the last; a picture may be a little early,
    or late: the turns after it stay where they were, so that the rate is kept; what is missed by more than a period is given up.
    """

    def __init__(self, fps: float) -> None:
        self._period_ns = round(_NS / fps)
        self._early_ns = min(_EARLY_NS, self._period_ns // 4)
        self._due_ns: int | None = None

    def take(self, arrival_ns: int) -> bool:
        """Whether the picture that came now has the turn."""
        if self._due_ns is None:
            self._due_ns = arrival_ns
        if arrival_ns < self._due_ns - self._early_ns:
            return False
        self._due_ns = max(self._due_ns + self._period_ns, arrival_ns)
        return True


class Skipped:
    """Counts the pictures that the decoder left out on request: those it was allowed to skip and that a later one overtook."""

    def __init__(self) -> None:
        self._allowed: list[int] = []

    def allow(self, pts: int) -> int:
        """The decoder may skip the picture of `pts`. Returns how many it is now known to have skipped (0, but for a stream without order)."""
        insort(self._allowed, pts)
        if len(self._allowed) <= _LOOKAHEAD:
            return 0
        del self._allowed[0]
        return 1

    def shown(self, pts: int) -> int:
        """The picture of `pts` came out: every earlier one that might be skipped was. Returns how many."""
        count = 0
        while self._allowed and self._allowed[0] <= pts:
            count += self._allowed[0] < pts
            del self._allowed[0]
        return count

    def rest(self) -> int:
        """The stream ended: what is still owed was skipped."""
        count = len(self._allowed)
        self._allowed.clear()
        return count


class RateMeter:
    """Pictures a second by the stream's own time: losses and silences in between do not lower it."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, int]] = deque(maxlen=_RATE_WINDOW)  # nanoseconds, pictures
        self._last_ns: int | None = None
        self._added = 0
        self.fps: float | None = None

    def add(self, media_ns: int, pictures: int) -> None:
        """`pictures` came up to and including the one at `media_ns`."""
        if self._last_ns is not None and media_ns > self._last_ns:
            self._steps.append((media_ns - self._last_ns, pictures))
            self._added += 1
            if self._added <= _RATE_EVERY or self._added % _RATE_EVERY == 0:
                self.fps = self._measure()
        self._last_ns = media_ns

    def _measure(self) -> float:
        periods = sorted(step_ns / pictures for step_ns, pictures in self._steps)
        longest = _GAP_RATIO * periods[len(periods) // 2]
        kept = [(step_ns, pictures) for step_ns, pictures in self._steps if step_ns / pictures <= longest]
        return round(sum(pictures for _, pictures in kept) * _NS / sum(step_ns for step_ns, _ in kept), 3)
