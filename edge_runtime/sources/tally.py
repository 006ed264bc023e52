"""Counters of a source, written by the thread that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.sources.spec import SourceStats


@dataclass(slots=True)
class Tally:
    """A source's counters; they outlive the stream that is open now. Written by the reading thread only."""

    decoded: int = 0
    selected: int = 0
    dropped: int = 0
    corrupt: int = 0
    behind: int = 0
    stream_fps: float | None = None

    def snapshot(self) -> SourceStats:
        """For any thread."""
        return SourceStats(self.decoded, self.selected, self.dropped, self.corrupt, self.behind, self.stream_fps)
