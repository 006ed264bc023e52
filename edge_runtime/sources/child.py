"""The capture child: `python -m edge_runtime.sources.child SOCKET_FD`, started by IsolatedSource. Imports PyAV, never Numba or ONNX Runtime.

    main thread      open ─► read ─► read ─► …         the only one that touches the source
    courier thread   letters from the daemon, frames and beats to it

A beat means that the main thread turned, or waits for the far end. A decoder that hangs stops the beats although the courier lives.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import sys
import threading
import time
from dataclasses import dataclass, replace

from edge_runtime.errors import SourceError, Unsupported
from edge_runtime.sources import make_capture
from edge_runtime.sources.post import info_to_wire, receive, send, send_with_fd, stats_to_wire
from edge_runtime.sources.slots import SLOTS, SlotWriter, frame_bytes
from edge_runtime.sources.spec import Capture, SourceSpec
from edge_runtime.types import Frame

BEAT_S = 0.5
HUNG_S = 2.5  # busy with one picture for so long: hung
_GOODBYE_S = 0.8  # for the camera to hear that we leave
_TURN_S = 0.5


@dataclass(slots=True)
class _Pending:
    slot: int
    frame: Frame  # without its planes: they are in the slot


class Courier:
    """Hands frames to the daemon, one for each want, the newest first and only; beats in between."""

    def __init__(self, sock: socket.socket, source: Capture) -> None:
        self.leaving = threading.Event()  # set when the daemon has no more use for us
        self._sock = sock
        self._source = source
        self._lock = threading.Lock()  # between this process's two threads
        self._memory: SlotWriter | None = None
        self._pending: _Pending | None = None
        self._want: int | None = None
        self._dropped = 0
        self._turns = 0
        self._seen = (0, time.monotonic())  # turns, and when they last changed

    def offer(self, frame: Frame) -> None:
        """Main thread: keep `frame` for the daemon, in place of the one that still waits."""
        with self._lock:
            memory = self._room_for(frame)
            slot = memory.free() if self._pending is None else self._pending.slot
            if self._pending is not None or slot is None:
                self._dropped += 1
            if slot is None:  # the daemon holds every slot
                return
            memory.write(slot, frame)
            self._pending = _Pending(slot, replace(frame, planes=()))
            self._answer()

    def turned(self) -> None:
        """Main thread: one more sign of life."""
        self._turns += 1

    def tell(self, kind: str, **fields: object) -> None:
        """Main thread: one letter, unless the daemon is gone."""
        try:
            send(self._sock, kind, **fields)
        except ConnectionError:
            self.leaving.set()

    def run(self) -> None:
        """Courier thread: until the daemon is gone or closes; then the process ends, at the latest after a short goodbye."""
        next_beat_s = 0.0
        while True:
            ready, _, _ = select.select([self._sock], [], [], BEAT_S)
            if ready and not self._take_letter():
                break
            if time.monotonic() >= next_beat_s and self._beat():
                next_beat_s = time.monotonic() + BEAT_S
        self.leaving.set()
        time.sleep(_GOODBYE_S)
        os._exit(0)

    def _take_letter(self) -> bool:
        received = receive(self._sock)
        if received is None:
            return False
        letter, _ = received
        with self._lock:
            self._want = letter["n"] if letter["kind"] == "want" else None
            self._answer()
        return True

    def _answer(self) -> None:
        """Give the pending frame to whoever wants it. Called with the lock held."""
        if self._want is None or self._pending is None or self._memory is None:
            return
        slot, frame = self._pending.slot, self._pending.frame
        stamp, color = frame.stamp, frame.color
        fields = {
            "n": self._want,
            "slot": slot,
            "stamp": [stamp.seq, stamp.mono_ns, stamp.wall_ns],
            "format": frame.format.value,
            "size": list(frame.size),
            "color": [color.matrix.value, color.full_range],
            "rotation": frame.rotation,
        }
        self._memory.give(slot)
        try:
            send(self._sock, "frame", **fields, stats=self._stats())
        except BlockingIOError:  # a daemon that was stopped has letters piled up: it will want again
            self._memory.take_back(slot)
            return
        except ConnectionError:
            self.leaving.set()
        self._pending = self._want = None

    def _room_for(self, frame: Frame) -> SlotWriter:
        need = frame_bytes(frame.format, frame.size)
        if self._memory is not None and need <= self._memory.slot_bytes:
            return self._memory
        if self._memory is not None:
            self._memory.close()
        if self._pending is not None:  # it lies in the memory that goes
            self._pending = None
            self._dropped += 1
        self._memory = SlotWriter(need, SLOTS)
        send_with_fd(self._sock, self._memory.fd, "memory", slot_bytes=self._memory.slot_bytes, slots=self._memory.slots)
        return self._memory

    def _beat(self) -> bool:
        turns, since_s = self._seen
        if self._turns != turns or self._source.waiting:
            self._seen = (self._turns, time.monotonic())
        elif time.monotonic() - since_s > HUNG_S:
            return False
        with self._lock:
            if self._want is None:
                return False
            try:
                send(self._sock, "beat", stats=self._stats())
            except (BlockingIOError, ConnectionError):
                return False
        return True

    def _stats(self) -> list[object]:
        stats = self._source.stats()
        return stats_to_wire(replace(stats, dropped=stats.dropped + self._dropped))


def main() -> int:
    """Read the spec from standard input and serve until the daemon closes, the camera goes, or the pipe ends."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    spec = SourceSpec.from_json(_read_line(sys.stdin.fileno()))
    die_with_pipe(sys.stdin.fileno())
    source = make_capture(spec)
    courier = Courier(sock, source)
    threading.Thread(target=courier.run, name="courier", daemon=True).start()
    try:
        _serve(source, courier)
    except SourceError as error:
        kind = "Unsupported" if isinstance(error, Unsupported) else "Disconnected"
        if not courier.leaving.is_set():
            courier.tell("error", error=kind, text=spec.clean(str(error)))
    finally:
        source.close()
    sys.stderr.flush()
    os._exit(0)


def _serve(source: Capture, courier: Courier) -> None:
    courier.tell("started")
    source.open()
    info = source.describe()
    assert info is not None
    courier.tell("opened", info=info_to_wire(info))
    while not courier.leaving.is_set():
        frame = source.read(_TURN_S)
        courier.turned()
        if frame is not None:
            courier.offer(frame)


def die_with_pipe(fd: int) -> None:
    """Let the kernel end this process the moment the pipe's other end closes, even while a hung decoder holds the interpreter's lock.

    SIGIO on the pipe, with its default action (terminate): nothing in Python runs for it. It would also fire for data, so that what the
    pipe had to say must have been read.
    """
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    watch = select.poll()
    watch.register(fd, 0)
    if watch.poll(0):  # it closed before we armed it
        raise SystemExit("the daemon is gone")


def _read_line(fd: int) -> bytes:
    """One line, byte for byte: what follows belongs to nobody, and the end of the pipe must stay visible to the kernel."""
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(fd, 65_536)
        if not block:
            raise SystemExit("the daemon closed the pipe before it said what to open")
        line += block
    return line


if __name__ == "__main__":
    sys.exit(main())
