"""What an interval's numbers rest on: frames expected and processed, seconds blind.

    processed frames   |  |  |  |           |  |  |
                       └──────────┘└ blind ┘└──────
    A silence is blind time once it is longer than a second and than three wanted periods; then all of it is, but for one period.

No traffic ≠ no sight: the numbers say which it was, whatever the cause (camera gone, frames dropped, inference starved).
"""

from __future__ import annotations

from edge_runtime.types import Json, Seen, Tick, Window


class Completeness:
    """Counts one camera's sight over the open window. All times are monotonic."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._period_ns = round(1e9 / fps)
        self._patience_ns = max(1_000_000_000, 3 * self._period_ns)
        self._last_ns: int | None = None
        self._processed = 0
        self._blind_ns = 0
        self.total_processed = 0
        self.total_blind_s = 0.0

    def begin(self, now: Tick) -> None:
        """Sight is owed from now on."""
        self._last_ns = now.mono_ns

    def processed(self, mono_ns: int) -> None:
        """A frame taken at `mono_ns` went through inference (or was known to be still)."""
        self._look(mono_ns)
        self._processed += 1
        self.total_processed += 1

    def missed(self, blind_ns: int) -> None:
        """Nobody looked for so long: the process was down while the window was open."""
        self._add_blind(max(0, blind_ns))

    def close(self, window: Window, stream_fps: float | None) -> Seen:
        """The open window's figures; counting starts again at its end. `stream_fps` is what the camera sends, where known."""
        silent_ns = self._silence(window.end.mono_ns)
        self._add_blind(silent_ns)
        if silent_ns and self._last_ns is not None:
            self._last_ns = window.end.mono_ns - self._period_ns  # the rest of this silence belongs to the next window
        length_s = max(0, window.end.mono_ns - window.start.mono_ns) / 1e9
        rate = min(self._fps, stream_fps) if stream_fps else self._fps
        seen = Seen(round(rate * length_s), self._processed, round(min(self._blind_ns / 1e9, length_s), 3))
        self._processed = 0
        self._blind_ns = 0
        return seen

    def blind_now_s(self, mono_ns: int) -> float:
        """Seconds that the current silence has been blind."""
        return self._silence(mono_ns) / 1e9

    def snapshot(self, mono_ns: int) -> Json:
        """The open window's figures as of `mono_ns`, the silence that lasts included."""
        return {"processed": self._processed, "blind_ns": self._blind_ns + self._silence(mono_ns)}

    def restore(self, state: Json) -> None:
        """Take up a snapshot."""
        self._processed = int(state["processed"])
        self._blind_ns = int(state["blind_ns"])

    def _look(self, mono_ns: int) -> None:
        self._add_blind(self._silence(mono_ns))
        self._last_ns = mono_ns if self._last_ns is None else max(self._last_ns, mono_ns)  # a late frame must not make told blindness new

    def _silence(self, mono_ns: int) -> int:
        if self._last_ns is None:
            return 0
        gap = mono_ns - self._last_ns
        return gap - self._period_ns if gap > self._patience_ns else 0

    def _add_blind(self, blind_ns: int) -> None:
        self._blind_ns += blind_ns
        self.total_blind_s += blind_ns / 1e9
