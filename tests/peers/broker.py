"""A real mosquitto of the test's own: on a free port, in a folder of its own, killable, restartable on the same port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
START_S = 10.0


class Heard(NamedTuple):
    """One message as a subscriber got it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Any = None  # MQTT 5


class Broker:
    """mosquitto. `config` is added to its configuration; `persistent` keeps retained messages and sessions over restarts.

    `talkative`: its log tells of every packet.
    """

    def __init__(
        self, folder: Path, config: str = "", *, persistent: bool = False, scheme: str = "mqtt", anonymous: bool = True, talkative: bool = True
    ) -> None:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        self.folder = folder
        self.port = free_port()
        self._scheme = scheme
        self._talkative = talkative
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        self._file = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'true' if anonymous else 'false'}",
            "user root",
            "max_queued_messages 0",
            f"persistence {'true' if persistent else 'false'}",
            f"persistence_location {folder}/",
            "autosave_interval 1",
            config,
        ]
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self._subscribers: list[Subscriber] = []

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Broker:
        assert MOSQUITTO is not None
        with (self.folder / "mosquitto.log").open("ab") as log:
            talk = ["-v"] if self._talkative else []
            self._process = subprocess.Popen([MOSQUITTO, *talk, "-c", str(self._file)], stdout=log, stderr=log, cwd=self.folder)
        until(lambda: listens(self.port) or self._ended(), START_S, f"mosquitto did not start:\n{self.log[-2000:]}")
        assert not self._ended(), f"mosquitto ended at once:\n{self.log[-2000:]}"
        return self

    def kill(self) -> None:
        """SIGKILL: as if the machine had lost power."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: it saves and says goodbye."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Stop and start again on the same port."""
        self.stop()
        self.start()

    def freeze(self, frozen: bool) -> None:
        """It is there and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def subscribe(self, topics: str = "#", **login: Any) -> Subscriber:
        """A collector of what is published; it reconnects by itself and keeps its session."""
        subscriber = Subscriber(self.port, topics, **login)
        self._subscribers.append(subscriber)
        return subscriber

    def close(self) -> None:
        for subscriber in self._subscribers:
            subscriber.close()
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._end(signal.SIGKILL)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None


class Subscriber:
    """Collects messages in a thread of paho's. `heard` grows; `wait` waits for it."""

    def __init__(self, port: int, topics: str, username: str | None = None, password: str | None = None, client_id: str | None = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self.heard: deque[Heard] = deque()
        self._subscribed: SimpleQueue[bool] = SimpleQueue()
        self._changed = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id or f"subscriber-{port}-{id(self)}", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.put(True)
        self._client.on_message = lambda _client, _data, message: self._take(message)
        properties: Any = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, 60, clean_start=False, properties=properties)
        self._client.loop_start()
        self._subscribed.get(timeout=10)

    def wait(self, condition: Callable[[], bool], timeout: float, why: str = "") -> None:
        """Until `condition` holds; fails the test after `timeout` seconds."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"{why or 'nothing came'}: {len(self.heard)} heard: {list(self.heard)[-3:]}"

    def publish(self, topic: str, payload: bytes = b"", *, retain: bool = False, **properties: Any) -> None:
        """Say something with QoS 1; `properties` as paho names them (ResponseTopic …)."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        made: Any = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(made, name, value)
        self._client.publish(topic, payload, 1, retain, made).wait_for_publish(10)

    def on(self, topic: str) -> list[bytes]:
        """Payloads of one topic, in order."""
        return [each.payload for each in list(self.heard) if each.topic == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, message: Any) -> None:
        with self._changed:
            self.heard.append(Heard(message.topic, message.payload, message.qos, bool(message.retain), message.properties))
            self._changed.notify_all()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], Any], timeout: float, why: str = "") -> None:
    """Wait for `condition`; fails the test after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not within {timeout} s: {why or condition}"
        time.sleep(0.02)
