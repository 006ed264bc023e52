"""The MQTT sink: rows to the broker with QoS 1, over one connection after another.

    idle ─connect─► dialling ─► greeting ─CONNACK─► up ─lost, refused─► waiting (0.5 s, 1, 2 … 60 s, ± 50 %) ─► dialling …

At most min(16, the broker's Receive Maximum) publishes are unanswered; a row counts as delivered when its PUBACK says success, and only then.
Nothing is published into a line that is not up, so what is unanswered when it drops is exactly what must be offered again.

Commands come the other way, in a session that the broker keeps while this node is away; one is acknowledged when it has been done.

MQTT 3.1.1 has no reason codes (a refused publish looks like one that was taken), no Receive Maximum (the window is 16), no Maximum Packet
Size (what is too large is found out by losing the connection), no message expiry, no user properties and no response topic.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Literal

from edge_runtime.clock import Clock, SystemClock
from edge_runtime.deliver.address import Trouble, parse_address
from edge_runtime.deliver.inbox import Inbox
from edge_runtime.deliver.line import Line, Login, dial
from edge_runtime.deliver.link import LinkState, Message, Request
from edge_runtime.deliver.news import Ack, Ended, Greeting, Incoming, News, Subscribed
from edge_runtime.deliver.setaside import SetAside, packet_bytes
from edge_runtime.deliver.untimely import Reading, judged, left, time_has_come
from edge_runtime.deliver.waker import Waker
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.options import Secret, option
from edge_runtime.present.formats.cloudevents import CONTENT_TYPE, attributes
from edge_runtime.types import ClockState, Settlement, SpooledRow

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
    expiry_s: float = option(
        "MQTT 5: how long the broker keeps an event for a subscriber that is away, from when it got it.", default=7 * 86400.0, low=60, kind="duration"
    )
    formats: tuple[Literal["cloudevents"], ...] = option(
        "Beside the native envelope. cloudevents: the attributes of CloudEvents 1.0 as MQTT 5 user properties (binary mode), the payload unchanged.",
        default=(),
    )


class MqttSink:
    """A `Link` to an MQTT broker. One thread calls everything but `wake`."""

    def __init__(self, options: MqttOptions, client_id: str, will: Message | None = None, commands: str = "", clock: Clock | None = None) -> None:
        """`commands` is the topic below which commands come, "edge/v1/<site>/<node>/cmd"; without it none are heard.

        Raises ConfigError for a URL that is none.
        """
        try:
            self._address = parse_address(options.url)
        except ValueError as error:
            raise ConfigError([Problem("[mqtt]", 0, "url", str(error))]) from error
        password = None if options.password is None else options.password.reveal()
        tls = (options.ca, options.cert, options.key)
        self._login = Login(client_id, options.protocol == "5", options.username, password, *tls, will)
        self._commands = commands
        self._clock = clock or SystemClock()  # certificates are judged by it
        self._expiry_s = round(options.expiry_s)
        self._cloudevents = "cloudevents" in options.formats
        self._state = LinkState("connecting")
        self._line: Line | None = None
        self._dialling: threading.Thread | None = None
        self._began = Reading(ClockState.UNSYNCED, 0)  # when dialling began
        self._dialled: SimpleQueue[tuple[Line | None, Trouble | None]] = SimpleQueue()
        self._closed = False
        self._window = WINDOW
        self._packet_maximum = 0
        self._in_flight: dict[int, int | Message] = {}  # mid -> seq of a row, or a message, in the order of sending
        self._settled: list[Settlement] = []
        self._inbox = Inbox(commands)
        self._set_aside = SetAside()
        self._answers = False  # this line's broker has answered something
        self._next_dial_s = float("inf")
        self._wait_s = FIRST_WAIT_S
        self._since_s = 0.0  # when the present phase began
        self._heard_s = 0.0  # when the broker last answered, or first owed an answer
        self._random = random.Random()
        self._waker = Waker()

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def untold(self) -> int:
        return sum(isinstance(what, Message) for what in self._in_flight.values())

    def connect(self) -> None:
        self._next_dial_s = 0.0
        self._step()

    def offer(self, row: SpooledRow) -> bool:
        if self._state.name != "connected" or len(self._in_flight) >= self._window:
            return False
        message = Message(row.topic, row.body, 1, expiry_s=self._expiry_s)
        if self._cloudevents:
            message = message._replace(content_type=CONTENT_TYPE, user=attributes(row.topic, row.body))
        if self._too_large(message):
            why = f"larger than the broker's limit of {self._packet_maximum} bytes"
            self._settled.append(Settlement(row.seq, False, why, final=True, answered=False))
            return True
        return self._publish(message, row.seq)

    def tell(self, message: Message) -> bool:
        if message.qos == 0 and self._line is not None and self._line.client.want_write():
            return False  # the line is congested: what is only for now is not worth queueing
        if self._state.name == "connected" and self._too_large(message):
            self._set_aside.too_large(message, self._packet_maximum)
            return True
        return self._set_aside.holds(message) or self._publish(message, message)

    def requests(self) -> Sequence[Request]:
        return self._inbox.fetch()

    def acknowledge(self, request: Request) -> None:
        if self._line is not None and request.mid and request.connects == self._state.connects and self._state.name == "connected":
            self._line.acknowledge(request.mid)

    def settled(self) -> Sequence[Settlement]:
        self._step()
        found, self._settled = self._settled, []
        return found

    def wait(self, timeout: float) -> None:
        line = self._line
        if self._settled or (line is not None and line.has_news):
            return  # a row was too large, or a publish found the line broken
        left_s = min(timeout, self._due_s() - time.monotonic())
        if line is None:
            self._waker.wait(left_s)
        else:
            self._waker.wait(left_s, line.client.socket(), writable=line.client.want_write())

    def wake(self) -> None:
        self._waker.wake()

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
        self._waker.close()

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _too_large(self, message: Message) -> bool:
        return bool(self._packet_maximum) and packet_bytes(message) > self._packet_maximum

    def _publish(self, message: Message, what: int | Message) -> bool:
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
        elif self._line is None and (now_s >= self._next_dial_s or time_has_come(self._state, self._clock)):
            self._state = self._state._replace(name="connecting")
            self._since_s = now_s
            self._began = Reading.of(self._clock)
            self._dialling = dial(self._address, self._login, self._on_dialled)
        if self._line is not None and now_s >= self._due_s():
            silent = self._state.name == "connected"
            self._lose(f"no answer from the broker for {ANSWER_S if silent else GREETING_S:.0f} s", now_s)

    def _on_dialled(self, line: Line | None, trouble: Trouble | None) -> None:
        """In the dialling thread."""
        if self._closed and line is not None:
            line.drop()
            return
        self._dialled.put((line, trouble))
        self.wake()

    def _look_at_dialling(self, now_s: float) -> None:
        thread = self._dialling
        alive = thread is not None and thread.is_alive()
        try:
            line, trouble = self._dialled.get_nowait()
        except Empty:
            if not alive:
                self._dialling = None
                self._lose("dialling failed in an unforeseen way: see the log", now_s)
            return
        self._dialling = None
        self._since_s = now_s
        self._answers = False
        self._line = line
        if trouble is not None:
            why = judged(trouble, self._began)
            self._lose(why.text, now_s, why.cause)

    def _learn(self, news: News, now_s: float) -> None:
        if self._line is None:
            return
        if isinstance(news, Ack):
            what = self._in_flight.pop(news.mid, None)
            if what is not None:  # paho tells also of QoS 0 that has left: that is no word of the broker's
                self._heard_s = now_s
                self._answers = True
                self._answered(what, news)
        elif isinstance(news, Incoming):
            if (left_over := self._inbox.take(news, self._state.connects)) is not None:
                self.acknowledge(left_over)
        elif isinstance(news, Ended):
            self._lose(news.why, now_s, news.cause)
        elif isinstance(news, Subscribed):
            if news.refusal:
                self._refused(f"{self._commands}/#", f"{news.refusal}: no commands are heard")
        elif news.refusal:
            self._lose(news.refusal, now_s, news.cause)
        else:
            self._begin(news, now_s)

    def _begin(self, greeting: Greeting, now_s: float) -> None:
        self._window = min(WINDOW, greeting.receive_maximum)
        self._packet_maximum = greeting.packet_maximum
        self._since_s = self._heard_s = now_s
        self._state = LinkState("connected", "", self._state.connects + 1)
        if self._commands and self._line is not None:
            self._line.subscribe(f"{self._commands}/#")

    def _answered(self, what: int | Message, ack: Ack) -> None:
        if isinstance(what, int):
            self._wait_s = FIRST_WAIT_S  # this line does its work
            self._settled.append(Settlement(what, not ack.refusal, ack.refusal, ack.final))
        else:
            self._set_aside.taken(what)
            if ack.refusal:
                self._refused(what.topic, ack.refusal)

    def _refused(self, topic: str, why: str) -> None:
        _log.warning("%s: refused by the broker: %s", topic, why)
        self._state = self._state._replace(refused=f"{topic}: {why}")

    def _lose(self, why: str, now_s: float, cause: str = "lost") -> None:
        if self._state.name == "connected" and now_s - self._since_s > STEADY_S:
            self._wait_s = FIRST_WAIT_S
        first = next(iter(self._in_flight.values()), None)
        if self._answers and isinstance(first, Message):
            self._set_aside.struck(first)
        if self._line is not None:
            self._line.drop()
        self._line = None
        self._in_flight.clear()
        self._inbox.clear()
        self._state = left(Trouble(cause, why), self._state.connects)
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
