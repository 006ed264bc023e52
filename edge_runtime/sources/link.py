"""The daemon's hold on one capture child: start it, hear from it, end it within a bound whatever state it is in."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from edge_runtime.sources.post import Letter, close_fd, receive, send
from edge_runtime.sources.spec import SourceSpec

_GOODBYE_S = 1.2
_KILL_S = 0.8
_LAST_WORDS = 2048


class ChildEnded(Exception):
    """The child is gone; the text says how it ended and what it said last."""


class Link:
    """One running child: its process, its letters, its standard error. Not thread-safe."""

    def __init__(self, spec: SourceSpec) -> None:
        """Starts the child and hands it the spec through its standard input."""
        self._spec = spec
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock = ours
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "edge_runtime.sources.child", str(theirs.fileno())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # a group of its own: what it starts dies with it, and Ctrl-C is the daemon's business
                    env=_environment(),
                )
        except BaseException:
            ours.close()
            raise
        assert self.process.stdin is not None and self.process.stderr is not None
        self._stdin = self.process.stdin
        self._stderr = self.process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._last_words = b""
        with suppress(BrokenPipeError):  # it died at once: `receive` says how
            self._stdin.write(spec.to_json().encode() + b"\n")
            self._stdin.flush()

    def send(self, kind: str, **fields: object) -> None:
        """One letter. Harmless when the child is gone or takes none: the watchdog sees to that."""
        with suppress(BlockingIOError, ConnectionError):
            send(self._sock, kind, **fields)

    def receive(self, timeout: float) -> tuple[Letter, int | None] | None:
        """The next letter and a descriptor that came with it; None when none came in time. Raises ChildEnded."""
        deadline = time.monotonic() + timeout
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            streams = [self._sock.fileno()] + ([] if self._stderr.closed else [self._stderr.fileno()])
            ready, _, _ = select.select(streams, [], [], left_s)
            if self._sock.fileno() in ready:
                received = receive(self._sock)
                if received is None:
                    raise ChildEnded(self._epitaph())
                return received
            if ready:
                self._listen()
            elif time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Let the child say goodbye to its camera, then end it. At most 2 s."""
        with suppress(OSError):  # it may be gone
            self._sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _GOODBYE_S
            while (left_s := deadline - time.monotonic()) > 0 and (received := self._receive_or_end(left_s)) is not None:
                close_fd(received[1])
        self.kill()

    def _receive_or_end(self, timeout: float) -> tuple[Letter, int | None] | None:
        """As `receive`, with None also for the end."""
        try:
            return self.receive(timeout)
        except ChildEnded:
            return None

    def kill(self) -> None:
        """End it now, and what it started. Reaps it."""
        self._sock.close()
        if self.process.returncode is None:  # not reaped: the id is still its own, also where it has died by itself
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):  # in the kernel, on a dead device: it is reaped when it comes back
            self.process.wait(_KILL_S)
        self._stderr.close()

    def _listen(self) -> None:
        words = self._stderr.read()
        if words == b"":
            self._stderr.close()
        elif words:
            self._last_words = (self._last_words + words)[-_LAST_WORDS:]

    def _epitaph(self) -> str:
        ended = self._ended()
        if ended is None:
            return "the capture process closed its socket"
        if not self._stderr.closed:
            self._listen()
        how = f"ended with status {ended.si_status}" if ended.si_code == os.CLD_EXITED else f"was killed by {_signal_name(ended.si_status)}"
        lines = self._last_words.decode(errors="replace").strip().splitlines()
        return f"the capture process {how}" + (f": {self._spec.clean(lines[-1])}" if lines else "")

    def _ended(self) -> os.waitid_result | None:
        """How it ended, without reaping it: its group may still have members, which only its id can reach."""
        deadline = time.monotonic() + _KILL_S
        while time.monotonic() < deadline:
            ended = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                return ended
            time.sleep(0.01)
        return None


def _environment() -> dict[str, str]:
    """The daemon's, and what keeps the child small: one decoding thread needs no arenas and no BLAS threads."""
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
