"""Live streams through PyAV: RTSP, HTTP, V4L2. Meant for the capture child: `read` blocks in FFmpeg until a picture or the end of patience.

address           transport                        time of a picture
rtsp://           TCP or UDP (`transport`)         the camera's clock, set on ours
rtsps://          RTSP over TLS, always TCP        the same
http(s)://        multipart JPEG                   its arrival: it carries none
                  MPEG transport stream            the camera's clock, set on ours
                  live HLS playlist                when it is played out: some pieces after it was taken, nobody knows how long
v4l2:             a device                         the kernel's clock, set on ours

TLS keeps others on the network from reading along. The camera's certificate is not verified, because cameras sign their own: who can answer
in the camera's place is not found out. Nothing falls back to plain text: where no TLS is spoken, opening fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.errors import Disconnected
from edge_runtime.sources.footage import frame_of
from edge_runtime.sources.opening import Target
from edge_runtime.sources.redaction import with_credentials
from edge_runtime.sources.spec import SourceSpec, SourceStats, StreamInfo
from edge_runtime.sources.tally import Tally
from edge_runtime.sources.timeline import CaptureClock
from edge_runtime.sources.video import VideoStream
from edge_runtime.types import Frame, Stamp

OPEN_S = 5.0
_TLS = {"tls_verify": "0"}  # said, because FFmpeg's default changes with its version
_ENCRYPTED = "https,tls,tcp,httpproxy,crypto,data"  # what an https:// address, its redirections and its playlists may lead to


class CameraSource:
    """A live stream in this process. Use `sources.make_source` for one that cannot take the daemon along.

    `read` ignores its timeout while the far end is silent: an interrupted FFmpeg read cannot be taken up again, so patience ends only
    after `stall_s`, with Disconnected. That is why it runs in a child, whose parent keeps the time.
    """

    def __init__(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._tally = Tally()
        self._stream: VideoStream | None = None
        self._info: StreamInfo | None = None
        self._clock = CaptureClock()
        self._seq = 0

    @property
    def waiting(self) -> bool:
        """Whether it waits for the far end now (no fault of this process)."""
        return self._stream is None or self._stream.waiting

    def open(self) -> None:
        """Raises Disconnected, Unsupported; takes 10 s at most (5 to connect, 5 to see the first pictures)."""
        self.close()
        self._stream = VideoStream(_target(self._spec), self._spec.fps, self._tally, live=True)
        self._info = self._stream.info
        self._clock = CaptureClock()
        self._seq = 0

    def read(self, timeout: float) -> Frame | None:  # noqa: ARG002 - see the class
        """The next selected frame, stamped with the time of its capture. Raises Disconnected."""
        if self._stream is None:
            raise Disconnected(f"{self._spec.shown}: not open")
        shot = self._stream.read()
        if shot is None:
            raise Disconnected(f"{self._spec.shown}: the far end ended the stream")
        capture = self._clock.stamp(shot.media_ns, shot.arrival)
        stamp = Stamp(self._spec.name, self._seq, capture.mono_ns, capture.wall_ns)
        self._seq += 1
        return frame_of(shot, stamp)

    def close(self) -> None:
        """Say goodbye to the far end (an RTSP server keeps a session until it hears so)."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def stats(self) -> SourceStats:
        """Counters since this source was made."""
        return self._tally.snapshot()

    def describe(self) -> StreamInfo | None:
        """What is decoded; None before `open`."""
        return self._info


def _target(spec: SourceSpec) -> Target:
    scheme, _, device = spec.url.partition(":")
    if scheme == "v4l2":
        return Target(device, spec.shown, spec.clean, "v4l2", {}, OPEN_S, spec.stall_s)
    password = None if spec.password is None else spec.password.reveal()
    url = with_credentials(spec.url, spec.username, password)
    return Target(url, spec.shown, spec.clean, None, _options(scheme.lower(), spec), OPEN_S, spec.stall_s)


def _options(scheme: str, spec: SourceSpec) -> Mapping[str, str]:
    # Do not watch pictures pass by to learn their rate: every second of opening is a blind one.
    quick = {"fpsprobesize": "0", **(_TLS if scheme in ("rtsps", "https") else {})}
    if scheme in ("rtsp", "rtsps"):
        return {**quick, "rtsp_transport": spec.transport, "allowed_media_types": "video"}
    quick = {**quick, "live_start_index": "-1"}  # of a playlist, the newest piece
    return quick if scheme == "http" else {**quick, "protocol_whitelist": _ENCRYPTED}
