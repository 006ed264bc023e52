"""One connection to the broker: a paho client that is made for it, used by one thread, and thrown away with it.

    dialling thread   make client, resolve, connect, TLS, WebSocket, send CONNECT        may block for long; ends with the client in hand
    caller's thread   loop_read, loop_write, loop_misc, publish                          never blocks

A client that is never reused has nothing to resubmit: its queue, its window and its backoff do not exist for us, and what it still held when
the connection dropped is offered again from the spool. Its callbacks put on a queue and do nothing else.
"""

from __future__ import annotations

import functools
import logging
import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.deliver.address import Address, Trouble, diagnose, diagnose_loss, tls_context
from edge_runtime.deliver.link import Message
from edge_runtime.deliver.news import Ended, Greeting, News, Subscribed, answer, ending, greeting, incoming

if TYPE_CHECKING:
    from paho.mqtt.client import Client

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
SESSION_S = 7 * 86_400  # how long the broker keeps our subscriptions and what came for them while we are away
COMMANDS_AT_ONCE = 8  # unanswered ones that the broker may send (Receive Maximum)
COMMAND_BYTES = 65_536  # the largest packet that it may send
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


class Line:
    """Made by `dial`; everything else is called by one thread."""

    def __init__(self, address: Address, mqtt5: bool, client: Client, news: SimpleQueue[News], errors: deque[str]) -> None:
        self.client = client
        self._address = address
        self._mqtt5 = mqtt5
        self._news = news
        self._errors = errors
        self._greeted = False

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
            self._news.put(Ended(f"the broker sent what is no MQTT ({type(error).__name__}: {error})", "broker"))

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
            if isinstance(item, Greeting):
                self._greeted = True
            elif isinstance(item, Ended) and item.cause == "lost":
                item = self._explained(item)
            found.append(item)

    def _explained(self, item: Ended) -> Ended:
        """With what paho logged about it, and what that says of TLS."""
        error = self._errors.pop() if self._errors else ""
        trouble = diagnose_loss(error, self._address, greeted=self._greeted)
        return Ended(f"{item.why}: {error}" if error else item.why, item.cause) if trouble is None else Ended(trouble.text, trouble.cause)

    def publish(self, message: Message) -> int | None:
        """The number under which the answer will come; None when the line is not able to take it."""
        if not self.client.is_connected():
            return None
        try:
            properties = _properties(message) if self._mqtt5 else None
            info = self.client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        except GARBLED as error:
            self._news.put(Ended(f"publishing failed ({type(error).__name__}: {error})"))
            return None
        return info.mid if info.rc == 0 else None

    def subscribe(self, topics: str) -> None:
        """Ask for `topics` with QoS 1; the answer comes as news. What is retained there is not sent (MQTT 5), or marked so."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        try:
            if self._mqtt5:
                self.client.subscribe(topics, options=SubscribeOptions(qos=1, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND))
            else:
                self.client.subscribe(topics, 1)
        except GARBLED as error:
            self._news.put(Ended(f"subscribing failed ({type(error).__name__}: {error})"))

    def acknowledge(self, mid: int) -> None:
        """What came under this number was done."""
        try:
            self.client.ack(mid, 1)
        except GARBLED as error:
            self._news.put(Ended(f"acknowledging failed ({type(error).__name__}: {error})"))

    def drop(self) -> None:
        """Close the socket without a goodbye."""
        try:
            sock: Any = self.client.socket()
            if sock is not None:
                sock.close()
        except OSError:
            pass  # it was broken already


def dial(address: Address, login: Login, done: Callable[[Line | None, Trouble | None], None]) -> threading.Thread:
    """Connect in a thread of its own, which calls `done` once: with the line, or with None and why there is none."""

    def run() -> None:
        try:
            line = _connect(address, login)
        except (OSError, ValueError) as error:
            done(None, diagnose(error, address))
        else:
            done(line, None)

    thread = threading.Thread(target=run, name="dial", daemon=True)
    thread.start()
    return thread


def _connect(address: Address, login: Login) -> Line:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    news: SimpleQueue[News] = SimpleQueue()
    errors: deque[str] = deque(maxlen=4)
    client = Client(
        CallbackAPIVersion.VERSION2,
        login.client_id,
        clean_session=None if login.mqtt5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if login.mqtt5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if address.websocket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,  # a command is acknowledged when it has been done
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.on_connect = lambda _client, _data, _flags, reason, properties: news.put(greeting(reason, properties))
    client.on_publish = lambda _client, _data, mid, reason, _properties: news.put(answer(mid, reason))
    client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: news.put(Subscribed(str(reasons[0]) if reasons[0].is_failure else ""))
    client.on_message = lambda _client, _data, message: news.put(incoming(message))
    client.on_disconnect = lambda _client, _data, flags, reason, _properties: news.put(ending(flags, reason))
    client.enable_logger(_only_errors(errors))
    if login.username is not None or login.password is not None:
        client.username_pw_set(login.username or "", login.password)  # without a name paho would leave the password out
    if login.will is not None:
        client.will_set(login.will.topic, login.will.payload, login.will.qos, login.will.retain)
    if address.websocket:
        client.ws_set_options(address.path)
    if address.tls:
        client.tls_set_context(tls_context(login.ca, login.cert, login.key))
    if login.mqtt5:
        client.connect(address.host, address.port, KEEPALIVE_S, clean_start=False, properties=_session())
    else:
        client.connect(address.host, address.port, KEEPALIVE_S)
    return Line(address, login.mqtt5, client, news, errors)


class _Errors(logging.Handler):
    def __init__(self, into: deque[str]) -> None:
        super().__init__()
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        self._into.append(record.getMessage())


def _only_errors(into: deque[str]) -> logging.Logger:
    """A logger of the client's own. With `on_log` instead, paho would put every packet into words, of which nobody reads any."""
    logger = logging.Logger("paho", logging.ERROR)
    logger.addHandler(_Errors(into))
    return logger


def _session() -> Any:
    """What CONNECT asks of an MQTT 5 broker: a session that outlives the connection, and commands few and small enough to be held."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = COMMANDS_AT_ONCE
    properties.MaximumPacketSize = COMMAND_BYTES
    return properties


def _properties(message: Message) -> Any:
    """Of a PUBLISH; None when there are none."""
    if message.user or message.correlation:
        return _fresh_properties(message.expiry_s, message.content_type, message.user, message.correlation)
    return _shared_properties(message.expiry_s, message.content_type) if message.expiry_s or message.content_type else None


@functools.lru_cache(maxsize=8)
def _shared_properties(expiry_s: int, content_type: str) -> Any:
    """Most messages have the same: made and packed once, since that takes longer than sending."""
    properties = _fresh_properties(expiry_s, content_type, (), b"")
    packed = properties.pack()
    object.__setattr__(properties, "pack", lambda: packed)
    return properties


def _fresh_properties(expiry_s: int, content_type: str, user: tuple[tuple[str, str], ...], correlation: bytes) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if expiry_s:
        properties.MessageExpiryInterval = expiry_s
    if content_type:
        properties.ContentType = content_type
    if correlation:
        properties.CorrelationData = correlation
    if user:
        properties.UserProperty = list(user)
    return properties
