"""`edge-runtime demo` from the outside: whoever watches its broker sees what its summary says, and it ends well whenever it is told to."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import listens, until

pytestmark = pytest.mark.system

SIMULATED = "SIMULATED STREET: nothing here was filmed"


class Demonstration:
    """The verb in a process of its own, in a scratch folder of its own; its lines are kept."""

    def __init__(self, scratch: Path, *words: str | Path) -> None:
        self.scratch = scratch
        scratch.mkdir()
        command = [sys.executable, "-W", "error", "-m", "edge_runtime", "demo", *map(str, words)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(scratch)}
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [self._reader(self.process.stdout, self.out), self._reader(self.process.stderr, self.err)]

    def _reader(self, stream: Any, kept: list[str]) -> threading.Thread:
        thread = threading.Thread(target=lambda: kept.extend(line.rstrip() for line in iter(stream.readline, "")), daemon=True)
        thread.start()
        return thread

    def wait_for(self, words: str, where: list[str], limit_s: float = 60) -> re.Match[str]:
        """The first line that matches."""
        end_s = time.monotonic() + limit_s
        while True:
            for line in list(where):
                if match := re.search(words, line):
                    return match
            assert self.process.poll() is None and time.monotonic() < end_s, f"{words!r} is not in {self.out}, stderr {self.err}"
            time.sleep(0.05)

    def ended(self, limit_s: float = 60) -> int:
        """Its status; everything that it said has been read then."""
        status = self.process.wait(limit_s)
        for reader in self._readers:
            reader.join(10)
        return status

    def __enter__(self) -> Demonstration:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.material
def test_stock_subscriber_hears_what_the_summary_counts(tmp_path: Path, busy_road: Path, bundle_folder: Path) -> None:
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
    with Demonstration(tmp_path / "scratch", "--camera", busy_road, "--model", bundle_folder, "--frames", "100", "--json") as demo:
        port = demo.wait_for(r"mosquitto_sub -h 127\.0\.0\.1 -p (\d+) -t 'edge/v1/#' -v", demo.err)[1]
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", "edge/v1/#", "-v", "-q", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            assert demo.ended() == 0, demo.err
            subscriber.terminate()
            assert subscriber.stdout is not None
            heard = [line.split(" ", 1) for line in subscriber.stdout.read().splitlines()]
    told = json.loads(demo.out[0])
    crossings = [json.loads(body) for topic, body in heard if topic == "edge/v1/demo/street/obs/own/crossing"]
    assert told["counted"] > 5
    assert told["frames"] + told["dropped"] == 100
    assert told["windows_agree"]
    assert len({crossing["id"] for crossing in crossings}) == told["counted"]
    for row in told["lines"]:
        ours = [crossing["data"]["class"] for crossing in crossings if crossing["data"]["dir"] == row["dir"]]
        assert {label: ours.count(label) for label in set(ours)} == row["counted"]
    assert ["edge/v1/demo/street/status", "offline"] in heard, "it says goodbye"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_told_to_end_it_drains_sums_up_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with Demonstration(tmp_path / "scratch", "--headless") as demo:
        port = int(demo.wait_for(r"-p (\d+) -t", demo.out)[1])
        demo.wait_for(r"of 10 frames/s", demo.out)
        assert listens(port)
        assert any(demo.scratch.iterdir()), "its folder is somewhere else: then this test proves nothing"
        demo.process.send_signal(number)
        assert demo.ended(20) == 0, demo.err
    shown = "\n".join(demo.out)
    assert demo.err == []
    assert shown.count(SIMULATED) == 2
    assert re.search(r"counted \d+, true \d+", shown)
    assert "all acknowledged" in shown
    assert "What to type next" in shown
    assert list(demo.scratch.iterdir()) == []
    assert not listens(port)


def test_street_is_counted_about_as_it_was(tmp_path: Path) -> None:
    """Half of it wrong would be no demo; how well the model counts is the business of its own tests."""
    with Demonstration(tmp_path / "scratch", "--seconds", "20", "--json") as demo:
        assert demo.ended(120) == 0, demo.err
    told = json.loads(demo.out[0])
    assert told["simulated"] and told["source"].startswith("sim:junction?seed=1")
    assert told["true"] >= 5
    assert told["error"] < 0.5, told
    assert told["windows_agree"] and told["clean"] and told["spool"] == 0
    assert told["frames"] > 0.5 * (told["frames"] + told["dropped"])
    assert {row["line"] for row in told["groups"]} <= {row["line"] for row in told["lines"]}
    assert sum(row["counted"] for row in told["groups"]) == told["counted"]
    assert sum(row["true"] for row in told["groups"]) == told["true"]


def test_told_to_end_before_it_runs_it_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    with Demonstration(tmp_path / "scratch", "--camera", "rtsp://192.0.2.1/stream1", "--headless") as demo:  # an address where nobody answers
        until(lambda: list(demo.scratch.iterdir()), 30, "it has not begun")
        demo.process.send_signal(signal.SIGTERM)
        assert demo.ended(10) == 130
    assert list(demo.scratch.iterdir()) == []
    assert demo.err == []


@pytest.mark.parametrize("columns", [80, 120])
def test_terminal_shows_a_table_that_fits(tmp_path: Path, columns: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-W", "error", "-m", "edge_runtime", "demo", "--seconds", "600"]
    shown = bytearray()
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}  # xdist has its own terminal
    environment |= {"TERM": "xterm", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read_all, args=(ours, shown), daemon=True)
        reader.start()
        try:
            until(lambda: b"of 10 frames/s" in shown, 90, "no table")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            reader.join(10)
        finally:
            process.kill()
            os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert text.count(SIMULATED) > 2, "it is drawn again and again"
    assert "counted/true" in text
    assert ("motorcycle" if columns == 120 else "moto ") in text
    table, _, _ = text.rpartition("What to type next")
    rows = [line for line in table.replace("\r", "\n").split("\n") if re.match(r" ?\S+ +(east|west|south|north)bound ", line)]
    assert rows and all(len(line.rstrip()) <= columns and "…" not in line for line in rows)


def _read_all(number: int, into: bytearray) -> None:
    while True:
        try:
            data = os.read(number, 65536)
        except OSError:  # the other side is closed
            return
        if not data:
            return
        into += data
