"""Time of pictures: a stream's timestamps made usable, and a live stream's put on this machine's clocks."""

from __future__ import annotations

from edge_runtime.types import Tick

_NS = 1_000_000_000
_LEAP_NS = 3600 * _NS  # no pause between two pictures is this long: the stream's clock was set anew
_WINDOW_NS = 5 * _NS
_STEP_NS = _NS
_LONGEST_HOLD_NS = 5 * _NS  # pictures of a live stream are not further apart: its clock jumped


class MediaTime:
    """Presentation times in nanoseconds from 0, strictly increasing, whatever the stream says.

    A missing or repeated time follows its predecessor by one nominal period; after a jump backwards (a wrapped counter, a spliced
    recording) or a leap of more than an hour, time goes on from where it was. Pauses are kept: a recording may have them.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = max(1, period_ns)
        self._origin_ns: int | None = None
        self._last_ns: int | None = None

    def peek(self, pts_ns: int) -> int | None:
        """Where a picture that is still to be decoded will be placed, unless the stream's clock jumps; None before the first."""
        return None if self._origin_ns is None else pts_ns - self._origin_ns

    def place(self, pts_ns: int | None) -> int:
        """The media time of the next picture in the order of presentation."""
        if self._last_ns is None:
            self._last_ns = 0
            self._origin_ns = pts_ns
            return 0
        following_ns = self._last_ns + self._period_ns
        if pts_ns is None:
            self._last_ns = following_ns
            return following_ns
        if self._origin_ns is None:
            self._origin_ns = pts_ns - following_ns
        media_ns = pts_ns - self._origin_ns
        if not self._last_ns < media_ns < self._last_ns + _LEAP_NS:
            media_ns = following_ns
            self._origin_ns = pts_ns - media_ns
        self._last_ns = media_ns
        return media_ns

    @property
    def end_ns(self) -> int:
        """One period after the last picture."""
        return 0 if self._last_ns is None else self._last_ns + self._period_ns


class Playout:
    """When to show pictures that come in pieces of seconds (HLS), as a player does.

        pieces    ▐████        ▐████           ▐████            each all at once; without this, the newest of a piece would be taken and
        shown     · ● ● ● ● ● ● ● ● ● ● · · · ● ● ● ● ● ●       the rest dropped as old: a view of the street every few seconds
                                          └─ a late piece: everything after it is shown that much later

    The delay grows by what a piece is late and no further: the playlist's length bounds it. It shrinks when the stream's clock jumps.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None  # shown − media time

    def hold_ns(self, media_ns: int, now_ns: int) -> int:
        """How long to wait with what is to be shown at `media_ns` of the stream's own clock: 0 when it is late."""
        if self._offset_ns is not None:
            early_ns = media_ns + self._offset_ns - now_ns
            if 0 <= early_ns <= _LONGEST_HOLD_NS:
                return early_ns
        self._offset_ns = now_ns - media_ns
        return 0


class CaptureClock:
    """When a live picture was taken, by this machine's clocks.

        arrival − media time   ·  .·   · .    ·  .  ·      the network only ever adds delay,
        ───────────────────────.────────.────────.──────   so the least of the last 5–10 s is the best guess of what is constant

    Pictures get media time + that least offset: evenly spaced although they arrive in bursts, never later than they arrived, strictly
    increasing. A stream whose clock jumps by more than a second is taken at its arrival from then on.
    """

    def __init__(self) -> None:
        self._least_ns: int | None = None  # of the current window
        self._before_ns: int | None = None  # of the window before it
        self._window_ends_ns = 0
        self._last_ns = 0

    def stamp(self, media_ns: int, arrival: Tick) -> Tick:
        """The instant of capture on both clocks, for a picture that arrived at `arrival`."""
        offset_ns = arrival.mono_ns - media_ns
        least_ns = self._learn(offset_ns, arrival.mono_ns)
        capture_ns = max(media_ns + least_ns, self._last_ns + 1)
        self._last_ns = capture_ns
        return Tick(capture_ns, arrival.wall_ns - (arrival.mono_ns - capture_ns))

    def _learn(self, offset_ns: int, now_ns: int) -> int:
        known = [least for least in (self._least_ns, self._before_ns) if least is not None]
        if not known or abs(offset_ns - min(known)) > _STEP_NS:
            self._least_ns, self._before_ns = offset_ns, None
            self._window_ends_ns = now_ns + _WINDOW_NS
            return offset_ns
        if now_ns >= self._window_ends_ns:
            self._before_ns, self._least_ns = self._least_ns, offset_ns
            self._window_ends_ns = now_ns + _WINDOW_NS
        assert self._least_ns is not None
        self._least_ns = min(self._least_ns, offset_ns)
        return min(self._least_ns, self._least_ns if self._before_ns is None else self._before_ns)
