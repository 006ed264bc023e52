"""Who keeps the clock right: the kernel's word through the real call, timesyncd's file, chrony's answers byte for byte."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.discipline import FRESH_S, Discipline, DisciplineReader, chrony_synchronised
from tests.peers.broker import free_port
from tests.peers.wallclock import WallClock

# What chronyd 4.3 answered to "tracking", synchronised to its local reference; the sequence number is at 16, the leap status at 54.
ANSWER = bytes.fromhex(
    "060200000021000500000000000000001234567800000000000000007f7f01010000000000000000000000000000000000000000000a0000"
    "000000006b065bbb26b82988000000000000000000000000000000000000000000000000000000000000000000000000"
)
READ = """
import sys
from pathlib import Path
from edge_runtime.discipline import DisciplineReader
print(DisciplineReader(Path(sys.argv[1]), Path(sys.argv[2])).read())
"""


def echoing(request: bytes, leap: int = 0) -> bytes:
    """The answer to this request."""
    return ANSWER[:16] + request[8:12] + ANSWER[20:54] + leap.to_bytes(2, "big") + ANSWER[56:]


@contextmanager
def chronyd(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answers each request in this way; the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(0.1)
        stopping = threading.Event()

        def serve() -> None:
            while not stopping.is_set():
                try:
                    request, client = peer.recvfrom(512)
                except TimeoutError:
                    continue
                peer.sendto(answer(request), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(peer.getsockname()[1])
        finally:
            stopping.set()
            thread.join()


def test_chrony_that_is_synchronised_is_believed() -> None:
    with chronyd(echoing) as port:
        assert chrony_synchronised(port)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: echoing(request, leap=3),
        lambda request: ANSWER,  # to another question
        lambda request: echoing(request)[:80],
        lambda request: b"",
        lambda request: bytes([5]) + echoing(request)[1:],
        lambda request: echoing(request)[:8] + b"\0\1" + echoing(request)[10:],
    ],
    ids=["unsynchronised", "another sequence", "short", "empty", "another version", "refused"],
)
def test_chrony_that_says_anything_else_is_not(answer: Callable[[bytes], bytes]) -> None:
    with chronyd(answer) as port:
        assert not chrony_synchronised(port)


def test_chrony_is_asked_as_long_as_it_answers() -> None:
    """chronyd drops requests that are shorter than their answers."""
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return echoing(request)

    with chronyd(answer) as port:
        chrony_synchronised(port)
    assert [len(request) for request in requests] == [len(ANSWER)]
    assert requests[0][:6] == bytes([6, 1, 0, 0, 0, 33])


def test_nobody_at_chronys_port_is_no_error() -> None:
    assert not chrony_synchronised(free_port())


def without_kernel(reader: DisciplineReader) -> DisciplineReader:
    """As under ProtectClock=: adjtimex is refused."""
    reader._adjtimex = lambda timex: -1
    return reader


def test_read_of_chrony_without_the_kernels_word(tmp_path: Path) -> None:
    with chronyd(echoing) as port:
        assert without_kernel(DisciplineReader(tmp_path / "none", tmp_path, port)).read() == Discipline(True, True, "chrony")
        assert without_kernel(DisciplineReader(tmp_path / "none", tmp_path / "none", port)).read() == Discipline(), "it does not run here"


def test_read_of_timesyncd_alone_goes_by_the_age_of_its_file(tmp_path: Path) -> None:
    told = tmp_path / "synchronized"
    reader = without_kernel(DisciplineReader(told, tmp_path / "none"))
    assert reader.read() == Discipline()
    told.touch()
    assert reader.read() == Discipline(True, True, "timesyncd")
    old_s = time.time() - FRESH_S - 60
    os.utime(told, (old_s, old_s))
    assert reader.read() == Discipline(False, True, "timesyncd")


@pytest.mark.parametrize(
    ("synchronised", "before", "expected"),
    [
        (True, False, Discipline(True, True, "kernel", 0.025)),
        (True, True, Discipline(True, True, "timesyncd", 0.025)),
        (False, True, Discipline(False, True, "timesyncd", 16.0)),
        (False, False, Discipline()),
    ],
)
def test_read_of_the_kernels_word(tmp_path: Path, synchronised: bool, before: bool, expected: Discipline) -> None:
    """The call is the real one, through the C library; what answers it is a library of the test's own."""
    clock = WallClock(tmp_path / "clock")
    clock.synchronised(synchronised)
    if before:
        (tmp_path / "synchronized").touch()
    command = [sys.executable, "-c", READ, str(tmp_path / "synchronized"), str(tmp_path / "none")]
    done = subprocess.run(command, env={**os.environ, **clock.env}, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == repr(expected)


def test_read_here_agrees_with_the_kernel() -> None:
    """Whatever this machine's clock is: the flag that is read is where the kernel writes it."""
    found = DisciplineReader().read()
    if found.max_error_s is not None:
        assert 0 <= found.max_error_s <= 16.1
    assert found.synchronised <= found.before
