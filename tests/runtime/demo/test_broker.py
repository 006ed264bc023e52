"""The embedded broker, with real clients."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from paho.mqtt import publish

from edge_runtime.errors import CannotStart
from edge_runtime.runtime.demo.broker import HOST, EmbeddedBroker
from edge_runtime.runtime.listening import Listener, Login
from tests.peers.broker import until

pytestmark = pytest.mark.system

TOPIC = "edge/v1/demo/street/obs/junction/crossing"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker()
    made.start()
    yield made
    made.close()


def say(broker: EmbeddedBroker, payload: str, *, retain: bool = False) -> None:
    publish.single(TOPIC, payload, qos=1, retain=retain, hostname=HOST, port=broker.port)


def test_messages_go_from_one_client_to_another(broker: EmbeddedBroker) -> None:
    listener = Listener(broker.url, Login(protocol="3.1.1"))
    listener.start()
    try:
        until(lambda: listener.state == "connected", 10)
        for number in range(50):
            say(broker, str(number))
        heard = [listener.get(10) for _ in range(50)]
        assert [each.payload for each in heard if each is not None] == [str(number).encode() for number in range(50)]
    finally:
        listener.close()


def test_who_comes_later_gets_what_is_retained(broker: EmbeddedBroker) -> None:
    say(broker, "kept", retain=True)
    listener = Listener(broker.url, Login(protocol="3.1.1"))
    listener.start()
    try:
        received = listener.get(10)
        assert received is not None and received.payload == b"kept" and received.retained
    finally:
        listener.close()


def test_mosquitto_sub_works(broker: EmbeddedBroker) -> None:
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
    command = ["mosquitto_sub", "-h", HOST, "-p", str(broker.port), "-t", "edge/v1/#", "-v", "-C", "1", "-W", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        while subscriber.poll() is None:
            say(broker, "hello")
            time.sleep(0.2)
        assert subscriber.stdout is not None
        assert subscriber.stdout.read() == f"{TOPIC} hello\n"


def test_close_frees_the_port_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    broker = EmbeddedBroker()
    broker.start()
    idle = socket.create_connection((HOST, broker.port))  # never says anything
    listener = Listener(broker.url, Login(protocol="3.1.1"))
    listener.start()
    until(lambda: listener.state == "connected", 10)
    broker.close()
    broker.close()
    listener.close()
    idle.close()
    assert set(threading.enumerate()) == before
    again = EmbeddedBroker(broker.port)
    again.start()
    again.close()


def test_port_that_is_taken_is_said(broker: EmbeddedBroker) -> None:
    with pytest.raises(CannotStart, match=f"port {broker.port} of {HOST} cannot be had: .*; leave --port out"):
        EmbeddedBroker(broker.port).start()


def test_nonsense_harms_nobody_and_says_nothing(broker: EmbeddedBroker, capfd: pytest.CaptureFixture[str]) -> None:
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff", b"\x00" * 64, b""):
        with socket.create_connection((HOST, broker.port)) as client:
            client.sendall(nonsense)
            client.settimeout(0.3)
            with pytest.raises((TimeoutError, ConnectionError)):  # or it is closed, which is as well
                if client.recv(16) == b"":
                    raise ConnectionError
    say(broker, "still there")
    shown = capfd.readouterr()
    assert shown.out == shown.err == ""
