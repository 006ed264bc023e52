"""A broker that does what the test says: speaks just enough MQTT 5 to greet, to answer publishes as told, or to break the rules."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

ACK, HOLD, DROP, OUT = 0, -1, -2, -3  # a positive answer is the PUBACK's reason code


class Publish(NamedTuple):
    """One PUBLISH as it arrived."""

    mid: int
    topic: str
    payload: bytes
    qos: int


class ScriptedBroker:
    """`answer` says what happens to each publish: a PUBACK reason code, HOLD (answered by `release`), DROP (the connection
    ends), or OUT (refused, and the connection ends with that)."""

    def __init__(self, answer: Callable[[Publish], int] | None = None, *, properties: bytes = b"", connack: int = 0, garbage: bytes = b"") -> None:
        self.answer = answer or (lambda publish: ACK)
        self.publishes: list[Publish] = []
        self.connects = 0
        self.unanswered = 0
        self.most_unanswered = 0
        self._properties = properties
        self._connack = connack
        self._garbage = garbage
        self._held: list[int] = []
        self._line: socket.socket | None = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def release(self) -> None:
        """Answer everything that is held."""
        held, self._held = self._held, []
        for mid in held:
            self._puback(mid, 0)

    def say(self, packet: bytes) -> None:
        """Send any bytes to the client."""
        assert self._line is not None
        self._line.sendall(packet)

    def cut(self) -> None:
        """End the connection."""
        assert self._line is not None
        self._line.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> ScriptedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            self._line = line
            self._held = []
            self.unanswered = 0
            with line, contextlib.suppress(OSError, EOFError):
                while self._packet(line):
                    pass

    def _packet(self, line: socket.socket) -> bool:
        kind = _exactly(line, 1)[0]
        length, shift = 0, 0
        while True:
            byte = _exactly(line, 1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        body = _exactly(line, length)
        if kind >> 4 == 1:
            self.connects += 1
            line.sendall(_packet(0x20, bytes([0, self._connack, len(self._properties)]) + self._properties))
            if self._garbage:
                line.sendall(self._garbage)
        elif kind >> 4 == 3:
            return self._publish(kind, body)
        elif kind >> 4 == 12:
            line.sendall(b"\xd0\0")
        return kind >> 4 != 14

    def _publish(self, kind: int, body: bytes) -> bool:
        qos = kind >> 1 & 3
        size = struct.unpack(">H", body[:2])[0]
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        mid = 0
        if qos:
            mid, rest = struct.unpack(">H", rest[:2])[0], rest[2:]
        publish = Publish(mid, topic, rest[1 + rest[0] :], qos)
        self.publishes.append(publish)
        if not qos:
            return True
        self.unanswered += 1
        self.most_unanswered = max(self.most_unanswered, self.unanswered)
        answer = self.answer(publish)
        if answer == DROP:
            return False
        if answer == HOLD:
            self._held.append(mid)
        else:
            self._puback(mid, 0x87 if answer == OUT else answer)
        return answer != OUT

    def _puback(self, mid: int, reason: int) -> None:
        self.unanswered -= 1
        if self._line is not None:
            self._line.sendall(_packet(0x40, struct.pack(">HB", mid, reason)))


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def _exactly(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = line.recv(count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found
