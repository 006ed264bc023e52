"""Watching an isolated source from outside: its frames, its failures, its processes and its descriptors."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import Disconnected, SourceError
from edge_runtime.sources import SourceSpec, make_source
from edge_runtime.sources.isolated import IsolatedSource
from edge_runtime.types import Frame


def spec(url: str, **others: object) -> SourceSpec:
    return SourceSpec(**{"name": "cam", "url": url, "fps": 100, "stall_s": 5, **others})  # type: ignore[arg-type]


@contextmanager
def opened(wanted: SourceSpec) -> Iterator[IsolatedSource]:
    source = make_source(wanted)
    assert isinstance(source, IsolatedSource)
    source.open()
    try:
        yield source
    finally:
        source.close()


def frames_of(source: IsolatedSource, count: int, within_s: float = 15) -> list[Frame]:
    """The next `count` frames, already released (their planes may be overwritten)."""
    frames: list[Frame] = []
    deadline = time.monotonic() + within_s
    while len(frames) < count:
        assert time.monotonic() < deadline, f"{len(frames)} of {count} frames in {within_s} s"
        frame = source.read(0.25)
        if frame is not None:
            frames.append(frame)
            frame.release()
    return frames


def failure_of(source: IsolatedSource, within_s: float = 20) -> SourceError:
    """Read until it fails."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            frame = source.read(0.25)
        except SourceError as error:
            return error
        if frame is not None:
            frame.release()
    raise AssertionError(f"nothing failed within {within_s} s")


def reconnected(source: IsolatedSource, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            source.open()
        except Disconnected:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def fds() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))
