"""One suite over every source of pictures: what `contracts.Source` promises, and stamps, planes and counters on top."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Exhausted, SourceError
from edge_runtime.sources import FrameSource, SourceSpec, make_capture, make_footage, make_source
from edge_runtime.sources.layout import plane_shapes
from edge_runtime.types import Frame
from tests.peers.rtsp import RtspServer, missing
from tests.sources.clips import make_clip
from tests.sources.conftest import camera, street, transport_stream, web_camera  # noqa: F401 - fixtures

FPS = 15
pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Case:
    """How to make it; `footage` ends, `paced` (or a camera) stamps with this machine's clock."""

    make: Callable[[SourceSpec], FrameSource]
    url: Callable[[pytest.FixtureRequest], str]
    footage: bool = False
    clocked: bool = True


def _camera_url(request: pytest.FixtureRequest) -> str:
    if missing():
        pytest.skip(missing())
    server: RtspServer = request.getfixturevalue("camera")
    return server.url("/street")


def _file(request: pytest.FixtureRequest) -> str:
    path: Path = request.getfixturevalue("tmp_path")
    return str(make_clip(path / "clip.mp4", frames=45))


def _web(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("web_camera")
    return url


def _gst(request: pytest.FixtureRequest) -> str:
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("gst-launch-1.0 is not installed")
    return "gst:videotestsrc is-live=true ! video/x-raw,format=I420,width=322,height=242,framerate=30/1"


def _street(request: pytest.FixtureRequest) -> str:
    return "sim:road?seed=1&size=322x180&seconds=1.5"


CASES = {
    "file in replay": Case(make_footage, _file, footage=True, clocked=False),
    "file at its own pace": Case(make_source, _file, footage=True),
    "file in a loop": Case(make_source, lambda request: f"{_file(request)}?loop=1"),
    "street in replay": Case(make_footage, _street, footage=True, clocked=False),
    "street at its own pace": Case(make_source, _street),
    "rtsp in a child": Case(make_source, _camera_url),
    "rtsp in this process": Case(make_capture, _camera_url),
    "http in a child": Case(make_source, _web),
    "gst in a child": Case(make_source, _gst),
    "gst in this process": Case(make_capture, _gst),
}


def only(condition: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """The cases that a test is about."""
    return pytest.mark.parametrize("case", [name for name, each in CASES.items() if condition(each)], indirect=True)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def source(case: Case, request: pytest.FixtureRequest) -> Iterator[FrameSource]:
    made = case.make(SourceSpec(name="front-door", url=case.url(request), fps=FPS, stall_s=5))
    yield made
    made.close()


def take(source: FrameSource, count: int) -> list[Frame]:
    """`count` frames; their leases are given back, so that planes must not be read."""
    frames: list[Frame] = []
    deadline = time.monotonic() + 15
    while len(frames) < count:
        assert time.monotonic() < deadline, f"{len(frames)} of {count} frames"
        frame = source.read(0.25)
        if frame is not None:
            frames.append(frame)
            frame.release()
            frame.release()  # harmless
    return frames


def test_construction_touches_nothing_and_read_needs_open(source: FrameSource) -> None:
    assert source.describe() is None
    stats = source.stats()
    assert (stats.decoded, stats.selected, stats.dropped, stats.corrupt) == (0, 0, 0, 0)
    with pytest.raises(SourceError, match="not open"):
        source.read(0)
    source.close()
    source.close()


def test_frames_have_the_planes_of_their_format_and_cannot_be_written(source: FrameSource) -> None:
    source.open()
    info = source.describe()
    assert info is not None
    for _ in range(50):
        frame = source.read(1)
        if frame is not None:
            break
    assert frame is not None
    assert frame.size == info.size
    for plane, expected in zip(frame.planes, plane_shapes(frame.format, frame.size), strict=True):
        assert plane.shape == expected.shape
        assert plane.dtype == expected.dtype
        assert not plane.flags.writeable
        assert plane.std() >= 0
    frame.release()


def test_stamps_rise_on_both_clocks_and_rate_is_bounded(case: Case, source: FrameSource) -> None:
    source.open()
    began = time.monotonic_ns()
    stamps = [frame.stamp for frame in take(source, 12)]
    assert {stamp.source for stamp in stamps} == {"front-door"}
    for before, after in itertools.pairwise(stamps):
        assert after.seq > before.seq
        assert after.mono_ns > before.mono_ns
    offsets = np.array([stamp.wall_ns - stamp.mono_ns for stamp in stamps])
    assert np.ptp(offsets) < 50e6, "both clocks tell the same intervals"
    span_s = (stamps[-1].mono_ns - stamps[0].mono_ns) / 1e9
    if not case.clocked:
        assert stamps[0].mono_ns == 0
        assert len(stamps) <= span_s * FPS + 1.1
    else:
        steady = (stamps[-1].mono_ns - stamps[6].mono_ns) / 1e9  # a live clock is still learning during the first frames
        assert steady >= 5 / FPS * 0.7
        assert began - 2e9 < stamps[0].mono_ns < time.monotonic_ns()
        assert abs(stamps[-1].wall_ns - time.time_ns()) < 5e9


@only(lambda case: case.make is not make_capture)  # in this process a camera keeps its own patience; the child's parent keeps time
def test_read_gives_none_rather_than_late(source: FrameSource) -> None:
    source.open()
    take(source, 1)
    for _ in range(20):
        began = time.monotonic()
        try:
            frame = source.read(0.02)
        except Exhausted:
            break
        assert time.monotonic() - began < 1
        if frame is not None:
            frame.release()


def test_every_selected_frame_is_given_or_counted(source: FrameSource) -> None:
    source.open()
    given = take(source, 8)
    stats = source.stats()
    assert 0 <= stats.selected - stats.dropped - len(given) <= 1
    assert stats.decoded >= stats.selected
    assert stats.corrupt == 0
    missing_seqs = given[-1].stamp.seq + 1 - len(given)
    assert 0 <= missing_seqs <= stats.dropped


def test_opens_again_after_close_and_counts_on(source: FrameSource) -> None:
    source.open()
    take(source, 3)
    before = source.stats()
    source.close()
    assert source.stats().decoded >= before.decoded
    source.open()
    assert take(source, 3)[0].stamp.seq < 3 * FPS
    after = source.stats()
    assert after.decoded > before.decoded
    assert after.selected > before.selected
    assert after.dropped >= before.dropped


def test_stream_rate_becomes_known(source: FrameSource) -> None:
    source.open()
    take(source, 8)
    assert source.stats().stream_fps == pytest.approx(30, rel=0.1)


@only(lambda case: case.footage)
def test_footage_ends_with_exhausted_and_stays_ended(source: FrameSource) -> None:
    source.open()
    with pytest.raises(Exhausted):
        for _ in range(400):
            source.read(0.2)
    with pytest.raises(Exhausted):
        source.read(0.2)
    assert source.stats().decoded == 45


def test_close_is_bounded_while_open(source: FrameSource) -> None:
    source.open()
    take(source, 1)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 2
    with pytest.raises(SourceError, match="not open"):
        source.read(0)
