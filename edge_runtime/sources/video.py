"""One video stream through PyAV (FFmpeg): demux, decode only what is needed, give the pictures that `fps` selects.

    packets (decoding order)   I0  P4  B2  b1  b3 …
                                │   │   │   ✗   │      ✗: `fps` will not pick it and nothing is predicted from it: the decoder
    pictures (presentation)    0       2       3  4       skips it (skip_frame = NONREF), which saves a quarter of the CPU and more
    selected by fps            ●               ●

One thread decodes: frame threads cost about 15 % more CPU and delay live pictures, and a device's other cores have inference to do.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import Disconnected, Unsupported
from edge_runtime.sources.cadence import ArrivalCadence, Cadence, RateMeter, Skipped
from edge_runtime.sources.opening import Target, failure, opened
from edge_runtime.sources.pictures import Picture, conversion_note, picture_of
from edge_runtime.sources.spec import StreamInfo
from edge_runtime.sources.tally import Tally
from edge_runtime.sources.timeline import MediaTime, Playout
from edge_runtime.types import Size, Tick

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream as AvVideoStream

_NS = 1_000_000_000
_DAMAGED_IN_A_ROW = 200  # demuxing errors without a packet between them: the rest is no video
_ARRIVALS = 64
_WAITED_NS = 5_000_000  # a packet that took so long was not buffered already
_BACKLOG = 64
_OLD_PIECE = 3600  # packets, at most, in the newest piece of a playlist: it was there before us, and will be again after a reconnection
_RELOADED_NS = 90_000_000  # FFmpeg waits for a playlist's next piece in steps of 100 ms
_BEHIND_NS = 1_500_000_000  # live, and for so long each packet was there already: decoding is slower than the stream
_UNTIMED = {"mpjpeg", "mjpeg", "h264", "hevc", "m4v", "image2pipe", "jpeg_pipe"}  # live, these get invented timestamps: arrival is better
_USUAL_FPS = 25.0
_HIGHEST_FPS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One selected picture: its media time from 0, and when its packet arrived."""

    picture: Picture
    media_ns: int
    arrival: Tick


