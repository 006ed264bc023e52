"""The child's courier, at the end of a real socket pair."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge_runtime.sources import child
from edge_runtime.sources.child import Courier
from edge_runtime.sources.post import Letter, close_fd, receive, send, stats_from_wire
from edge_runtime.sources.slots import SlotReader
from edge_runtime.sources.spec import SourceStats, StreamInfo
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp


class Still:
    """A source that the test speaks for."""

    waiting = False

    def open(self) -> None: ...

    def read(self, timeout: float) -> Frame | None:
        return None

    def close(self) -> None: ...

    def stats(self) -> SourceStats:
        return SourceStats(decoded=9, selected=8, dropped=1, corrupt=2, behind=3, stream_fps=25.0)

    def describe(self) -> StreamInfo | None:
        return None


class Far:
    """The daemon's end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.memory: SlotReader | None = None

    def hear(self, kind: str, within_s: float = 2) -> Letter | None:
        """The next letter of this kind; others are taken and forgotten."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                received = receive(self.sock)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            assert received is not None
            letter, fd = received
            if letter["kind"] == "memory":
                assert fd is not None
                self.memory = SlotReader(fd, letter["slot_bytes"], letter["slots"])
            else:
                close_fd(fd)
            if letter["kind"] == kind:
                return letter
        return None


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Courier, Far, Still]]:
    monkeypatch.setattr(child, "BEAT_S", 0.05)
    monkeypatch.setattr(child, "HUNG_S", 0.3)
    monkeypatch.setattr(child, "_GOODBYE_S", 0.0)
    monkeypatch.setattr(child.os, "_exit", lambda code: None)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    source = Still()
    courier = Courier(theirs, source)
    thread = threading.Thread(target=courier.run)
    thread.start()
    yield courier, Far(ours), source
    ours.close()
    thread.join(5)
    assert not thread.is_alive()
    assert courier.leaving.is_set(), "the end of the socket was not noticed"
    theirs.close()


def frame(seq: int, value: int = 0, size: tuple[int, int] = (8, 6)) -> Frame:
    plane = np.full(size[::-1], value, np.uint8)
    return Frame(Stamp("s", seq, seq, seq), (plane,), PixelFormat.GRAY8, ColorSpec(), Size(*size))


def test_beats_come_while_wanted_and_the_main_thread_turns(ends: tuple[Courier, Far, Still]) -> None:
    courier, far, source = ends
    assert far.hear("beat", 0.3) is None, "nobody asked"
    courier.turned()
    send(far.sock, "want", n=1)
    letter = far.hear("beat")
    assert letter is not None
    assert stats_from_wire(letter["stats"]) == source.stats()
    while far.hear("beat", 0.6) is not None:  # the main thread hangs: they cease
        pass
    courier.turned()
    assert far.hear("beat") is not None
    source.waiting = True  # for the camera: that is no hanging
    time.sleep(0.5)
    while far.hear("beat", 0.02) is not None:
        pass
    assert far.hear("beat") is not None
    assert far.hear("beat") is not None


def test_newest_frame_answers_the_next_want_and_older_ones_are_counted(ends: tuple[Courier, Far, Still]) -> None:
    courier, far, _ = ends
    for seq in range(4):
        courier.offer(frame(seq, seq))
    assert far.hear("frame", 0.2) is None, "nobody asked"
    send(far.sock, "want", n=7)
    letter = far.hear("frame")
    assert letter is not None
    assert (letter["n"], letter["stamp"][0], letter["slot"]) == (7, 3, 0)
    assert stats_from_wire(letter["stats"]).dropped == 3 + 1
    assert far.memory is not None
    got = far.memory.frame(0, Stamp("s", 3, 3, 3), PixelFormat.GRAY8, ColorSpec(), Size(8, 6), 0)
    assert (got.planes[0] == 3).all()
    courier.offer(frame(4))
    assert far.hear("frame", 0.2) is None, "one want, one frame"


def test_want_that_was_taken_back_is_not_answered(ends: tuple[Courier, Far, Still]) -> None:
    courier, far, _ = ends
    send(far.sock, "want", n=1)
    send(far.sock, "enough", n=2)
    time.sleep(0.1)
    courier.offer(frame(0))
    assert far.hear("frame", 0.2) is None
    send(far.sock, "want", n=3)
    letter = far.hear("frame")
    assert letter is not None
    assert letter["n"] == 3


def test_larger_pictures_get_larger_memory_and_the_waiting_one_is_counted(ends: tuple[Courier, Far, Still]) -> None:
    courier, far, _ = ends
    courier.offer(frame(0, 5))
    courier.offer(frame(1, 6, (800, 600)))
    send(far.sock, "want", n=1)
    letter = far.hear("frame")
    assert letter is not None
    assert letter["size"] == [800, 600]
    assert stats_from_wire(letter["stats"]).dropped == 1 + 1
    assert far.memory is not None
    got = far.memory.frame(letter["slot"], Stamp("s", 1, 1, 1), PixelFormat.GRAY8, ColorSpec(), Size(800, 600), 0)
    assert (got.planes[0] == 6).all()


def test_daemon_that_takes_no_letters_loses_no_slot(ends: tuple[Courier, Far, Still]) -> None:
    courier, far, _ = ends
    courier.offer(frame(0))
    sock = courier._sock
    while True:  # a stopped daemon: its queue is full
        try:
            send(sock, "beat", stats=[0, 0, 0, 0, 0, None])
        except BlockingIOError:
            break
    send(far.sock, "want", n=1)
    time.sleep(0.2)
    courier.offer(frame(1))  # must not fail
    letter = far.hear("frame", 1)  # taking letters makes room
    if letter is None:
        courier.offer(frame(2))
        letter = far.hear("frame", 5)
    assert letter is not None
    assert letter["slot"] == 0, "a slot was given away with a letter that was never sent"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("edge_runtime.sources", "av cv2 numba onnxruntime rich"),
        ("edge_runtime.sources.isolated", "av cv2 numba onnxruntime rich"),
        ("edge_runtime.sources.child", "av cv2 numba onnxruntime rich edge_runtime.config edge_runtime.runtime"),
        ("edge_runtime.sources.camera, av", "cv2 numba onnxruntime rich"),
    ],
)
def test_imports_stay_light(module: str, absent: str) -> None:
    script = f"import {module}, sys; print(*[name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
