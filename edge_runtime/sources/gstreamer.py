"""`gst:PIPELINE`: whatever GStreamer can show, for hardware decoders and cameras that FFmpeg does not know.

    gst-launch-1.0 -q PIPELINE ! videoconvert ! video/x-raw,format={ours} ! gdppay ! fdsink fd=1  ── pipe ──►  GstSource

No shell: the pipeline's text is split as a shell would and handed over as arguments. The process is killed when it is no longer wanted,
and the kernel kills it when we die. `videoconvert` passes pictures through untouched when their format is one of ours.
"""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress

import numpy as np

from edge_runtime.errors import Disconnected, SourceError, Unsupported
from edge_runtime.sources.cadence import Cadence, RateMeter
from edge_runtime.sources.gdp import BUFFER, CAPS, FORMATS, HEADER_BYTES, Caps, Header, buffer_bytes, parse_caps, parse_header, planes_of
from edge_runtime.sources.spec import SourceSpec, SourceStats, StreamInfo
from edge_runtime.sources.tally import Tally
from edge_runtime.sources.timeline import CaptureClock, MediaTime
from edge_runtime.types import Frame, Stamp, Tick

OPEN_S = 7.0
_KILL_S = 1.0
_LAUNCH = "gst-launch-1.0"
_WORDS = 32
_NS = 1_000_000_000
_LARGEST_TEXT = 65_536  # caps and events are a few hundred bytes
_PIPE_BYTES = 1 << 20
# PR_SET_PDEATHSIG, then become gst-launch: a pipeline that is silent would otherwise outlive a killed parent.
_LEASH = "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); os.execvp(sys.argv[1], sys.argv[1:])"