class VideoStream:
    """An opened stream. `read` until it returns None (the end); `close` once."""

    def __init__(self, target: Target, fps: float, tally: Tally, *, live: bool) -> None:
        """Opens. Raises Disconnected, Unsupported: see `failure`."""
        self.waiting = True
        self._target = target
        self._tally = tally
        self._live = live
        self._container = opened(target)
        self._timed = not (live and self._container.format.name in _UNTIMED)
        self._pieces = live and self._container.format.name == "hls"
        try:
            if self._pieces and self._container.duration:
                raise Disconnected(f"{target.shown}: the playlist has ended (EXT-X-ENDLIST): expected a live one; is the encoder running?")
            self._stream = self._video_stream()
            self.info = self._describe()
        except BaseException:
            self._container.close()
            raise
        self._context = self._stream.codec_context
        self._context.thread_type = "NONE"
        self._context.thread_count = 1
        self._time = MediaTime(round(_NS / (self.info.fps or _USUAL_FPS)))
        self._cadence = Cadence(fps)
        self._skipped = Skipped()
        self._rate = RateMeter()
        self._chosen = self._cadence.take if self._timed else ArrivalCadence(fps).take
        self._playout = Playout() if self._pieces else None
        self._arrivals: dict[int, Tick] = {}
        self._waited_ns = time.monotonic_ns()
        self._catching_up = False
        # Packets that may still be from before: FFmpeg keeps what it saw while opening.
        self._backlog = _OLD_PIECE if self._pieces else _BACKLOG if live else 0
        self._fresh_ns = _RELOADED_NS if self._pieces else _WAITED_NS
        self._fresh = False  # it waited once: what comes now was not there before us
        self._shots = self._decode()
        if not live:
            tally.stream_fps = self.info.fps

    @property
    def end_ns(self) -> int:
        """The media time at which a picture after the last one would come."""
        return self._time.end_ns

    @property
    def container(self) -> InputContainer:
        """The container, for its metadata."""
        return self._container

    @property
    def stream(self) -> AvVideoStream:
        """The stream, for its header."""
        return self._stream

    def read(self) -> Shot | None:
        """The next selected picture, None at the end. Raises Disconnected (the transport failed), Unsupported (pixel format)."""
        return next(self._shots, None)

    def close(self) -> None:
        """Let go of decoder, file and socket."""
        self._shots.close()
        self._container.close()

    # -- decoding ------------------------------------------------------------------------------------------------------------

    def _decode(self) -> Generator[Shot, None, None]:
        from av.error import FFmpegError

        for packet in self._packets():
            self._hold(packet)
            arrival = Tick(time.monotonic_ns(), time.time_ns())
            if self._live and self._is_behind(packet, arrival):
                self._tally.decoded += 1
                self._tally.behind += 1
                continue
            self._prepare(packet, arrival)
            try:
                frames = packet.decode()
            except FFmpegError:
                self._tally.corrupt += 1
                continue
            for frame in frames:
                shot = self._select(frame, arrival)
                if shot is not None:
                    yield shot
        self._tally.decoded += self._skipped.rest()

    def _packets(self) -> Iterator[av.Packet[AvVideoStream]]:
        """Packets of the stream, past damaged places; the flushing one last."""
        from av.error import FFmpegError, InvalidDataError

        damaged = 0
        while damaged < _DAMAGED_IN_A_ROW:
            packets = self._container.demux(self._stream)
            try:
                while True:
                    began_ns = time.monotonic_ns()
                    self.waiting = True
                    packet = next(packets, None)
                    self.waiting = False
                    if packet is None:
                        return
                    self._note_wait(time.monotonic_ns() - began_ns, packet)
                    damaged = 0
                    yield packet
            except InvalidDataError:
                damaged += 1
                self._tally.corrupt += 1
            except FFmpegError as error:
                raise failure(error, self._target) from None
        raise Disconnected(f"{self._target.shown}: {damaged} damaged packets in a row: what follows is no video")

    def _note_wait(self, took_ns: int, packet: av.Packet[AvVideoStream]) -> None:
        if took_ns > _WAITED_NS:
            self._waited_ns = time.monotonic_ns()
        self._fresh = self._fresh or took_ns > self._fresh_ns
        begins = packet.is_keyframe or not self._pieces  # the last picture of a piece comes with the next piece
        self._backlog = 0 if self._fresh and begins else max(0, self._backlog - 1)

    def _hold(self, packet: av.Packet[AvVideoStream]) -> None:
        """Of a stream in pieces, keep back what has its time still to come."""
        if self._playout is None or self._backlog or packet.dts is None:
            return
        hold_ns = self._playout.hold_ns(_to_ns(packet.dts, packet.time_base), time.monotonic_ns())
        if hold_ns:
            self.waiting = True
            time.sleep(hold_ns / _NS)
            self.waiting = False
            self._waited_ns = time.monotonic_ns()

    def _is_behind(self, packet: av.Packet[AvVideoStream], arrival: Tick) -> bool:
        """Whether to leave this packet undecoded, so that what is decoded stays near to now: up to a keyframe after the backlog is gone."""
        silent_ns = arrival.mono_ns - self._waited_ns
        if not self._catching_up:
            self._catching_up = silent_ns > _BEHIND_NS
        elif packet.is_keyframe and silent_ns < _WAITED_NS:
            self._catching_up = False
        return self._catching_up

    def _prepare(self, packet: av.Packet[AvVideoStream], arrival: Tick) -> None:
        """Count damage, remember when it came, and tell the decoder whether this picture may be skipped."""
        if packet.is_corrupt:
            self._tally.corrupt += 1
        pts = packet.pts
        if pts is None or not self._timed:
            self._context.skip_frame = "DEFAULT"
            return
        if self._live:
            self._arrivals[pts] = arrival
            if len(self._arrivals) > _ARRIVALS:
                del self._arrivals[next(iter(self._arrivals))]
        media_ns = self._time.peek(_to_ns(pts, packet.time_base))
        skip = media_ns is not None and self._cadence.hopeless(media_ns)
        self._context.skip_frame = "NONREF" if skip else "DEFAULT"
        if skip:
            self._tally.decoded += self._skipped.allow(pts)

    def _select(self, frame: av.VideoFrame, arrival: Tick) -> Shot | None:
        tally = self._tally
        if frame.is_corrupt:
            tally.corrupt += 1
        pts_ns: int | None = None
        pictures = 1
        if frame.pts is not None and self._timed:
            pts_ns = _to_ns(frame.pts, frame.time_base)
            pictures += self._skipped.shown(frame.pts)
            arrival = self._arrivals.pop(frame.pts, arrival)
        elif self._live:
            pts_ns = arrival.mono_ns
        media_ns = self._time.place(pts_ns)
        tally.decoded += pictures
        if self._live:
            self._rate.add(media_ns, pictures)
            tally.stream_fps = self._rate.fps
        if self._backlog:  # it is old, and nobody knows by how much
            return None
        if not self._chosen(media_ns):
            return None
        tally.selected += 1
        try:
            return Shot(picture_of(frame), media_ns, arrival)
        except Unsupported as error:
            raise Unsupported(f"{self._target.shown}: {error}") from None

    # -- opening -------------------------------------------------------------------------------------------------------------

    def _video_stream(self) -> AvVideoStream:
        streams = self._container.streams.video
        found = [stream for stream in streams if stream.codec_context is not None]
        if found:
            return found[0]
        kinds = ", ".join(f"{stream.type} ({_codec_name(stream)})" for stream in self._container.streams) or "nothing at all"
        raise Unsupported(f"{self._target.shown}: expected a video stream, found {kinds}")

    def _describe(self) -> StreamInfo:
        context = self._stream.codec_context
        if not context.width or not context.height or context.pix_fmt is None:
            found = f"{self._target.shown}: {_codec_name(self._stream)} video without a picture size: no decodable picture near its start; "
            if not self._live:
                raise Unsupported(found + "expected a complete file")
            if self._container.format.name == "mpjpeg":
                raise Disconnected(found + "expected parts with Content-Type: image/jpeg and a Content-Length")
            raise Disconnected(found + "expected a stream that sends keyframes; set the camera to one every few seconds")
        try:
            note = conversion_note(context.pix_fmt)
        except Unsupported as error:
            raise Unsupported(f"{self._target.shown}: {error}") from None
        fps = _nominal_fps(self._stream) if self._timed else None  # else FFmpeg made it up
        return StreamInfo(context.codec.name, Size(context.width, context.height), context.pix_fmt, fps, note)


def _nominal_fps(stream: Any) -> float | None:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= _HIGHEST_FPS:
            return round(float(rate), 3)
    return None


def _codec_name(stream: Any) -> str:
    return "unknown codec" if stream.codec_context is None else str(stream.codec_context.name)


def _to_ns(pts: int, time_base: Any) -> int:
    return int((pts * time_base.numerator * _NS + time_base.denominator // 2) // time_base.denominator)
