"""The capture child and its faults, injected for real: killed, stopped, starved, or left alone by its daemon."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected
from edge_runtime.options import Secret
from edge_runtime.sources.isolated import IsolatedSource
from tests.peers.rtsp import RtspServer
from tests.sources.clips import number_of
from tests.sources.observing import alive, eventually, failure_of, fds, frames_of, opened, spec

pytestmark = pytest.mark.system


# -- frames --------------------------------------------------------------------------------------------------------------------


def test_frames_arrive_whole_in_order_and_read_only(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        numbers, stamps = [], []
        for _ in range(45):
            frame = source.read(2)
            assert frame is not None
            numbers.append(number_of(frame.planes[0]))
            stamps.append(frame.stamp)
            assert not any(plane.flags.writeable for plane in frame.planes)
            assert frame.lease is not None
            frame.release()
        steps = np.diff(numbers) % 120
        seqs = np.diff([stamp.seq for stamp in stamps])
        assert np.array_equal(steps, seqs), "a picture and its number do not belong together"
        assert all(seqs > 0)
        assert all(np.diff([stamp.mono_ns for stamp in stamps]) > 0)
        assert 0 < time.monotonic_ns() - stamps[-1].mono_ns < 5e9
        assert 0 < time.time_ns() - stamps[-1].wall_ns < 5e9
        info = source.describe()
        assert info is not None
        assert (info.codec, info.size) == ("h264", (320, 240))


def test_fps_selects_in_the_child(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"), fps=10)) as source:
        frames = frames_of(source, 15)
        steps_ms = np.diff([frame.stamp.mono_ns for frame in frames]) / 1e6
        assert abs(np.median(steps_ms) - 100) < 5
        stats = source.stats()
        assert stats.selected < stats.decoded / 2
        assert stats.stream_fps == pytest.approx(30, rel=0.05)


def test_latest_wins_and_every_lost_frame_is_counted(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        first = frames_of(source, 1)[0]
        time.sleep(1.5)  # nobody reads
        frame = source.read(1)
        assert frame is not None
        assert frame.stamp.seq - first.stamp.seq > 20, "an old frame was given"
        assert time.monotonic_ns() - frame.stamp.mono_ns < 1e9
        frame.release()
        more = frames_of(source, 5)
        stats = source.stats()
        given = 2 + len(more)
        assert stats.dropped > 20
        assert 0 <= stats.selected - stats.dropped - given <= 1, "one may wait for the next read"


def test_frames_held_are_not_overwritten_and_the_stream_goes_on(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        held = [frame for _ in range(4) if (frame := source.read(2)) is not None]
        before = [(number_of(frame.planes[0]), frame.planes[0].copy()) for frame in held]
        assert len(held) == 4
        frames_of(source, 10)
        last = source.read(2)
        assert last is not None  # the fifth slot
        assert eventually(lambda: source.read(0.05) is None, 3), "there is no slot left to give"
        dropped = source.stats().dropped
        time.sleep(0.6)
        assert source.read(0.2) is None
        assert eventually(lambda: source.read(0.6) is None and source.stats().dropped > dropped, 5)
        assert all(
            number_of(frame.planes[0]) == number and np.array_equal(frame.planes[0], luma) for frame, (number, luma) in zip(held, before, strict=True)
        )
        held[0].release()
        assert frames_of(source, 3)


def test_frames_stay_readable_after_the_child_is_gone(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        frame = source.read(2)
        assert frame is not None
        luma = frame.planes[0].copy()
        assert source.child_pid is not None
        os.kill(source.child_pid, signal.SIGKILL)
        failure_of(source)
        source.close()
        gc.collect()
        assert np.array_equal(frame.planes[0], luma)
        frame.release()


# -- the child -----------------------------------------------------------------------------------------------------------------


def test_killed_child_is_told_at_once_and_can_be_replaced(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        frames_of(source, 2)
        before = source.stats()
        assert source.child_pid is not None
        os.kill(source.child_pid, signal.SIGKILL)
        began = time.monotonic()
        error = failure_of(source)
        assert time.monotonic() - began < 1.5
        assert isinstance(error, Disconnected)
        assert "SIGKILL" in str(error)
        assert source.child_pid is None
        source.open()
        assert frames_of(source, 1)[0].stamp.seq < 10, "seq begins anew"
        after = source.stats()
        assert after.decoded > before.decoded
        assert after.selected > before.selected


def test_stopped_child_is_noticed_by_its_missing_beat_and_killed(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"), stall_s=4)) as source:
        frames_of(source, 2)
        pid = source.child_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        error = failure_of(source)
        assert isinstance(error, Disconnected)
        assert "hangs" in str(error)
        assert not alive(pid)


def test_child_ends_when_the_daemon_is_killed(camera: RtspServer) -> None:
    script = f"""
        import sys, time
        from edge_runtime.sources import SourceSpec, make_source
        source = make_source(SourceSpec(name="cam", url={camera.url("/street")!r}))
        source.open()
        assert source.read(5) is not None
        print(source.child_pid, flush=True)
        time.sleep(60)
    """
    daemon = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    child = int(daemon.stdout.readline())
    assert alive(child)
    daemon.kill()
    daemon.wait(5)
    daemon.stdout.close()
    assert eventually(lambda: not alive(child), 3)


def started_by(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


SILENT = "gst:videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=1/10"


@pytest.mark.parametrize("victim", ["child", "daemon"])
def test_pipeline_of_a_killed_process_does_not_live_on(camera: RtspServer, victim: str) -> None:
    script = f"""
        import sys, time
        from edge_runtime.errors import SourceError
        from edge_runtime.sources import SourceSpec, make_source
        source = make_source(SourceSpec(name="cam", url={SILENT!r}))
        source.open()
        print(source.child_pid, flush=True)
        while True:
            source.read(1)
    """
    daemon = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert daemon.stdout is not None
    child = int(daemon.stdout.readline())
    pipelines = started_by(child)
    assert len(pipelines) == 1
    assert b"gst-launch" in Path(f"/proc/{pipelines[0]}/cmdline").read_bytes()
    os.kill(child if victim == "child" else daemon.pid, signal.SIGKILL)
    assert eventually(lambda: not alive(pipelines[0]) and not alive(child), 5)
    daemon.kill()
    daemon.wait(5)
    daemon.stdout.close()


def test_child_ends_with_its_pipe_even_while_its_interpreter_hangs() -> None:
    script = """
        import re
        from edge_runtime.sources.child import die_with_pipe
        die_with_pipe(0)
        print("armed", flush=True)
        re.match("(a+)+$", "a" * 60 + "b")  # for years, with the interpreter's lock held
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "armed\n"
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.stdin.close()
    assert child.wait(3) == -signal.SIGIO
    child.stdout.close()


