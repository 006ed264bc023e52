"""The simulated street as a source: which pictures are drawn, when, with which stamps, and what is told of them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.errors import Disconnected, Exhausted
from edge_runtime.sources import SourceSpec, Truthful, make_footage, make_source
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.source import PacedStreet, SimFootage
from edge_runtime.sources.truthful import TrueFrame
from edge_runtime.types import Frame, PixelFormat, Size

pytestmark = pytest.mark.heavy

SMALL = "sim:junction?seed=3&density=2&size=320x180"


def footage(url: str = SMALL, fps: float = 10, seconds: float = 1, start_wall_ns: int | None = None) -> SimFootage:
    """A street for replay, opened."""
    made = make_footage(SourceSpec(name="street", url=f"{url}&seconds={seconds}", fps=fps), start_wall_ns)
    assert isinstance(made, SimFootage)
    made.open()
    return made


def all_frames(source: SimFootage) -> list[Frame]:
    frames: list[Frame] = []
    while True:
        try:
            frame = source.read(0)
        except Exhausted:
            return frames
        assert frame is not None
        frames.append(frame)


def digest(frames: Sequence[Frame]) -> str:
    whole = hashlib.sha256()
    for frame in frames:
        whole.update(frame.planes[0].tobytes())
    return whole.hexdigest()


# -- replay ----------------------------------------------------------------------------------------------------------------------


def test_footage_gives_what_fps_selects_of_the_stream_and_ends() -> None:
    source = footage(fps=10, seconds=1)
    assert source.expected_frames == 10
    frames = all_frames(source)
    assert [frame.stamp.mono_ns for frame in frames] == [number * 100_000_000 for number in range(10)]
    assert [frame.stamp.seq for frame in frames] == list(range(10))
    stats = source.stats()
    assert (stats.decoded, stats.selected, stats.dropped, stats.behind, stats.corrupt, stats.stream_fps) == (30, 10, 0, 0, 0, 30.0)
    info = source.describe()
    assert info is not None
    assert (info.size, info.fps, info.pixel_format) == (Size(320, 180), 30.0, "bgr24")


def test_footage_gives_no_more_than_the_stream_has() -> None:
    frames = all_frames(footage(f"{SMALL}&fps=5", fps=30, seconds=1))
    assert [frame.stamp.mono_ns for frame in frames] == [number * 200_000_000 for number in range(5)]


@pytest.mark.parametrize(("start_ns", "expected"), [(None, 0), (1_700_000_000 * 10**9, 1_700_000_000 * 10**9)])
def test_footage_begins_in_1970_or_when_it_is_told(start_ns: int | None, expected: int) -> None:
    frames = all_frames(footage(seconds=0.3, start_wall_ns=start_ns))
    assert [frame.stamp.wall_ns - frame.stamp.mono_ns for frame in frames] == [expected] * 3


def test_frames_are_read_only_bgr_of_their_own() -> None:
    first, second = all_frames(footage(seconds=0.2))
    assert first.format is PixelFormat.BGR24
    assert first.planes[0].shape == (180, 320, 3)
    assert not first.planes[0].flags.writeable
    assert not np.shares_memory(first.planes[0], second.planes[0]), "the lane holds several at once"
    assert (first.planes[0] != second.planes[0]).any()


def test_footage_opened_again_is_the_same_street() -> None:
    source = footage(seconds=0.5)
    first = digest(all_frames(source))
    source.close()
    with pytest.raises(Disconnected, match="not open"):
        source.read(0)
    source.open()
    assert digest(all_frames(source)) == first


def test_what_is_drawn_does_not_depend_on_who_judges() -> None:
    judged = make_footage(SourceSpec(name="street", url=f"{SMALL}&seconds=1", fps=10))
    assert isinstance(judged, SimFootage)
    judged.judge((), (), told=lambda frame: None)
    judged.open()
    assert digest(all_frames(judged)) == digest(all_frames(footage(seconds=1)))


def test_another_seed_is_another_street() -> None:
    assert digest(all_frames(footage(seconds=0.1))) != digest(all_frames(footage(SMALL.replace("seed=3", "seed=4"), seconds=0.1)))


@pytest.mark.parametrize("scene", ["junction", "road", "footpath"])
def test_two_processes_draw_the_same_bytes_whatever_their_hash_seed(scene: str) -> None:
    script = (
        "import hashlib\n"
        "from edge_runtime.sources.sim.options import parse_sim\n"
        "from edge_runtime.sources.sim.simulation import Simulation\n"
        f"simulation = Simulation(parse_sim('sim:{scene}?seed=5&density=2&weather=night-rain&size=320x180'))\n"
        "whole = hashlib.sha256()\n"
        "for number in range(12):\n"
        "    shot = simulation.shot(number / 4)\n"
        "    whole.update(shot.picture.tobytes())\n"
        "    whole.update(repr([(u.id, u.kind, u.x_m, u.y_m) for u in shot.moment.users]).encode())\n"
        "    whole.update(simulation.boxes(shot.moment).tobytes())\n"
        "print(whole.hexdigest())\n"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True, text=True, check=False, timeout=120
        )
        for seed in ("1", "4242")
    ]
    assert [each.returncode for each in done] == [0, 0], done[0].stderr
    assert done[0].stdout == done[1].stdout


# -- the daemon ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def paced() -> PacedStreet:
    source = make_source(SourceSpec(name="street", url=SMALL, fps=10))
    assert isinstance(source, PacedStreet)
    return source


def take(source: PacedStreet, count: int) -> list[Frame]:
    frames: list[Frame] = []
    deadline = time.monotonic() + 30
    while len(frames) < count:
        assert time.monotonic() < deadline
        frame = source.read(0.25)
        if frame is not None:
            frames.append(frame)
    return frames


def test_paced_street_is_drawn_when_it_is_due(paced: PacedStreet) -> None:
    paced.open()
    frames = take(paced, 5)
    assert time.monotonic_ns() >= frames[-1].stamp.mono_ns, "never early"
    offsets = {frame.stamp.mono_ns - paced.start_ns for frame in frames}
    assert all(offset % 100_000_000 == 0 for offset in offsets)
    assert paced.child_pid is None
    paced.interrupt()


def test_paced_street_begins_when_it_can_be_seen(paced: PacedStreet) -> None:
    before_ns = time.monotonic_ns()
    paced.open()
    assert time.monotonic_ns() - paced.start_ns < 0.5 * (paced.start_ns - before_ns), "its time begins when everything is built"


def test_paced_street_that_is_read_late_leaves_out_what_nobody_waited_for(paced: PacedStreet) -> None:
    paced.open()
    first = take(paced, 1)[0]
    time.sleep(0.55)
    late = paced.read(0)
    assert late is not None
    assert late.stamp.mono_ns - first.stamp.mono_ns >= 400_000_000, "time went on"
    assert late.stamp.seq - first.stamp.seq == (late.stamp.mono_ns - first.stamp.mono_ns) // 100_000_000, "gaps count"
    stats = paced.stats()
    assert stats.dropped == late.stamp.seq - first.stamp.seq - 1
    assert stats.selected == 2 + stats.dropped + 1, "given, dropped, and the one that waits for its turn"
    assert stats.decoded >= 3 * (stats.selected - 1)


def test_paced_street_waits_for_a_process_that_was_stopped(paced: PacedStreet, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = [time.monotonic_ns()]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now_ns.__setitem__(0, now_ns[0] + round(seconds * 1e9)))
    paced.open()
    before = paced.read(1)
    now_ns[0] += 3600 * 10**9  # the container was paused for an hour
    after = paced.read(1)
    assert before is not None
    assert after is not None
    assert paced.stats().dropped == 0
    assert after.stamp.mono_ns == now_ns[0], "it is now, and the street goes on where it was"
    assert paced.stats().selected == 3


def test_paced_street_stamps_follow_a_wall_clock_that_is_set(paced: PacedStreet, monkeypatch: pytest.MonkeyPatch) -> None:
    hour_ns, wall_ns = 3600 * 10**9, time.time_ns
    paced.open()
    before = take(paced, 1)[0].stamp
    assert before.wall_ns - before.mono_ns == pytest.approx(time.time_ns() - time.monotonic_ns(), abs=1e9)
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + hour_ns)
    after = take(paced, 1)[0].stamp
    assert (after.wall_ns - after.mono_ns) - (before.wall_ns - before.mono_ns) == pytest.approx(hour_ns, abs=1e9)


# -- truth -----------------------------------------------------------------------------------------------------------------------


def test_street_is_truthful_only_when_somebody_asked() -> None:
    source = footage(seconds=0.2)
    assert isinstance(source, Truthful)
    all_frames(source)
    assert source.truth is None


def test_each_frame_that_is_given_is_told_with_what_it_shows() -> None:
    told: list[TrueFrame] = []
    source = make_footage(SourceSpec(name="street", url=f"{SMALL}&seconds=1", fps=10))
    assert isinstance(source, SimFootage)
    source.judge((), (), told=told.append)
    assert source.truth is None
    source.open()
    frames = all_frames(source)
    assert [(frame.seq, frame.media_ns) for frame in told] == [(frame.stamp.seq, frame.stamp.mono_ns) for frame in frames]
    for frame in told:
        count = len(frame.id)
        assert count > 3
        assert len(set(frame.id.tolist())) == count
        assert len(frame.label) == count
        assert frame.xyxy.shape == (count, 4)
        assert frame.visibility.shape == (count,)
        assert ((frame.visibility >= 0) & (frame.visibility <= 1)).all()
        assert (frame.visibility > 0.5).any(), "somebody is in full view"
        assert frame.size == Size(320, 180)


def test_a_street_knows_who_crossed_the_lines_that_it_was_asked_about() -> None:
    lines = (
        LineOptions(name="mine", points=((0.0, 0.5), (1.0, 0.5))),
        LineOptions(name="mine-too", points=((0, 90), (320, 90)), units="px", size=(320, 180)),
    )
    source = make_footage(SourceSpec(name="street", url=f"{SMALL}&seconds=20", fps=1))
    assert isinstance(source, SimFootage)
    source.judge(lines, ())
    assert source.rules == (lines, ())
    source.open()
    all_frames(source)
    assert source.truth is not None
    crossings = [(each.direction, each.id, each.time_s) for each in source.truth.crossings if each.line == "mine"]
    again = [(each.direction, each.id, each.time_s) for each in source.truth.crossings if each.line == "mine-too"]
    assert crossings == again, "pixels and fractions are the same place"
    assert len(crossings) >= 3
    assert source.truth.counts


def test_a_street_without_lines_of_the_camera_judges_by_those_of_its_scene() -> None:
    source = make_footage(SourceSpec(name="street", url=f"{SMALL}&seconds=20", fps=1))
    assert isinstance(source, SimFootage)
    source.judge((), ())
    names = [line.name for line in SCENES["junction"].lines]
    assert [line.name for line in source.rules[0]] == names
    source.open()
    all_frames(source)
    assert source.truth is not None
    assert source.truth.crossings, "twenty seconds of dense traffic cross something"
    assert {each.line for each in source.truth.crossings} <= set(names)
