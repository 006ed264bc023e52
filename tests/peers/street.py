"""A simulated street as a real camera: filmed once, served over RTSP, looped; what it shows is known picture by picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.sources.sim.filming import film
from tests.peers.rtsp import RtspServer

STREET = "/street"


@contextmanager
def rtsp_street(url: str, folder: Path, seconds: float) -> Iterator[RtspServer]:
    """Serves `url`'s first `seconds` at STREET."""
    clip = folder / "street.mp4"
    film(url, clip, seconds=seconds)
    with RtspServer({STREET: clip}) as server:
        yield server
