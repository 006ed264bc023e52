"""A source in a child process: a decoder that hangs or crashes on a broken stream is killed and never takes the daemon along.

                        ┌────────────── child ──────────────┐
    camera ── network ──► FFmpeg ─► fps ─► newest frame ─► slot ══ shared memory ══► Frame, leased until released
                        └───────────────────────────────────┘

Latest frame wins: while nobody reads, a newer frame replaces the one that waits, and is counted as dropped. Three ways to go silent
are told apart, all by the monotonic clock, and each ends in Disconnected:

    the child is gone                        its socket closes: at once
    the child hangs (or was stopped)         no beat within half of `stall_s`, 2 to 5 s: killed
    the camera is silent                     beats, but no new picture for `stall_s`: killed
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from edge_runtime.errors import Disconnected, SourceError, Unsupported
from edge_runtime.sources.link import ChildEnded, Link
from edge_runtime.sources.post import Letter, close_fd, info_from_wire, stats_from_wire
from edge_runtime.sources.slots import SlotReader
from edge_runtime.sources.spec import SourceSpec, SourceStats, StreamInfo
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size, Stamp

_log = logging.getLogger("edge_runtime.source")
START_S = 12.0
OPEN_S = 8.0
LONGEST_QUIET_S = 5.0
SHORTEST_QUIET_S = 2.0  # beats come twice a second; a busy device may delay some
_ABSENT_S = 1.0  # the daemon itself did not listen for so long (overload, suspend): not the child's silence


class IsolatedSource:
    """Any live source, read in a child. One thread opens, reads and closes; `stats`, `describe` and frames' leases are free-threaded."""

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._link: Link | None = None
        self._memory: SlotReader | None = None
        self._info: StreamInfo | None = None
        self._before = SourceStats()  # of the children before this one
        self._now = SourceStats()  # this child's latest
        self._stale = 0
        self._wants = 0
        self._quiet_limit_s = min(LONGEST_QUIET_S, max(SHORTEST_QUIET_S, spec.stall_s / 2))
        self._heard_s = self._pictured_s = self._listened_s = 0.0

    @property
    def child_pid(self) -> int | None:
        """The child's process id while open."""
        link = self._link  # read once: the reading thread may end it meanwhile
        return None if link is None else link.process.pid

    def open(self) -> None:
        """Start a child and wait until it has opened the source. Raises Disconnected, Unsupported as the child says.

        Takes as long as a process needs to start (12 s at most) and 8 s from then on.
        """
        self.close()
        try:
            self._link = Link(self._spec)
        except OSError as error:
            raise Disconnected(f"{self._spec.shown}: cannot start the capture process: {error.strerror}; is the device out of memory?") from None
        try:
            self._await_opening()
        except SourceError:
            self._end(kill=True)
            raise
        self._heard_s = self._pictured_s = self._listened_s = time.monotonic()

    def read(self, timeout: float) -> Frame | None:
        """The newest frame, leased: release it. None when none came within `timeout` seconds. Raises Disconnected, Unsupported."""
        if self._link is None:
            raise Disconnected(f"{self._spec.shown}: not open")
        self._forgive_absence()
        self._wants += 1
        self._link.send("want", n=self._wants)
        deadline = time.monotonic() + timeout
        try:
            while True:
                left_s = max(0.0, deadline - time.monotonic())
                letter = self._hear(min(left_s, self._patience_s()))
                self._listened_s = time.monotonic()
                frame = None if letter is None else self._frame(letter)
                if frame is not None:
                    return frame
                if letter is None:
                    self._watch()
                    if self._listened_s >= deadline:
                        self._wants += 1
                        self._link.send("enough", n=self._wants)
                        return None
        except SourceError:
            self._end(kill=True)
            raise

    def close(self) -> None:
        """End the child; it says goodbye to the camera first. Idempotent, at most 2 s. Frames stay readable until released."""
        self._end(kill=False)

    def interrupt(self) -> None:
        """From any thread: an `open` or `read` that waits now fails at once, because its child is killed."""
        link = self._link
        if link is not None:
            link.process.kill()

    def stats(self) -> SourceStats:
        """Counters over all children since this source was made."""
        total = self._before + self._now
        return replace(total, dropped=total.dropped + self._stale)

    def describe(self) -> StreamInfo | None:
        """What is decoded, with the size of the newest frame; None before the first `open`."""
        return self._info

    def _await_opening(self) -> None:
        """First for the child to stand (its imports, on a busy device), then for the camera to answer: each has its own limit."""
        doing, limit_s = "start its capture process", START_S
        deadline = time.monotonic() + limit_s
        while not self._opened(letter := self._hear(deadline - time.monotonic())):
            if letter is not None and letter["kind"] == "started":
                doing, limit_s = "open", OPEN_S
                deadline = time.monotonic() + limit_s
            elif time.monotonic() >= deadline:
                raise Disconnected(f"{self._spec.shown}: did not {doing} within {limit_s:g} s; is the camera reachable, this device overloaded?")

    # -- letters -------------------------------------------------------------------------------------------------------------

    def _hear(self, timeout: float) -> Letter | None:
        """The next letter, with what all letters have in common done. Raises what the child reports, Disconnected when it is gone."""
        assert self._link is not None
        try:
            received = self._link.receive(max(0.0, timeout))
        except ChildEnded as ended:
            raise Disconnected(f"{self._spec.shown}: {ended}") from None
        if received is None:
            return None
        letter, fd = received
        self._heard_s = time.monotonic()
        if letter["kind"] == "memory" and fd is not None:
            self._memory = SlotReader(fd, letter["slot_bytes"], letter["slots"])
        else:
            close_fd(fd)
        if letter["kind"] == "error":
            kind = Unsupported if letter["error"] == "Unsupported" else Disconnected
            raise kind(letter["text"])
        if "stats" in letter:
            self._count(stats_from_wire(letter["stats"]))
        return letter

    def _opened(self, letter: Letter | None) -> bool:
        if letter is None or letter["kind"] != "opened":
            return False
        info = info_from_wire(letter["info"])
        if info.note and (self._info is None or self._info.note != info.note):
            _log.warning("%s: %s", self._spec.name, info.note)
        self._info = info
        return True

    def _frame(self, letter: Letter) -> Frame | None:
        if letter["kind"] != "frame" or self._memory is None or self._info is None:
            return None
        if letter["n"] != self._wants:  # it crossed our `enough`: there may be a newer one
            self._memory.release(letter["slot"])
            self._stale += 1
            return None
        seq, mono_ns, wall_ns = letter["stamp"]
        matrix, full_range = letter["color"]
        size = Size(*letter["size"])
        if size != self._info.size:
            self._info = replace(self._info, size=size)
        return self._memory.frame(
            letter["slot"],
            Stamp(self._spec.name, seq, mono_ns, wall_ns),
            PixelFormat(letter["format"]),
            ColorSpec(Matrix(matrix), full_range),
            size,
            letter["rotation"],
        )

    def _count(self, stats: SourceStats) -> None:
        if stats.decoded != self._now.decoded:
            self._pictured_s = self._heard_s
        self._now = stats

    # -- watchdog ------------------------------------------------------------------------------------------------------------

    def _forgive_absence(self) -> None:
        now_s = time.monotonic()
        absent_s = now_s - self._listened_s
        if absent_s > _ABSENT_S:
            self._heard_s += absent_s
            self._pictured_s += absent_s
        self._listened_s = now_s

    def _patience_s(self) -> float:
        now_s = time.monotonic()
        return min(self._heard_s + self._quiet_limit_s, self._pictured_s + self._spec.stall_s) - now_s + 0.01

    def _watch(self) -> None:
        """Called when there was nothing to hear."""
        quiet_s = self._listened_s - self._heard_s
        if quiet_s > self._quiet_limit_s:
            raise Disconnected(f"{self._spec.shown}: the capture process hangs: no sign of life for {quiet_s:.1f} s; killed")
        blind_s = self._listened_s - self._pictured_s
        if blind_s > self._spec.stall_s:
            raise Disconnected(f"{self._spec.shown}: connected, but no picture for {blind_s:.1f} s; is the camera frozen or the network cut?")

    def _end(self, *, kill: bool) -> None:
        link, self._link = self._link, None
        self._memory = None
        if link is None:
            return
        if kill:
            link.kill()
        else:
            link.close()
        self._before, self._now = self._before + self._now, SourceStats()
