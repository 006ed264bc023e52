"""What a source is asked for and what it says of itself. The child process reads the same types from its standard input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from edge_runtime.contracts import Source
from edge_runtime.options import Secret
from edge_runtime.sources.redaction import redact, without_secret
from edge_runtime.types import Frame, Size


class CameraLike(Protocol):
    """What `SourceSpec.of` needs to know of a configured camera."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def substream(self) -> str | None: ...
    @property
    def username(self) -> str | None: ...
    @property
    def password(self) -> Secret | None: ...
    @property
    def fps(self) -> float: ...
    @property
    def stall_s(self) -> float: ...
    @property
    def transport(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourceSpec:
    """One source: where, as whom, how many frames a second at most, and how long a silence is borne."""

    name: str
    url: str
    username: str | None = None
    password: Secret | None = None
    fps: float = 10.0
    stall_s: float = 10.0
    transport: str = "tcp"

    @staticmethod
    def of(camera: CameraLike) -> SourceSpec:
        """The source of a camera's inference: its `substream` when it has one."""
        return SourceSpec(
            name=camera.name,
            url=camera.source if camera.substream is None else camera.substream,
            username=camera.username,
            password=camera.password,
            fps=camera.fps,
            stall_s=camera.stall_s,
            transport=camera.transport,
        )

    @property
    def shown(self) -> str:
        """The URL as people may see it."""
        return self.clean(self.url)

    def clean(self, text: str) -> str:
        """`text` without any of this source's credentials."""
        return without_secret(text, None if self.password is None else self.password.reveal())

    def to_json(self) -> str:
        """One line with the secret in the clear: for a pipe, never for a file, an argument or the environment."""
        secret = None if self.password is None else self.password.reveal()
        plain = {"name": self.name, "url": self.url, "username": self.username, "password": secret}
        return json.dumps({**plain, "fps": self.fps, "stall_s": self.stall_s, "transport": self.transport})

    @staticmethod
    def from_json(line: str | bytes) -> SourceSpec:
        """The inverse of `to_json`."""
        fields = json.loads(line)
        secret = fields.pop("password")
        return SourceSpec(**fields, password=None if secret is None else Secret(secret))

    def __repr__(self) -> str:
        return f"SourceSpec(name={self.name!r}, url={redact(self.url)!r}, fps={self.fps}, stall_s={self.stall_s})"


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What a source did since it was made; counts never go back, whatever is opened again.

    selected = what `read` gave + dropped (+ the one that waits to be read).
    """

    decoded: int = 0  # pictures that came: decoded, or left undecoded because nothing wanted depends on them
    selected: int = 0  # of these, the ones that `fps` picks
    dropped: int = 0  # picked, but replaced by a newer one before anybody read it
    corrupt: int = 0  # packets and pictures that arrived damaged
    behind: int = 0  # of those that came: left undecoded because this machine decodes slower than they come
    stream_fps: float | None = None  # what the far end sends, pictures/s: measured when live, the file's nominal rate for footage

    def __add__(self, other: SourceStats) -> SourceStats:
        """Counts add up; the rate is the later one's, where it knows it."""
        return SourceStats(
            decoded=self.decoded + other.decoded,
            selected=self.selected + other.selected,
            dropped=self.dropped + other.dropped,
            corrupt=self.corrupt + other.corrupt,
            behind=self.behind + other.behind,
            stream_fps=self.stream_fps if other.stream_fps is None else other.stream_fps,
        )


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is being decoded. `pixel_format` is the stream's own name; `fps` is what its header promises, None when it says nothing.

    `note` says what it costs when frames cannot be handed on as decoded.
    """

    codec: str
    size: Size
    pixel_format: str
    fps: float | None
    note: str = ""


class FrameSource(Source[Frame], Protocol):
    """A source of pictures, and what it can say of itself from any thread."""

    def stats(self) -> SourceStats: ...

    def describe(self) -> StreamInfo | None:
        """What is decoded; None before the first `open`."""


class DaemonSource(FrameSource, Protocol):
    """A source as the daemon runs it."""

    @property
    def child_pid(self) -> int | None:
        """The process that reads it, when that is not this one."""

    def interrupt(self) -> None:
        """From any thread: do not wait for the far end any longer; `open` or `read` may fail with Disconnected."""


class Capture(FrameSource, Protocol):
    """A source that can run in the capture child: it tells waiting for the far end (blameless) from being busy (which must end)."""

    @property
    def waiting(self) -> bool: ...


class Footage(FrameSource, Protocol):
    """A file: every frame that `fps` selects, then Exhausted."""

    @property
    def expected_frames(self) -> int | None:
        """About how many frames `read` will give in all, by the file's header; None when it does not say. Never relied upon."""
