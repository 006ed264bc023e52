"""An isolated source in front of a camera that dies, freezes, changes or refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.errors import Disconnected, SourceError, Unsupported
from edge_runtime.options import Secret
from edge_runtime.sources.isolated import IsolatedSource
from tests.peers.rtsp import RtspServer, missing
from tests.sources.clips import make_clip, number_of
from tests.sources.observing import failure_of, frames_of, opened, reconnected, spec

pytestmark = pytest.mark.system


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


@pytest.mark.parametrize(
    ("device", "kind", "why"),
    [
        ("/dev/no-such-video", Disconnected, "No such file or directory: is the device plugged in"),
        ("/dev/null", Disconnected, "expected a video device, found another one; check the path"),
        ("/dev", Unsupported, "expected a device, found a folder; check the path"),
    ],
)
def test_video_device_that_is_none_is_named(device: str, kind: type[SourceError], why: str) -> None:
    with pytest.raises(kind, match=f"v4l2:{device}: .*{why}"):
        IsolatedSource(spec(f"v4l2:{device}")).open()
