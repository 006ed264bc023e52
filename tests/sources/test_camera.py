"""A live stream in this process: what it does with time."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from edge_runtime.sources import SourceSpec, make_capture, video
from edge_runtime.sources.pictures import picture_of
from edge_runtime.types import Frame
from tests.peers.rtsp import RtspServer
from tests.sources.clips import number_of

pytestmark = pytest.mark.system


def read(camera: RtspServer, count: int, **others: object) -> list[Frame]:
    source = make_capture(SourceSpec(name="cam", url=camera.url("/street"), **{"fps": 100, **others}))  # type: ignore[arg-type]
    source.open()
    frames = [frame for _ in range(count) if (frame := source.read(1)) is not None]
    source.close()
    assert source.stats().corrupt == 0
    return frames


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_complete_over_either_transport(camera: RtspServer, transport: str) -> None:
    numbers = [number_of(frame.planes[0]) for frame in read(camera, 20, transport=transport)]
    assert set(np.diff(numbers) % 120) == {1}


def test_stamps_are_as_even_as_the_cameras_clock(camera: RtspServer) -> None:
    frames = read(camera, 45)
    stamps = np.array([frame.stamp.mono_ns for frame in frames][15:])
    assert np.abs(np.diff(stamps) / 1e6 - 1000 / 30).max() < 8
    assert 0 <= time.monotonic_ns() - stamps[-1] < 3e9


def test_what_was_buffered_while_opening_is_not_given_as_new(camera: RtspServer) -> None:
    source = make_capture(SourceSpec(name="cam", url=camera.url("/street"), fps=100))
    source.open()
    time.sleep(0.5)
    began_ns = time.monotonic_ns()
    first = source.read(1)
    source.close()
    assert first is not None
    assert time.monotonic_ns() - began_ns > 1e6, "it was there before we asked"
    assert source.stats().decoded > 5
    assert source.stats().selected == 1


def test_machine_that_decodes_too_slowly_skips_to_a_keyframe_and_stays_near_to_now(camera: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(frame: object) -> video.Picture:
        time.sleep(0.06)  # 30 pictures a second come
        return picture_of(frame)  # type: ignore[arg-type]

    monkeypatch.setattr(video, "picture_of", slow)
    source = make_capture(SourceSpec(name="cam", url=camera.url("/street"), fps=100))
    source.open()
    assert source.read(1) is not None
    sent, decoded = camera.sent("/street"), source.stats().decoded
    end = time.monotonic() + 6
    numbers = []
    while time.monotonic() < end:
        frame = source.read(1)
        assert frame is not None
        numbers.append(number_of(frame.planes[0]))
    stats = source.stats()
    lag = (camera.sent("/street") - sent) - (stats.decoded - decoded)
    source.close()
    assert stats.behind > 20
    assert lag < 60, "pictures wait for longer than two seconds"
    jumps = [after for before, after in itertools.pairwise(numbers) if (after - before) % 120 != 1]
    assert jumps
    assert all(number % 10 == 0 for number in jumps), "decoding went on at a picture that is no keyframe"
