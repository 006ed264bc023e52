"""Footage the other way round: pictures become a film, H.264 in an MP4 that plays in browsers and players, in the pictures' own time.

The file grows under another name beside the one asked for and takes its name only when it is complete. When anything goes wrong nothing is
left that could be mistaken for a film.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CannotStart

_log = logging.getLogger("edge_runtime.film")
_TICKS = 60_000  # a second: fine enough for any camera, and MPEG-4 knows no finer
_ENCODERS = (("libx264", {"crf": "21", "preset": "veryfast"}), ("mpeg4", {"qscale": "3"}))  # the first that this build of PyAV has


class Film:
    """A context in which pictures become a film at `path`; `fps` is how fast they come, about. Nothing is opened before the first picture.

    One thread writes. Raises CannotStart when the file cannot be made, the disk refuses, or no encoder is there.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._partial = path.parent / f".{path.name}.partial"
        self._fps = Fraction(fps).limit_denominator(1001)
        self._file: BinaryIO | None = None
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)
        self._first_ns = 0
        self._last_pts = -1

    def __enter__(self) -> Film:
        return self

    def write(self, picture: NDArray[np.uint8], mono_ns: int) -> None:
        """Append a picture [h, w, 3], BGR, seen at `mono_ns`. Raises ValueError when its size is not the first one's."""
        if self._container is None:
            self._open(picture, mono_ns)
        if picture.shape[:2] != self._size:
            raise ValueError(f"{self._path}: the film is {self._size[1]}×{self._size[0]}, this picture {picture.shape[1]}×{picture.shape[0]}")
        frame = self._frame(picture)
        pts = max(self._last_pts + 1, round((mono_ns - self._first_ns) * _TICKS / 1e9))
        frame.pts, frame.time_base = pts, Fraction(1, _TICKS)
        self._last_pts = pts
        self._encode(frame)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is None:
            if kind is None:
                _log.warning("%s: no picture came, so no film was written", self._path)
            return
        if kind is not None:
            self._discard()
            return
        try:
            self._encode(None)
            self._container.close()  # writes the index, without which an MP4 is nothing
            self._file.close()
            self._partial.replace(self._path)
        except BaseException as failure:
            self._discard()
            if isinstance(failure, _refusals()):
                raise CannotStart(f"{self._path}: the film cannot be written: {failure}") from failure
            raise

    def _open(self, picture: NDArray[np.uint8], mono_ns: int) -> None:
        import av

        height, width = picture.shape[:2]
        try:
            if self._path.is_dir():
                raise IsADirectoryError("this is a folder: name a file")
            self._file = self._partial.open("wb")
        except OSError as error:
            raise CannotStart(f"{self._path}: the film cannot be written here: {error}") from error
        self._container = av.open(self._file, "w", format="mp4")
        self._stream = self._add_stream(self._container, width + width % 2, height + height % 2)
        self._size, self._first_ns = (height, width), mono_ns

    def _encode(self, frame: Any) -> None:
        """A frame, or None for what the encoder still holds."""
        try:
            self._container.mux(self._stream.encode(frame))
        except _refusals() as error:
            raise CannotStart(f"{self._path}: the film cannot be written: {error}") from error

    def _discard(self) -> None:
        with suppress(*_refusals()):  # it is given up: why is already on its way to the caller
            if self._container is not None:
                self._container.close()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._partial.unlink(missing_ok=True)

    def _add_stream(self, container: Any, width: int, height: int) -> Any:
        import av

        for name, options in _ENCODERS:
            if name not in av.codecs_available:
                continue
            if name != _ENCODERS[0][0]:
                _log.warning("%s: this PyAV has no %s: encoding with %s, which browsers do not play", self._path, _ENCODERS[0][0], name)
            stream = container.add_stream(name, rate=self._fps, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = Fraction(1, _TICKS)
            stream.codec_context.colorspace = 1  # BT.709, limited range: say so, or players guess by the picture's size
            stream.codec_context.color_primaries = 1
            stream.codec_context.color_trc = 1
            stream.codec_context.color_range = 1
            return stream
        raise CannotStart(f"{self._path}: PyAV has none of the encoders {', '.join(name for name, _ in _ENCODERS)}: install a build of av that does")

    def _frame(self, picture: NDArray[np.uint8]) -> Any:
        """The picture as the encoder takes it: even sides (the last row or column twice), BT.709."""
        import av

        height, width = self._size
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def _refusals() -> tuple[type[Exception], ...]:
    """What a full disk or a broken encoder comes as: FFmpeg's errors are only in part OSErrors."""
    import av.error

    return OSError, av.error.FFmpegError
