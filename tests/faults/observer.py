"""A subscriber that city ops could trust: a session that the broker keeps, QoS 1, and an acknowledgement only for what was written down."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tests.faults.oracle import Arrival

PREFIX = "edge/v1/test/box"


class Observer:
    """Records what the node publishes: events as arrivals, the rest by topic. Reconnects by itself, within a second."""

    def __init__(self, port: int, ca: Path | None = None, prefix: str = PREFIX) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self.arrivals: list[Arrival] = []
        self.rest: dict[str, list[bytes]] = {}
        self._prefix = prefix
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._markers: set[str] = set()
        client = Client(CallbackAPIVersion.VERSION2, f"observer-{uuid.uuid4().hex}", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.reconnect_delay_set(1, 1)
        if ca is not None:
            client.tls_set(str(ca))
        client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#", qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._take
        properties: Any = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", port, 60, clean_start=False, properties=properties)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(10), "the broker did not let the observer subscribe"

    @property
    def newest(self) -> int:
        """The newest number that came; 0 before the first."""
        return next((each.number for each in reversed(self.arrivals) if each.number is not None), 0)

    @property
    def newest_ns(self) -> int:
        """When the newest number was due; 0 before the first."""
        return next((each.time_ns for each in reversed(self.arrivals) if each.number is not None), 0)

    def wait(self, numbers: int, limit_s: float) -> None:
        """Until so high a number came."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.newest >= numbers, limit_s), f"number {numbers} not within {limit_s:g} s: {self.newest} came"

    def catch_up(self, limit_s: float) -> None:
        """Until everything is here that the broker had for this session when it was called: a message of its own comes behind all that."""
        marker = uuid.uuid4().hex
        self._client.publish(f"{self._prefix}/marker", marker.encode(), 1)
        with self._changed:
            assert self._changed.wait_for(lambda: marker in self._markers, limit_s), f"the broker did not give out all that it has in {limit_s:g} s"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, client: Any, _data: object, message: Any) -> None:
        with self._changed:
            branch = message.topic.removeprefix(f"{self._prefix}/")
            if branch.startswith("obs/"):
                self.arrivals.append(Arrival.of(time.time_ns(), message.topic, message.payload, bool(message.dup)))
            elif branch == "marker":
                self._markers.add(message.payload.decode())
            else:
                self.rest.setdefault(branch, []).append(message.payload)
            self._changed.notify_all()
        client.ack(message.mid, message.qos)
