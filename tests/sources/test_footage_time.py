"""Footage in time: the clock of its frames, its own pace, loops, and how its files are named."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected, Exhausted, Unsupported
from edge_runtime.sources import footage_path, is_live, make_footage, make_source
from tests.sources.clips import make_clip, number_of
from tests.sources.test_footage import MS, numbers, read_all, spec


def test_wall_time_is_the_callers_else_the_files_else_1970(tmp_path: Path) -> None:
    dated = make_clip(tmp_path / "dated.mp4", frames=2, metadata={"creation_time": "2024-05-06T07:08:09Z"})
    plain = make_clip(tmp_path / "plain.mp4", frames=2)
    assert read_all(make_footage(spec(dated)))[0].stamp.wall_ns == 1_714_979_289_000_000_000
    assert read_all(make_footage(spec(dated), start_wall_ns=5))[0].stamp.wall_ns == 5
    frames = read_all(make_footage(spec(plain)))
    assert [frame.stamp.wall_ns for frame in frames] == [frame.stamp.mono_ns for frame in frames]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    source = make_footage(spec(make_clip(tmp_path / "a.mp4"), 10))
    first, second = read_all(source), read_all(source)
    assert [frame.stamp for frame in first] == [frame.stamp for frame in second]
    assert source.stats().selected == 20
    with pytest.raises(Disconnected, match="not open"):
        source.read(0)


def test_footage_path_strips_scheme_and_loop(tmp_path: Path) -> None:
    assert footage_path("/a/b.mp4?loop=1") == footage_path("file:///a/b.mp4") == footage_path("file:/a/b.mp4?loop=1") == Path("/a/b.mp4")
    odd = tmp_path / "what?.mp4"
    odd.touch()
    assert footage_path(str(odd)) == odd
    assert footage_path(f"{odd}?loop=1") == odd
    assert not is_live("b.mp4")
    assert all(is_live(url) for url in ("rtsp://h/x", "RTSPS://h/x", "http://h/x", "https://h/x", "v4l2:/dev/video0", "gst:videotestsrc"))
    with pytest.raises(Unsupported, match=re.escape("no source reads rtmp:")):
        is_live("rtmp://u:secret@h/x")


def test_file_names_that_look_like_options_or_urls(tmp_path: Path) -> None:
    for name in ("-i.mp4", "a b:c%20d.mp4", "crypto:x.mp4", "ü#1.mp4"):
        clip = make_clip(tmp_path / "plain.mp4", frames=2).rename(tmp_path / name)
        assert len(read_all(make_footage(spec(clip)))) == 2
    with pytest.raises(Unsupported, match="live source"):
        make_footage(spec("rtsp://h/x"))


# -- at its own pace ---------------------------------------------------------------------------------------------------------------


def test_paced_gives_each_frame_when_it_is_due(tmp_path: Path) -> None:
    source = make_source(spec(make_clip(tmp_path / "a.mp4", frames=10, fps=20)))
    source.open()
    began_ns = time.monotonic_ns()
    frames = []
    with pytest.raises(Exhausted):
        while True:
            frame = source.read(0.01)
            if frame is None:
                continue
            assert time.monotonic_ns() >= frame.stamp.mono_ns, "given before it was due"
            frames.append(frame)
    assert numbers(frames) == list(range(10))
    assert time.monotonic_ns() - began_ns >= 9 * 50 * MS
    assert {frame.stamp.mono_ns - frames[0].stamp.mono_ns for frame in frames} == {50 * MS * index for index in range(10)}
    assert abs(time.time_ns() - frames[-1].stamp.wall_ns) < 60_000 * MS
    source.close()


def test_paced_follows_the_wall_clock_when_somebody_sets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(spec(make_clip(tmp_path / "a.mp4", frames=3, fps=20)))
    source.open()
    before = source.read(5.0)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000 * MS)
    after = source.read(5.0)
    source.close()
    assert before is not None
    assert after is not None
    assert after.stamp.mono_ns - before.stamp.mono_ns == 50 * MS
    assert after.stamp.wall_ns - before.stamp.wall_ns == pytest.approx(3_600_050 * MS, abs=900 * MS)


def test_paced_loop_goes_on_without_a_seam(tmp_path: Path) -> None:
    source = make_source(spec(f"{make_clip(tmp_path / 'a.mp4', frames=5, fps=50)}?loop=1"))
    source.open()
    frames = [frame for _ in range(60) if (frame := source.read(1)) is not None][:23]
    source.close()
    assert numbers(frames) == [index % 5 for index in range(23)]
    assert [frame.stamp.seq for frame in frames] == list(range(23))
    steps = np.diff([frame.stamp.mono_ns for frame in frames])
    assert list(steps) == [20 * MS] * 22
    assert source.stats().selected >= 23


def test_paced_on_a_slow_reader_plays_later_and_skips_nothing(tmp_path: Path) -> None:
    source = make_source(spec(make_clip(tmp_path / "a.mp4", frames=6, fps=50)))
    source.open()
    first = source.read(1)
    time.sleep(1.3)
    rest = [source.read(1) for _ in range(5)]
    source.close()
    assert first is not None
    assert [number_of(frame.planes[0]) for frame in rest if frame is not None] == [1, 2, 3, 4, 5]
    assert rest[0] is not None
    assert rest[0].stamp.mono_ns - first.stamp.mono_ns > 1000 * MS, "stamps tell when frames were given"


@pytest.mark.material
@pytest.mark.parametrize(
    ("clip", "decoded", "at_ten"),
    [
        ("busy_road/busy_road.mp4", 499, 167),
        ("car_detection/car-detection.mp4", 377, 301),
        ("walking/walking.mp4", 341, 137),
    ],
)
def test_real_footage_is_read_to_its_end(material: Path, clip: str, decoded: int, at_ten: int) -> None:
    source = make_footage(spec(material / "videos" / clip, 10))
    assert len(read_all(source)) == at_ten
    stats = source.stats()
    assert (stats.decoded, stats.selected, stats.corrupt) == (decoded, at_ten, 0)
