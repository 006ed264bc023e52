"""The real daemon in a process of its own, as a technician starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

import psutil

READY_LIMIT_S = 90.0  # a cold kernel cache on a busy machine


class DaemonProcess:
    """`edge-runtime --config F`; what it says is kept. Ended, children included, when the context ends.

    `inside`: words that a command must begin with to run in a place of its own (see peers/namespace.py).
    """

    def __init__(self, config: Path, *more: str, env: dict[str, str] | None = None, inside: Sequence[str] = ()) -> None:
        self.config = config
        self.log: list[str] = []
        self.ready_line = ""
        self._more = more
        self._inside = tuple(inside)
        self._env = {**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})}
        self._process: subprocess.Popen[str] | None = None
        self._listeners: list[threading.Thread] = []

    def __enter__(self) -> DaemonProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            print("\n".join(["-- what the daemon said:", self.ready_line, *self.log[-60:]]))
        self.kill()

    def start(self) -> None:
        """Start and wait for the readiness line."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start, and wait for nothing."""
        self.ready_line = ""
        command = [*self._inside, sys.executable, "-W", "error", "-m", "edge_runtime", "--config", str(self.config), *self._more]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._env)
        for stream in (self._process.stderr, self._process.stdout):
            assert stream is not None
            listener = threading.Thread(target=self._listen, args=(stream,), daemon=True)
            listener.start()
            self._listeners.append(listener)

    def await_ready(self) -> None:
        """Until the readiness line came. Fails when the daemon ended before it."""
        assert self._process is not None
        end = time.monotonic() + READY_LIMIT_S
        while not self.ready_line:
            if self._process.poll() is not None or time.monotonic() > end:
                self._show_where()
                self.kill()
                raise AssertionError("the daemon did not become ready:\n" + "\n".join(self.log))
            time.sleep(0.02)

    def _show_where(self) -> None:
        """Where its threads stand, if they stand: Python writes that to its log (PYTHONFAULTHANDLER) before it ends."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)

    def _listen(self, stream: TextIO) -> None:
        with stream:
            for line in stream:
                if line.startswith("ready:"):
                    self.ready_line = line.rstrip()
                else:
                    self.log.append(line.rstrip())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Its live descendants (capture children)."""
        return psutil.Process(self.pid).children(recursive=True)

    def freeze(self, frozen: bool) -> None:
        """It is there and does nothing, as a paused container."""
        self.send(signal.SIGSTOP if frozen else signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self, limit_s: float = 20.0) -> int:
        """SIGTERM, and the exit status."""
        assert self._process is not None
        self.send(signal.SIGTERM)
        return self._process.wait(limit_s)

    def kill(self) -> None:
        """SIGKILL; its children must end by themselves."""
        if self._process is None:
            return
        children: list[psutil.Process] = []
        if self._process.poll() is None:
            children = self.children()
            self._process.kill()
        self._process.wait(10)
        for listener in self._listeners:
            listener.join(10)
        self._listeners.clear()
        left = psutil.wait_procs(children, timeout=10)[1]
        for child in left:
            child.kill()
        assert not left, f"children outlived the daemon: {left}"

    def said(self, words: str) -> bool:
        return any(words in line for line in self.log)


def write_config(folder: Path, *, broker_url: str, bundle: Path, cameras: Sequence[str], more: str = "") -> Path:
    """A device.toml with one model, "street", and the given [[camera]] tables."""
    text = f"""
[device]
site = "test"
node = "box"
health = "1s"

[mqtt]
url = "{broker_url}"

[spool]
path = "{folder / "spool.db"}"

[[model]]
name = "street"
bundle = "{bundle}"
{more}
"""
    path = folder / "device.toml"
    path.write_text(text + "\n".join(cameras))
    return path
