"""The street through a real camera's way: encoded, served over RTSP, decoded in a child. What comes out is what was drawn."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.present.picture import Pictures
from edge_runtime.sources import SourceSpec, make_source, street_options
from edge_runtime.sources.sim.simulation import Simulation
from edge_runtime.types import Size
from tests.peers.rtsp import RtspServer, missing
from tests.peers.street import STREET, rtsp_street

pytestmark = pytest.mark.system

URL = "sim:road?seed=2&density=2&size=640x360&fps=15"
SECONDS = 4
FPS = 5
LEAST_DB = 28.0  # grain is what an encoder leaves out first


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    if missing():
        pytest.skip(missing())
    with rtsp_street(URL, tmp_path_factory.mktemp("street"), SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def drawn() -> list[NDArray[np.uint8]]:
    return [shot.picture for shot in Simulation(street_options(URL), truthful=False).shots(SECONDS)]


def likeness_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio."""
    return float(cv2.PSNR(a, b))


def test_what_a_camera_of_the_street_sends_is_what_was_drawn(server: RtspServer, drawn: list[NDArray[np.uint8]]) -> None:
    source = make_source(SourceSpec(name="street", url=server.url(STREET), fps=FPS, stall_s=5))
    source.open()
    pictures, seen = Pictures(()), []
    try:
        deadline = time.monotonic() + 40
        while len(seen) < 12:
            assert time.monotonic() < deadline, f"{len(seen)} frames"
            frame = source.read(0.5)
            if frame is None:
                continue
            assert frame.upright == Size(640, 360)
            seen.append((frame.stamp, pictures.to_bgr(frame).copy()))
            frame.release()
        stats = source.stats()
        sent = server.sent(STREET)
    finally:
        source.close()
    numbers = []
    for _, picture in seen:
        likeness = [likeness_db(picture, each) for each in drawn]
        numbers.append(int(np.argmax(likeness)))
        assert max(likeness) > LEAST_DB
    steps = [(after - before) % len(drawn) for before, after in itertools.pairwise(numbers)]
    apart = [round((after.mono_ns - before.mono_ns) / 1e9 * 15) for (before, _), (after, _) in itertools.pairwise(seen)]
    assert sum(a == b for a, b in zip(steps, apart, strict=True)) >= len(steps) - 2, "pictures are as far apart as their stamps say, but at the seam"
    assert stats.selected - stats.dropped - len(seen) in (0, 1)
    assert 3 * len(seen) - 3 <= stats.decoded <= sent
