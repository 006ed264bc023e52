"""A subscriber to the nodes' topics, for people who look: `edge-runtime watch`.

    connect ─► subscribe ─► messages into a bounded queue ─► lost ─► wait 1 s, 2 … 15 s ─► connect …

It keeps no session: who looks later sees what is retained, and what happens from then on. A reader that is too slow slows the broker's sending down
(the queue's bound), nothing is thrown away here.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from edge_runtime.deliver.address import explain, parse_address, tls_context
from edge_runtime.deliver.line import GARBLED
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.options import Secret

QUEUE = 2000
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0
KEEPALIVE_S = 30
CONNECT_S = 10.0
BRANCHES = ("status", "info", "health", "obs/#")  # everything of a node but `live`, commands and answers


class Received(NamedTuple):
    """One message; `retained` when it was there before us."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to get in."""

    username: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    protocol: Literal["5", "3.1.1"] = "5"


class Listener:
    """`get` and `state` are for one reader; a thread of its own does the rest. `site` limits it to one site."""

    def __init__(self, url: str, login: Login, site: str | None = None) -> None:
        """Raises ConfigError for a URL that is none, or a certificate that cannot be used."""
        try:
            self._address = parse_address(url)
            self._tls = tls_context(login.ca, None, None) if self._address.tls else None
        except (ValueError, OSError) as error:
            raise ConfigError([Problem("URL", 0, "", str(error))]) from None  # the URL itself may hold a password
        self._login = login
        self._filters = [(f"edge/v1/{site or '+'}/+/{branch}", 1) for branch in BRANCHES]
        self._inbox: queue.Queue[Received] = queue.Queue(QUEUE)
        self._stop = threading.Event()
        self._state = "connecting"
        self._why = ""
        self._client: Any = None
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    @property
    def state(self) -> str:
        """connected | connecting | away: why."""
        return f"away: {self._why}" if self._state == "away" else self._state

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def get(self, timeout_s: float) -> Received | None:
        """The next message, or None when none came for `timeout_s`."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Let go. Idempotent, bounded in time."""
        self._stop.set()
        client = self._client
        if client is not None:
            client.disconnect()
        with contextlib.suppress(queue.Empty):
            while True:  # whoever waits for room in the queue goes on
                self._inbox.get_nowait()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            client = self._client = self._make()
            self._why = ""
            try:
                client.connect(self._address.host, self._address.port, KEEPALIVE_S)
                client.loop_forever(retry_first_connection=False)
            except GARBLED as error:
                self._lost(self._explained(error))
            if self._state == "connected":
                wait_s = FIRST_WAIT_S
            if not self._why:
                self._lost("the connection was lost")
            self._stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _explained(self, error: BaseException) -> str:
        """As the daemon says it, in the words of this command line."""
        text = explain(error, self._address)
        for key, option in (("[mqtt] ca, cert and key", "--ca"), ("[mqtt] ca", "--ca"), ("[mqtt] url", "the URL"), (" in url", " in the URL")):
            text = text.replace(key, option)
        return text

    def _lost(self, why: str) -> None:
        self._state, self._why = "away", why

    def _make(self) -> Any:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        version = MQTTProtocolVersion.MQTTv5 if self._login.protocol == "5" else MQTTProtocolVersion.MQTTv311
        transport: Literal["websockets", "tcp"] = "websockets" if self._address.websocket else "tcp"
        client = Client(CallbackAPIVersion.VERSION2, "", protocol=version, transport=transport, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        if self._login.username is not None:
            client.username_pw_set(self._login.username, None if self._login.password is None else self._login.password.reveal())
        if self._address.websocket:
            client.ws_set_options(self._address.path)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        return client

    def _on_connect(self, client: Any, data: object, flags: object, reason: Any, properties: object) -> None:  # noqa: ARG002 - paho's signature
        if reason.is_failure:
            self._lost(f"the broker refuses the connection: {reason}; check --username and --password-file")
            client.disconnect()
            return
        self._state = "connected"
        client.subscribe(self._filters)

    def _on_subscribe(self, client: Any, data: object, mid: int, reasons: Any, properties: object) -> None:  # noqa: ARG002 - paho's signature
        if all(reason.is_failure for reason in reasons):
            self._lost(f"the broker refuses the subscription to {self._filters[0][0]} …: {reasons[0]}; check what this login may read")
            client.disconnect()

    def _on_message(self, client: object, data: object, message: Any) -> None:  # noqa: ARG002 - paho's signature
        item = Received(message.topic, message.payload, bool(message.retain))
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._inbox.put(item, timeout=0.2)
                return
