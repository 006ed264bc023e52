"""Whether the broker lets this node in, and whether what it publishes arrives: an echo under its own prefix.

    connect ─► CONNACK ─► subscribe echo ─► SUBACK ─► publish echo (QoS 1) ─► PUBACK ─► the same message comes back

The echo matters on MQTT 3.1.1: there a refused publish is acknowledged like any other.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from edge_runtime.clock import SystemClock
from edge_runtime.deliver.address import Address, Trouble, diagnose, diagnose_loss, parse_address, tls_context
from edge_runtime.deliver.line import GARBLED
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.news import greeting
from edge_runtime.deliver.untimely import Reading, judged
from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_KEEPALIVE_S = 30


class ProbeFailed(EdgeError):
    """The broker cannot be used as configured; the text says what to do, `cause` is a key of link.CAUSES."""

    def __init__(self, cause: str, message: str) -> None:
        self.cause = cause
        super().__init__(message)


def probe(options: MqttOptions, client_id: str, topic: str, limit_s: float) -> float:
    """Connect as `client_id`, publish to `topic` and receive it again; seconds from publish to echo. Raises ProbeFailed within `limit_s` or so.

    `client_id` should not be the daemon's own: the broker would throw a running daemon out.
    """
    try:
        address = parse_address(options.url)
    except ValueError as error:
        raise ProbeFailed("unreachable", f"[mqtt] url: {error}") from None
    began = Reading.of(SystemClock())
    echo = _Echo(options, client_id, topic)
    try:
        return echo.run(address, time.monotonic() + limit_s)
    except GARBLED as error:
        raise ProbeFailed(*judged(diagnose(error, address), began)) from None
    finally:
        echo.close()


class _Echo:
    """One connection, driven by the caller's thread: the callbacks only note what came."""

    def __init__(self, options: MqttOptions, client_id: str, topic: str) -> None:
        self._options = options
        self._topic = topic
        self._address = parse_address(options.url)
        self._errors: deque[str] = deque(maxlen=4)
        self._payload = os.urandom(12).hex().encode()
        self._heard: dict[str, Any] = {}
        self._client = self._make(client_id)

    def run(self, address: Address, end_s: float) -> float:
        client = self._client
        client.connect_timeout = max(0.1, end_s - time.monotonic())
        if address.websocket:
            client.ws_set_options(address.path)
        if address.tls:
            client.tls_set_context(tls_context(self._options.ca, self._options.cert, self._options.key))
        client.connect(address.host, address.port, _KEEPALIVE_S)
        unanswered = f"{address} accepts connections but does not answer: is it an MQTT broker, with TLS exactly where url says so?"
        self._expect("connected", end_s, Trouble("broker", unanswered), Trouble("lost", "the broker ended the connection: {}; its log says why"))
        if self._heard["connected"] is not None:
            raise ProbeFailed(*self._heard["connected"])
        self._subscribe(end_s)
        began = time.monotonic()
        client.publish(self._topic, self._payload, 1)
        rules = f"its ACL needs: topic write {self._below('#')} and topic read {self._below('cmd/#')}"
        silent = f"what was published to {self._topic} did not come back: the broker drops it; {rules}"
        # Some brokers end the connection of an MQTT 3.1.1 client that publishes what it may not.
        ended = f"the broker ended the connection on a publish to {self._topic} ({{}}); {rules}"
        self._expect("echo", end_s, Trouble("refused", silent), Trouble("refused", ended))
        return time.monotonic() - began

    def _subscribe(self, end_s: float) -> None:
        self._client.subscribe(self._topic, 1)
        silent = f"the broker does not answer a subscription to {self._topic}"
        self._expect("subscribed", end_s, Trouble("broker", silent), Trouble("lost", "the broker ended the connection: {}; its log says why"))
        self._refuse("subscribed", f"the broker refuses a subscription to {self._topic}: {{}}; its ACL needs: topic read {self._below('cmd/#')}")

    def close(self) -> None:
        """Say goodbye; the session ends with it."""
        self._client.disconnect()
        self._client.loop(0.05)

    def _make(self, client_id: str) -> Client:
        from paho.mqtt.client import MQTT_LOG_ERR, Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        mqtt5 = self._options.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if mqtt5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if parse_address(self._options.url).websocket else "tcp",
            reconnect_on_failure=False,
        )
        if self._options.username is not None or self._options.password is not None:
            client.username_pw_set(self._options.username or "", None if self._options.password is None else self._options.password.reveal())
        client.on_connect = lambda _client, _data, _flags, reason, properties: self._note("connected", _fault(reason, properties))
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self._note("subscribed", reasons[0] if reasons else None)
        client.on_publish = lambda _client, _data, _mid, reason, _properties: self._note("published", reason)
        client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self._note("lost", reason)
        client.on_message = lambda _client, _data, message: self._note("echo", None) if message.payload == self._payload else None
        client.on_log = lambda _client, _data, level, text: self._errors.append(text) if level == MQTT_LOG_ERR else None
        return client

    def _note(self, what: str, reason: Any) -> None:
        self._heard.setdefault(what, reason)

    def _expect(self, what: str, end_s: float, silent: Trouble, ended: Trouble) -> None:
        """Wait for `what`. Raises ProbeFailed with `silent` when it does not come, with `ended` when the connection is gone."""
        while what not in self._heard:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise ProbeFailed(*silent)
            self._refuse("published", f"the broker refuses a publish to {self._topic}: {{}}; its ACL needs: topic write {self._below('#')}")
            if "lost" in self._heard:
                tls = diagnose_loss(self._errors[-1] if self._errors else "", self._address, greeted="connected" in self._heard)
                raise ProbeFailed(*(tls or Trouble(ended.cause, ended.text.format(self._heard["lost"]))))
            self._client.loop(min(0.2, left_s))

    def _refuse(self, what: str, sentence: str) -> None:
        reason = self._heard.get(what)
        if reason is not None and reason.is_failure:
            raise ProbeFailed("refused", sentence.format(reason))

    def _below(self, rest: str) -> str:
        """The node's prefix, and `rest`."""
        return "/".join([*self._topic.split("/")[:4], rest])


def _fault(reason: Any, properties: Any) -> Trouble | None:
    """Why a broker that greets cannot serve."""
    said = greeting(reason, properties)
    return Trouble(said.cause, said.refusal) if said.refusal else None
