"""One connection to the broker: a paho client that is made for it, used by one thread, and thrown away with it.

    dialling thread   make client, resolve, connect, TLS, WebSocket, send CONNECT        may block for long; ends with the client in hand
    caller's thread   loop_read, loop_write, loop_misc, publish                          never blocks

A client that is never reused has nothing to resubmit: its queue, its window and its backoff do not exist for us, and what it still held when
the connection dropped is offered again from the spool. Its callbacks put on a queue and do nothing else.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.deliver.address import Address, explain, tls_context
from edge_runtime.deliver.link import Message

if TYPE_CHECKING:
    from paho.mqtt.client import Client

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
SESSION_S = 86_400  # how long the broker keeps our subscriptions and what came for them while we are away
GARBLED = (OSError, ValueError, IndexError, KeyError, TypeError, struct.error)  # what paho raises for bytes that are no MQTT


class Login(NamedTuple):
    """What a connection is made with."""

    client_id: str
    mqtt5: bool
    username: str | None
    password: str | None
    ca: Path | None
    cert: Path | None
    key: Path | None
    will: Message | None


class Greeting(NamedTuple):
    """The broker's CONNACK: empty `refusal` when it lets us in."""

    refusal: str
    receive_maximum: int
    packet_maximum: int  # 0: no limit


class Ack(NamedTuple):
    """The broker's word on one publish; empty `refusal` when it took it."""

    mid: int
    refusal: str


class Ended(NamedTuple):
    """The connection is over."""

    why: str


News = Greeting | Ack | Ended


class Line:
    """Made by `dial`; everything else is called by one thread."""

    def __init__(self, client: Client, news: SimpleQueue[News], errors: deque[str]) -> None:
        self.client = client
        self._news = news
        self._errors = errors

    def move(self) -> None:
        """Read and write what can be without blocking. A line that broke says so in `news`."""
        try:
            if self.client.socket() is not None:
                self.client.loop_read()
            if self.client.want_write():
                self.client.loop_write()
            if self.client.socket() is not None:
                self.client.loop_misc()
        except GARBLED as error:
            self._news.put(Ended(f"the broker sent what is no MQTT ({type(error).__name__}: {error})"))

    @property
    def has_news(self) -> bool:
        """Whether `news` would tell something."""
        return not self._news.empty()

    def news(self) -> list[News]:
        """What came since the last call, in order."""
        found: list[News] = []
        while True:
            try:
                item = self._news.get_nowait()
            except Empty:
                return found
            if isinstance(item, Ended) and self._errors:
                item = Ended(f"{item.why}: {self._errors.pop()}")
            found.append(item)

    def publish(self, message: Message) -> int | None:
        """The number under which the answer will come; None when the line is not able to take it."""
        if not self.client.is_connected():
            return None
        try:
            info = self.client.publish(message.topic, message.payload, message.qos, message.retain)
        except GARBLED as error:
            self._news.put(Ended(f"publishing failed ({type(error).__name__}: {error})"))
            return None
        return info.mid if info.rc == 0 else None

    def drop(self) -> None:
        """Close the socket without a goodbye."""
        try:
            sock: Any = self.client.socket()
            if sock is not None:
                sock.close()
        except OSError:
            pass  # it was broken already


def dial(address: Address, login: Login, done: Callable[[Line | None, str], None]) -> threading.Thread:
    """Connect in a thread of its own, which calls `done` once: with the line, or with None and why there is none."""

    def run() -> None:
        try:
            line = _connect(address, login)
        except (OSError, ValueError) as error:
            done(None, explain(error, address))
        else:
            done(line, "")

    thread = threading.Thread(target=run, name="dial", daemon=True)
    thread.start()
    return thread


def _connect(address: Address, login: Login) -> Line:
    from paho.mqtt.client import MQTT_LOG_ERR, Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    news: SimpleQueue[News] = SimpleQueue()
    errors: deque[str] = deque(maxlen=4)
    client = Client(
        CallbackAPIVersion.VERSION2,
        login.client_id,
        clean_session=None if login.mqtt5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if login.mqtt5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if address.websocket else "tcp",
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.on_connect = lambda _client, _data, _flags, reason, properties: news.put(_greeting(reason, properties))
    client.on_publish = lambda _client, _data, mid, reason, _properties: news.put(Ack(mid, str(reason) if reason.is_failure else ""))
    client.on_disconnect = lambda _client, _data, flags, reason, _properties: news.put(Ended(_ending(flags, reason)))
    client.on_log = lambda _client, _data, level, text: errors.append(text) if level == MQTT_LOG_ERR else None
    if login.username is not None:
        client.username_pw_set(login.username, login.password)
    if login.will is not None:
        client.will_set(login.will.topic, login.will.payload, login.will.qos, login.will.retain)
    if address.websocket:
        client.ws_set_options(address.path)
    if address.tls:
        client.tls_set_context(tls_context(login.ca, login.cert, login.key))
    if login.mqtt5:
        properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        client.connect(address.host, address.port, KEEPALIVE_S, clean_start=False, properties=properties)
    else:
        client.connect(address.host, address.port, KEEPALIVE_S)
    return Line(client, news, errors)


def _greeting(reason: Any, properties: Any) -> Greeting:
    refusal = f"the broker refuses the connection: {reason}" if reason.is_failure else ""
    if not refusal and getattr(properties, "MaximumQoS", 1) < 1:
        refusal = "the broker takes no QoS 1, without which nothing is acknowledged"
    if not refusal and getattr(properties, "RetainAvailable", 1) < 1:
        refusal = "the broker keeps no retained messages, without which nobody sees whether this node is online"
    return Greeting(refusal, getattr(properties, "ReceiveMaximum", 65535), getattr(properties, "MaximumPacketSize", 0))


def _ending(flags: Any, reason: Any) -> str:
    if flags.is_disconnect_packet_from_server:
        text = f"the broker ended the connection: {reason}"
        return text + ": is there another client with this client_id?" if reason.value == 0x8E else text
    return "the connection was lost" if reason.is_failure else "disconnected"
