"""The capture child and its faults, injected for real: killed, stopped, starved, and a camera that dies, freezes, changes or refuses."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected, SourceError, Unsupported
from edge_runtime.options import Secret
from edge_runtime.sources import SourceSpec, make_source
from edge_runtime.sources.isolated import IsolatedSource
from edge_runtime.types import Frame
from tests.peers.rtsp import RtspServer, missing
from tests.sources.clips import make_clip, number_of

pytestmark = pytest.mark.system


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


# -- the camera ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fragile(street: Path) -> Iterator[RtspServer]:
    if missing():
        pytest.skip(missing())
    with RtspServer({"/street": street}) as server:
        yield server


def test_dead_server_disconnects_and_its_successor_is_found(fragile: RtspServer) -> None:
    with opened(spec(fragile.url("/street"))) as source:
        frames_of(source, 3)
        fragile.kill()
        assert isinstance(failure_of(source), Disconnected)
        with pytest.raises(Disconnected, match="nothing listens there"):
            source.open()
        fragile.start()
        reconnected(source)
        assert frames_of(source, 3)


def test_frozen_camera_is_told_from_a_hung_child(fragile: RtspServer) -> None:
    with opened(spec(fragile.url("/street"), stall_s=1.5)) as source:
        frames_of(source, 3)
        fragile.pause()
        began = time.monotonic()
        error = failure_of(source)
        assert 1 < time.monotonic() - began < 6
        assert isinstance(error, Disconnected)
        assert "no picture" in str(error) or "no answer" in str(error)
        assert "hangs" not in str(error)
        fragile.resume()
        reconnected(source)
        assert frames_of(source, 3)


def test_opening_a_frozen_camera_is_bounded(fragile: RtspServer) -> None:
    fragile.pause()
    source = IsolatedSource(spec(fragile.url("/street")))
    began = time.monotonic()
    with pytest.raises(Disconnected, match=r"no answer within 5 s|did not open within 8 s"):
        source.open()
    assert 4 < time.monotonic() - began < 22
    fragile.resume()


def test_new_resolution_after_a_restart(fragile: RtspServer, tmp_path: Path) -> None:
    larger = make_clip(tmp_path / "larger.mp4", size=(640, 480))
    with opened(spec(fragile.url("/street"))) as source:
        old = source.read(5)
        assert old is not None
        assert old.size == (320, 240)
        fragile.restart({"/street": larger})
        failure_of(source)
        reconnected(source)
        new = source.read(5)
        assert new is not None
        assert new.size == (640, 480)
        assert new.planes[0].shape == (480, 640)
        assert old.planes[0].shape == (240, 320)
        assert number_of(new.planes[0]) < 30
        for frame in (old, new):
            frame.release()


def test_resolution_change_within_a_stream_regrows_the_slots(tmp_path: Path) -> None:
    small, large = (make_clip(tmp_path / f"{height}.ts", size=(height * 4 // 3, height), fps=10, frames=20) for height in (120, 480))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    with _served(both) as url, opened(spec(url)) as source:
        sizes: list[tuple[int, int]] = []
        numbers = []
        with pytest.raises(Disconnected):
            while True:
                frame = source.read(1)
                if frame is not None:
                    sizes.append(tuple(frame.size))
                    numbers.append(number_of(frame.planes[0]))
                    assert frame.planes[1].shape == (frame.size.height // 2, frame.size.width // 2)
                    info = source.describe()
                    assert info is not None
                    assert info.size == frame.size
                    frame.release()
        assert [size for index, size in enumerate(sizes) if index == 0 or sizes[index - 1] != size] == [(160, 120), (640, 480), (160, 120)]
        assert all(number < 20 for number in numbers)


@contextmanager
def _served(clip: Path) -> Iterator[str]:
    """The file over TCP at the pace of a camera: 60 pictures in six seconds, sped up."""
    script = f"""
        import socket, time
        server = socket.create_server(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        peer, _ = server.accept()
        peer.recv(4096)
        peer.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Type: video/mp2t\\r\\n\\r\\n")
        data = open({str(clip)!r}, "rb").read()
        for offset in range(0, len(data), 188 * 8):
            peer.sendall(data[offset:offset + 188 * 8])
            time.sleep(3.0 * 188 * 8 / len(data))
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/"
    finally:
        server.kill()
        server.wait(5)
        server.stdout.close()


def test_counts_agree_with_the_server(fragile: RtspServer) -> None:
    with opened(spec(fragile.url("/street"), fps=10)) as source:
        frames_of(source, 5)
        decoded, sent = source.stats().decoded, fragile.sent("/street")
        frames_of(source, 20)
        decoded, sent = source.stats().decoded - decoded, fragile.sent("/street") - sent
        assert abs(decoded - sent) <= 4, "pictures on their way"


PASSWORD = "p@ss/w:rd ü?#%20"


def test_password_with_every_awkward_character_opens(street: Path) -> None:
    if missing():
        pytest.skip(missing())
    with RtspServer({"/street": street}, user="view er@x", password=PASSWORD) as server:
        with opened(spec(server.url("/street"), username="view er@x", password=Secret(PASSWORD))) as source:
            assert frames_of(source, 2)
        wrong = IsolatedSource(spec(server.url("/street"), username="view er@x", password=Secret("wr0ng-w0rd")))
        with pytest.raises(Unsupported, match="refuses username or password") as refusal:
            wrong.open()
        _shows_no_secret(refusal.value, "wr0ng-w0rd")
        in_url = f"rtsp://viewer:wr0ng-w0rd@127.0.0.1:{server.port}/street"
        with pytest.raises(Unsupported, match=r"rtsp://\*\*\*@127") as refusal:
            IsolatedSource(spec(in_url)).open()
        _shows_no_secret(refusal.value, "wr0ng-w0rd")


def test_wrong_path_and_closed_port_say_so_without_secrets(camera: RtspServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for url, why in (
            (f"rtsp://viewer:s3cret-word@127.0.0.1:{camera.port}/nowhere", "knows no such path"),
            (f"rtsp://viewer:s3cret-word@127.0.0.1:{port}/street", "nothing listens there"),
            (f"http://viewer:s3cret-word@127.0.0.1:{port}/x", "nothing listens there"),
            ("rtsp://viewer:s3cret-word@no-such-host.invalid/x", "no-such-host"),
        ):
            with pytest.raises(Disconnected, match=why) as refusal:
                IsolatedSource(spec(url, password=Secret("s3cret-word"))).open()
            _shows_no_secret(refusal.value, "s3cret-word")
            assert "***" in str(refusal.value)


def _shows_no_secret(error: BaseException, secret: str) -> None:
    seen: BaseException | None = error
    while seen is not None:
        assert secret not in str(seen)
        assert secret not in repr(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def test_missing_video_device_is_named() -> None:
    with pytest.raises(Disconnected, match=r"v4l2:/dev/no-such-video: .*is the device plugged in"):
        IsolatedSource(spec("v4l2:/dev/no-such-video")).open()
