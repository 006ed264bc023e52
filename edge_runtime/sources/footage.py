"""Video files: as fast as they decode for replay, at their own pace for the daemon."""

from __future__ import annotations

import logging
import math
import time
from datetime import datetime, timezone
from pathlib import Path

from edge_runtime.errors import Disconnected, Exhausted, Unsupported
from edge_runtime.sources.opening import Target
from edge_runtime.sources.spec import SourceSpec, SourceStats, StreamInfo
from edge_runtime.sources.tally import Tally
from edge_runtime.sources.video import Shot, VideoStream
from edge_runtime.types import Frame, Stamp

_log = logging.getLogger("edge_runtime.source")
_NS = 1_000_000_000
_BEHIND_NS = _NS  # decoding slower than the footage runs by so much: the rest is played later, nothing is skipped


class FootageSource:
    """A file: every frame that `fps` selects, unpaced, then Exhausted. Deterministic.

    Stamps: mono_ns is the presentation time from 0, wall_ns the start plus that. The start is the caller's, else the container's
    creation_time, else 1970. A file that breaks off gives what can be decoded; what could not is counted as corrupt.
    """

    waiting = False  # a file is never waited for

    def __init__(self, spec: SourceSpec, path: Path, start_wall_ns: int | None = None) -> None:
        self.expected_frames: int | None = None
        self._spec = spec
        self._path = path
        self._given_start_ns = start_wall_ns
        self._start_ns = start_wall_ns or 0
        self._tally = Tally()
        self._stream: VideoStream | None = None
        self._info: StreamInfo | None = None
        self._seq = 0

    def open(self) -> None:
        """Raises Unsupported, naming the file and what is wrong with it."""
        self.close()
        shown = str(self._path)
        self._check_file()
        target = Target(f"file:{self._path}", shown, self._spec.clean)
        try:
            stream = VideoStream(target, self._spec.fps, self._tally, live=False)
        except Disconnected as error:  # a file is not away: it is unreadable
            raise Unsupported(str(error)) from None
        self._stream = stream
        if stream.info.note and self._info is None:
            _log.warning("%s: %s", self._spec.name, stream.info.note)
        self._info = stream.info
        self._seq = 0
        self.expected_frames = _expected_frames(stream, self._spec.fps)
        if self._given_start_ns is None:
            self._start_ns = _creation_ns(stream)

    def read(self, timeout: float) -> Frame | None:  # noqa: ARG002 - a file is never waited for
        """The next selected frame; a file never lets one wait. Raises Exhausted, Unsupported."""
        shot = self.read_shot()
        seq = self._seq
        self._seq += 1
        return frame_of(shot, Stamp(self._spec.name, seq, shot.media_ns, self._start_ns + shot.media_ns))

    def read_shot(self) -> Shot:
        """The next selected picture with its media time. Raises Exhausted, Unsupported."""
        if self._stream is None:
            raise Disconnected(f"{self._path}: not open")
        try:
            shot = self._stream.read()
        except Disconnected as error:
            self._tally.corrupt += 1
            _log.warning("%s: %s: the footage ends here", self._spec.name, error)
            shot = None
        if shot is None:
            raise Exhausted(f"{self._path}: the footage ended after {self._tally.selected} selected frames")
        return shot

    @property
    def end_ns(self) -> int:
        """Media time after the last picture: where the next round of a loop begins."""
        return 0 if self._stream is None else self._stream.end_ns

    def close(self) -> None:
        """Let go of the file."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def stats(self) -> SourceStats:
        """Counters since this source was made."""
        return self._tally.snapshot()

    def describe(self) -> StreamInfo | None:
        """What the file holds; None before `open`."""
        return self._info

    def _check_file(self) -> None:
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise Unsupported(f"{self._path}: {error.strerror}: expected a video file; check the path") from None
        if self._path.is_dir():
            raise Unsupported(f"{self._path}: expected a video file, found a folder")
        if size == 0:
            raise Unsupported(f"{self._path}: expected a video file, found an empty one (0 bytes)")


class PacedSource:
    """Footage as a camera would give it: each frame when it is due, stamped with this machine's clocks.

        opened                 first round ends             second round ends
          │ media 0 … end ──────┤ media 0 … end ──────────────┤        `?loop=1`
          └─ start ─────────────┴─ start + end ───────────────┴─ …     stamps go on without a seam

    On a machine that decodes slower than the footage runs, it is played slower: stamps stay true to when frames were given.
    """

    waiting = False
    child_pid: int | None = None  # it is read in this process

    def __init__(self, spec: SourceSpec, path: Path, *, loop: bool) -> None:
        self._spec = spec
        self._footage = FootageSource(spec, path, start_wall_ns=0)
        self._loop = loop
        self._start_ns = 0  # monotonic
        self._next: Shot | None = None
        self._seq = 0
        self._round_began = 0

    def open(self) -> None:
        """Raises Unsupported, naming the file and what is wrong with it."""
        self._footage.open()
        self._next = None
        self._seq = 0
        self._round_began = 0
        self._start_ns = time.monotonic_ns()

    def read(self, timeout: float) -> Frame | None:
        """The next frame when it is due, None when that is later than `timeout` seconds from now. Raises Exhausted, Unsupported."""
        if self._next is None:
            self._next = self._read_on()
        early_ns = self._start_ns + self._next.media_ns - time.monotonic_ns()
        if early_ns > timeout * _NS:
            time.sleep(timeout)
            return None
        if early_ns > 0:
            time.sleep(early_ns / _NS)
        elif early_ns < -_BEHIND_NS:
            self._postpone(-early_ns)
        shot, self._next = self._next, None
        mono_ns = self._start_ns + shot.media_ns
        stamp = Stamp(self._spec.name, self._seq, mono_ns, time.time_ns() - (time.monotonic_ns() - mono_ns))  # the wall clock may be set meanwhile
        self._seq += 1
        return frame_of(shot, stamp)

    def close(self) -> None:
        """Let go of the file."""
        self._next = None
        self._footage.close()

    def interrupt(self) -> None:
        """Nothing: a file is waited for no longer than `read` was told."""

    def stats(self) -> SourceStats:
        """Counters since this source was made, all rounds together."""
        return self._footage.stats()

    def describe(self) -> StreamInfo | None:
        """What the file holds; None before `open`."""
        return self._footage.describe()

    def _read_on(self) -> Shot:
        try:
            return self._footage.read_shot()
        except Exhausted:
            if not self._loop or self._seq == self._round_began:  # a round without a frame would loop for ever
                raise
        self._postpone(self._footage.end_ns)
        self._round_began = self._seq
        self._footage.open()
        return self._footage.read_shot()

    def _postpone(self, by_ns: int) -> None:
        self._start_ns += by_ns


def frame_of(shot: Shot, stamp: Stamp) -> Frame:
    """A picture with its stamp."""
    picture = shot.picture
    return Frame(stamp, picture.planes, picture.format, picture.color, picture.size, picture.rotation)


def _expected_frames(stream: VideoStream, fps: float) -> int | None:
    rate = stream.info.fps
    count = float(stream.stream.frames)
    if not count and stream.container.duration and rate:
        count = stream.container.duration / 1e6 * rate
    if count <= 0 or rate is None:
        return None
    return math.ceil(count * min(1.0, fps / rate))


def _creation_ns(stream: VideoStream) -> int:
    text = stream.container.metadata.get("creation_time", "")
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp()) * _NS if moment.timestamp() > 0 else 0