class GstSource:
    """Pictures of one gst-launch process. Frames own their memory."""

    def __init__(self, spec: SourceSpec) -> None:
        self.waiting = True
        self._spec = spec
        self._tally = Tally()
        self._process: subprocess.Popen[bytes] | None = None
        self._words: deque[str] = deque(maxlen=_WORDS)
        self._caps: Caps | None = None
        self._info: StreamInfo | None = None
        self._begin()

    def open(self) -> None:
        """Start the pipeline and wait for its first caps. Raises Disconnected (with its last words), Unsupported; takes 7 s at most."""
        self.close()
        self._begin()
        arguments = self._arguments()
        try:
            self._start(arguments)
        except SourceError:
            self.close()
            raise

    def read(self, timeout: float) -> Frame | None:
        """The next selected frame, None when none came within `timeout` seconds. Raises Disconnected when the pipeline ends."""
        deadline = time.monotonic() + timeout
        while True:
            header = self._step(deadline)
            if header is None:
                return None
            frame = self._frame(header) if header.type == BUFFER else None
            if frame is not None:
                return frame

    def close(self) -> None:
        """Kill the pipeline. Idempotent, at most 1 s."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with suppress(subprocess.TimeoutExpired):  # in the kernel, on a dead device
            process.wait(_KILL_S)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()

    def stats(self) -> SourceStats:
        """Counters since this source was made."""
        return self._tally.snapshot()

    def describe(self) -> StreamInfo | None:
        """What the pipeline gives; None before the first `open`."""
        return self._info

    # -- stream --------------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._caps = None
        self._words.clear()
        self._clock = CaptureClock()
        self._cadence = Cadence(self._spec.fps)
        self._rate = RateMeter()
        self._time = MediaTime(_NS // 25)
        self._seq = 0
        self._partial = bytearray()  # of a header, or of a text
        self._header: Header | None = None
        self._payload = np.empty(0, np.uint8)
        self._filled = 0

    def _arguments(self) -> list[str]:
        text = self._spec.url.partition(":")[2]
        try:
            pipeline = shlex.split(text)
        except ValueError as error:
            raise Unsupported(f"{self._spec.shown}: {error}: expected a pipeline as gst-launch-1.0 takes it") from None
        if not pipeline:
            raise Unsupported("gst: without a pipeline; expected for example gst:v4l2src device=/dev/video0")
        if shutil.which(_LAUNCH) is None:
            raise Unsupported(f"{self._spec.shown}: {_LAUNCH} is not installed; install GStreamer's tools, or use another kind of source")
        ours = f"video/x-raw,format=(string){{{','.join(FORMATS)}}}"
        return [_LAUNCH, "-q", *pipeline, "!", "videoconvert", "!", ours, "!", "gdppay", "!", "fdsink", "fd=1", "sync=false"]

    def _step(self, deadline: float) -> Header | None:
        """The next complete message (its payload is in `_payload`), None at the deadline. Partial ones are kept."""
        while True:
            if self._header is None and self._take_header(deadline) is None:
                return None
            header = self._header
            assert header is not None
            if not self._fill(memoryview(self._payload), deadline):  # type: ignore[arg-type]
                return None
            self._header = None
            self._filled = 0
            if header.type == CAPS:
                self._take_caps(self._payload.tobytes().decode("utf-8", "replace"))
            return header

    def _take_header(self, deadline: float) -> Header | None:
        if len(self._partial) != HEADER_BYTES:
            self._partial = bytearray(HEADER_BYTES)
            self._filled = 0
        if not self._fill(memoryview(self._partial), deadline):
            return None
        header = parse_header(bytes(self._partial))
        if header.type == BUFFER:
            self._check_length(header.length)
        elif header.length > _LARGEST_TEXT:
            raise Disconnected(f"{self._spec.shown}: a message of {header.length} bytes: expected caps or an event of a few hundred")
        self._partial = bytearray()
        self._filled = 0
        self._payload = np.empty(header.length, np.uint8)  # a new one for each frame, which keeps it
        self._header = header
        return header

    def _check_length(self, length: int) -> None:
        want = 0 if self._caps is None else buffer_bytes(self._caps)
        if length != want:
            raise Unsupported(f"{self._spec.shown}: a picture of {length} bytes: expected {want}; does the pipeline pad its rows?")

    def _fill(self, into: memoryview, deadline: float) -> bool:
        """Read until `into` is full. False at the deadline; what came is kept for the next call."""
        process = self._process
        if process is None:
            raise Disconnected(f"{self._spec.shown}: not open")
        assert process.stdout is not None and process.stderr is not None
        while self._filled < len(into):
            self.waiting = True
            ready, _, _ = select.select([process.stdout, process.stderr], [], [], max(0.0, deadline - time.monotonic()))
            self.waiting = False
            if process.stderr in ready:
                self._listen()
            if process.stdout in ready:
                count = os.readv(process.stdout.fileno(), [into[self._filled :]])
                if count == 0:
                    raise Disconnected(self._epitaph())
                self._filled += count
            elif not ready:
                return False
        return True

    def _take_caps(self, text: str) -> None:
        try:
            self._caps = parse_caps(text)
        except Unsupported as error:
            raise Unsupported(f"{self._spec.shown}: {error}") from None
        caps = self._caps
        self._info = StreamInfo("raw", caps.size, caps.format.value, caps.fps)

    def _frame(self, header: Header) -> Frame | None:
        arrival = Tick(time.monotonic_ns(), time.time_ns())
        caps = self._caps
        assert caps is not None
        media_ns = self._time.place(arrival.mono_ns if header.pts_ns is None else header.pts_ns)
        self._tally.decoded += 1
        self._rate.add(media_ns, 1)
        self._tally.stream_fps = self._rate.fps
        if not self._cadence.take(media_ns):
            return None
        self._tally.selected += 1
        capture = self._clock.stamp(media_ns, arrival)
        stamp = Stamp(self._spec.name, self._seq, capture.mono_ns, capture.wall_ns)
        self._seq += 1
        return Frame(stamp, planes_of(self._payload, caps), caps.format, caps.color, caps.size)

    # -- the process ---------------------------------------------------------------------------------------------------------

    def _start(self, arguments: list[str]) -> None:
        leash = [sys.executable, "-I", "-S", "-c", _LEASH]
        try:
            self._process = subprocess.Popen([*leash, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise Disconnected(f"{self._spec.shown}: cannot start a process: {error.strerror}") from None
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        _widen(self._process)
        deadline = time.monotonic() + OPEN_S
        while self._caps is None:
            if self._step(deadline) is None and time.monotonic() >= deadline:
                raise Disconnected(f"{self._spec.shown}: the pipeline gave no picture within {OPEN_S:g} s")

    def _listen(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        text = (self._process.stderr.read() or b"").decode(errors="replace")
        self._words.extend(line for line in text.splitlines() if line.strip())

    def _epitaph(self) -> str:
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_S)
        self._listen()
        code = self._process.returncode
        how = "closed its output" if code is None else f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        words = _reason(list(self._words))
        return f"{self._spec.shown}: the pipeline {how}" + (f": {self._spec.clean(words)}" if words else "")


def _reason(words: list[str]) -> str:
    """The line that names the cause, with the last of the lines that explain it: gst-launch reports every consequence too."""
    for mark in ("ERROR: from element", "erroneous pipeline", "ERROR"):
        for index, line in enumerate(words):
            if mark in line:
                details = words[index + 1 : index + 4]
                detail = details[-1].strip() if mark.endswith("element") and details[:1] == ["Additional debug info:"] else ""
                return f"{line.strip()} {detail}".strip()
    return words[-1].strip() if words else ""


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let the pipe hold a good part of a picture; the kernel may refuse, which only costs turns."""
    assert process.stdout is not None
    with suppress(OSError):
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
