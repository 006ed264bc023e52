"""The MQTT sink: rows to the broker with QoS 1, over one connection after another.

    idle ─connect─► dialling ─► greeting ─CONNACK─► up ─lost, refused─► waiting (0.5 s, 1, 2 … 60 s, ± 50 %) ─► dialling …

At most min(16, the broker's Receive Maximum) publishes are unanswered; a row counts as delivered when its PUBACK says success, and only then.
Nothing is published into a line that is not up, so what is unanswered when it drops is exactly what must be offered again.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from edge_runtime.deliver.address import parse_address
from edge_runtime.deliver.line import Ack, Ended, Greeting, Line, Login, dial
from edge_runtime.deliver.link import LinkState, Message
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.options import Secret, option
from edge_runtime.types import Settlement, SpooledRow

if TYPE_CHECKING:
    import threading

_log = logging.getLogger("edge_runtime.mqtt")

WINDOW = 16
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
JITTER = 0.5
GREETING_S = 15.0
ANSWER_S = 30.0  # without any answer while some are owed, the line is taken for dead
STEADY_S = 10.0
_OVERHEAD = 16  # bytes of a PUBLISH beside topic and payload, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """The broker."""

    url: str = option("mqtt:// mqtts:// ws:// wss:// host and port.", default="mqtt://127.0.0.1:1883", kind="url")
    protocol: Literal["5", "3.1.1"] = option("MQTT version; never switched silently.", default="5")
    client_id: str | None = option("Default: <site>-<node>.", default=None)
    username: str | None = option("Login at the broker.", default=None)
    password: Secret | None = option("Login at the broker: { file = … } or { env = … }.", default=None, kind="secret")
    ca: Path | None = option("Certificate authority to trust, PEM.", default=None, kind="path")
    cert: Path | None = option("Client certificate, PEM.", default=None, kind="path")
    key: Path | None = option("Client key, PEM.", default=None, kind="path")
    formats: tuple[str, ...] = option("Extra formats beside the native one.", default=())


class MqttSink:
    """A `Link` to an MQTT broker. One thread calls everything but `wake`."""

    def __init__(self, options: MqttOptions, client_id: str, will: Message | None = None) -> None:
        """Raises ConfigError for a URL that is none."""
        try:
            self._address = parse_address(options.url)
        except ValueError as error:
            raise ConfigError([Problem("[mqtt]", 0, "url", str(error))]) from error
        password = None if options.password is None else options.password.reveal()
        tls = (options.ca, options.cert, options.key)
        self._login = Login(client_id, options.protocol == "5", options.username, password, *tls, will)
        self._state = LinkState("connecting")
        self._line: Line | None = None
        self._dialling: threading.Thread | None = None
        self._dialled: SimpleQueue[tuple[Line | None, str]] = SimpleQueue()
        self._closed = False
        self._window = WINDOW
        self._packet_maximum = 0
        self._in_flight: dict[int, int | str] = {}  # mid -> seq of a row, or topic of a message
        self._settled: list[Settlement] = []
        self._next_dial_s = float("inf")
        self._wait_s = FIRST_WAIT_S
        self._since_s = 0.0  # when the present phase began
        self._heard_s = 0.0  # when the broker last answered, or first owed an answer
        self._random = random.Random()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def untold(self) -> int:
        return sum(isinstance(what, str) for what in self._in_flight.values())

    def connect(self) -> None:
        self._next_dial_s = 0.0
        self._step()

    def offer(self, row: SpooledRow) -> bool:
        if self._packet_maximum and len(row.body) + len(row.topic) + _OVERHEAD > self._packet_maximum:
            self._settled.append(Settlement(row.seq, False, f"larger than the broker's limit of {self._packet_maximum} bytes"))
            return True
        return self._publish(Message(row.topic, row.body, 1), row.seq)

    def tell(self, message: Message) -> bool:
        if message.qos == 0 and self._line is not None and self._line.client.want_write():
            return False  # the line is congested: what is only for now is not worth queueing
        return self._publish(message, message.topic)

    def settled(self) -> Sequence[Settlement]:
        self._step()
        found, self._settled = self._settled, []
        return found

    def wait(self, timeout: float) -> None:
        if self._line is not None and self._line.has_news:
            return  # a publish found the line broken
        poll = select.poll()
        poll.register(self._wake_out, select.POLLIN)
        sock: Any = None if self._line is None else self._line.client.socket()
        if self._line is not None and sock is not None:
            if getattr(sock, "pending", _nothing)():
                return  # TLS has read more than it gave out
            poll.register(sock, select.POLLIN | (select.POLLOUT if self._line.client.want_write() else 0))
        left_s = min(timeout, self._due_s() - time.monotonic())
        woken = poll.poll(max(0.0, left_s) * 1000)
        if any(number == self._wake_out.fileno() for number, _ in woken):
            self._wake_out.recv(4096)

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody waits
            self._wake_in.send(b"!")

    def close(self, deadline_s: float) -> None:
        """Send DISCONNECT and wait for the broker to close, at most `deadline_s`: whatever was written before has then arrived."""
        if self._closed:
            return
        self._closed = True
        end_s = time.monotonic() + deadline_s
        line = self._line
        if line is not None and line.client.is_connected():
            line.client.disconnect()
            while line.client.socket() is not None and time.monotonic() < end_s:
                line.move()
                time.sleep(0.005)
        if line is not None:
            line.drop()
        self._line = None
        self._in_flight.clear()
        self._state = LinkState("offline", "closed", self._state.connects)
        self._wake_in.close()
        self._wake_out.close()

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _publish(self, message: Message, what: int | str) -> bool:
        line = self._line
        if line is None or self._state.name != "connected" or (message.qos and len(self._in_flight) >= self._window):
            return False
        mid = line.publish(message)
        if mid is None:
            return False
        if message.qos:
            if not self._in_flight:
                self._heard_s = time.monotonic()
            self._in_flight[mid] = what
        return True

    def _step(self) -> None:
        """Go on with whatever phase this is in. Never blocks."""
        if self._closed:
            return
        now_s = time.monotonic()
        if self._line is not None:
            self._line.move()
            for news in self._line.news():
                self._learn(news, now_s)
        if self._dialling is not None:
            self._look_at_dialling(now_s)
        elif self._line is None and now_s >= self._next_dial_s:
            self._state = self._state._replace(name="connecting")
            self._since_s = now_s
            self._dialling = dial(self._address, self._login, self._on_dialled)
        if self._line is not None and now_s >= self._due_s():
            silent = self._state.name == "connected"
            self._lose(f"no answer from the broker for {ANSWER_S if silent else GREETING_S:.0f} s", now_s)

    def _on_dialled(self, line: Line | None, why: str) -> None:
        """In the dialling thread."""
        if self._closed and line is not None:
            line.drop()
            return
        self._dialled.put((line, why))
        self.wake()

    def _look_at_dialling(self, now_s: float) -> None:
        thread = self._dialling
        alive = thread is not None and thread.is_alive()
        try:
            line, why = self._dialled.get_nowait()
        except Empty:
            if not alive:
                self._dialling = None
                self._lose("dialling failed in an unforeseen way: see the log", now_s)
            return
        self._dialling = None
        self._since_s = now_s
        if line is None:
            self._lose(why, now_s)
        else:
            self._line = line

    def _learn(self, news: Greeting | Ack | Ended, now_s: float) -> None:
        if self._line is None:
            return
        if isinstance(news, Ack):
            self._heard_s = now_s
            self._answered(self._in_flight.pop(news.mid, None), news.refusal)
        elif isinstance(news, Ended):
            self._lose(news.why, now_s)
        elif news.refusal:
            self._lose(news.refusal, now_s)
        else:
            self._window = min(WINDOW, news.receive_maximum)
            self._packet_maximum = news.packet_maximum
            self._since_s = self._heard_s = now_s
            self._state = LinkState("connected", "", self._state.connects + 1)

    def _answered(self, what: int | str | None, refusal: str) -> None:
        if isinstance(what, int):
            self._wait_s = FIRST_WAIT_S  # this line does its work
            self._settled.append(Settlement(what, not refusal, refusal))
        elif isinstance(what, str) and refusal:
            _log.warning("%s: refused by the broker: %s", what, refusal)

    def _lose(self, why: str, now_s: float) -> None:
        if self._state.name == "connected" and now_s - self._since_s > STEADY_S:
            self._wait_s = FIRST_WAIT_S
        if self._line is not None:
            self._line.drop()
        self._line = None
        self._in_flight.clear()
        self._state = LinkState("offline", why, self._state.connects)
        self._next_dial_s = now_s + self._wait_s * self._random.uniform(1 - JITTER, 1 + JITTER)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _due_s(self) -> float:
        """When the present phase has lasted too long, or the next one begins."""
        if self._dialling is not None:
            return float("inf")
        if self._line is None:
            return self._next_dial_s
        if self._state.name != "connected":
            return self._since_s + GREETING_S
        return self._heard_s + ANSWER_S if self._in_flight else float("inf")


def _nothing() -> int:
    return 0