def test_close_says_goodbye_is_bounded_and_idempotent(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        frames_of(source, 2)
        pid = source.child_pid
        assert pid is not None
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 2
        assert not alive(pid)
        assert not Path(f"/proc/{pid}").exists(), "a zombie is left"
        source.close()
        with pytest.raises(Disconnected, match="not open"):
            source.read(0.1)


def test_close_of_a_stopped_child_is_bounded(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        pid = source.child_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 2.5
        assert not Path(f"/proc/{pid}").exists()


def test_twenty_reopenings_leak_no_descriptor_and_no_process(camera: RtspServer) -> None:
    source = IsolatedSource(spec("gst:videotestsrc is-live=true ! video/x-raw,width=64,height=48"))
    source.open()
    frames_of(source, 1)
    source.close()
    before = fds()
    pids = []
    for _ in range(20):
        source.open()
        pids.append(source.child_pid)
        frames_of(source, 1)
        source.close()
    assert fds() <= before
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_failed_openings_leak_no_descriptor() -> None:
    source = IsolatedSource(spec("gst:nosuchelement"))
    for index in range(4):
        with pytest.raises(Disconnected, match="nosuchelement"):
            source.open()
        if index == 0:
            before = fds()
    assert fds() <= before


def test_daemon_that_did_not_read_for_long_blames_nobody(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"), stall_s=1)) as source:
        frames_of(source, 2)
        time.sleep(3)
        assert frames_of(source, 3)


def test_spec_is_seen_neither_in_arguments_nor_in_the_environment(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"), username="viewer", password=Secret("s3cret-word"))) as source:
        for name in ("cmdline", "environ"):
            assert b"s3cret-word" not in Path(f"/proc/{source.child_pid}/{name}").read_bytes()


def test_child_stays_light(camera: RtspServer) -> None:
    with opened(spec(camera.url("/street"))) as source:
        frames_of(source, 5)
        mapped = Path(f"/proc/{source.child_pid}/maps").read_text()
        for heavy in ("onnxruntime", "llvmlite", "numba", "cv2"):
            assert heavy not in mapped, f"the child loaded {heavy}"
        assert "libavcodec" in mapped, "the look at maps would have missed anything"
        status = Path(f"/proc/{source.child_pid}/status").read_text()
        threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
        assert threads == 2
