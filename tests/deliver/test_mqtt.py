"""The MQTT sink against a broker that does what the test says."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge_runtime.deliver import mqtt
from edge_runtime.deliver.line import CONNECT_TIMEOUT_S
from edge_runtime.deliver.link import Message
from edge_runtime.deliver.mqtt import WINDOW, MqttOptions, MqttSink
from edge_runtime.errors import ConfigError
from edge_runtime.types import Settlement, SpooledRow
from tests.peers.broker import free_port
from tests.peers.proxy import Proxy
from tests.peers.scripted import ACK, DROP, HOLD, ScriptedBroker

STATUS = Message("edge/v1/a/b/status", b"offline", 1, True)


def row(seq: int, topic: str = "edge/v1/a/b/obs/s/crossing", body: bytes = b"{}") -> SpooledRow:
    return SpooledRow(seq, topic, body, 0)


@contextmanager
def sink(url: str, will: Message | None = None, client_id: str = "a-b", **options: object) -> Iterator[MqttSink]:
    made = MqttSink(MqttOptions(url=url, **options), client_id, will)  # type: ignore[arg-type]
    made.connect()
    try:
        yield made
    finally:
        made.close(2.0)


def turn(made: MqttSink, condition: Callable[[], object], timeout: float = 10.0) -> list[Settlement]:
    """Drive the sink until `condition` holds; what was settled meanwhile."""
    found: list[Settlement] = []
    end = time.monotonic() + timeout
    while True:
        found += made.settled()
        if condition():
            return found
        assert time.monotonic() < end, f"{made.state}, settled {found[-3:]}"
        made.wait(0.05)


def answers(made: MqttSink, count: int) -> list[Settlement]:
    """The next `count` settlements, by number."""
    found: list[Settlement] = []

    def enough() -> bool:
        found.extend(made.settled())
        return len(found) >= count

    end = time.monotonic() + 10
    while not enough():
        assert time.monotonic() < end, f"{made.state}, settled {found}"
        made.wait(0.05)
    return sorted(found, key=lambda each: each.seq)


def connected(made: MqttSink) -> None:
    turn(made, lambda: made.state.name == "connected")


def test_construct_with_a_bad_url_says_so_without_secrets() -> None:
    with pytest.raises(ConfigError, match=r"url: expected no login") as caught:
        MqttSink(MqttOptions(url="mqtt://u:geheim@h"), "x")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(("receive_maximum", "window"), [(5, 5), (1, 1), (65535, WINDOW)])
def test_offer_keeps_the_window_also_after_a_reconnect(receive_maximum: int, window: int) -> None:
    with ScriptedBroker(lambda publish: HOLD, properties=b"\x21" + receive_maximum.to_bytes(2, "big")) as broker, sink(broker.url) as made:
        for connection in (1, 2, 3):
            turn(made, lambda n=connection: made.state.name == "connected" and made.state.connects == n)
            assert sum(made.offer(row(seq)) for seq in range(1, 40)) == window
            turn(made, lambda: broker.unanswered >= window)
            if connection < 3:
                broker.cut()
                turn(made, lambda: made.state.name != "connected")
        assert broker.most_unanswered == window
        broker.release()
        assert answers(made, window) == [Settlement(seq, True) for seq in range(1, window + 1)]


@pytest.mark.parametrize(("code", "word"), [(0x87, "Not authorized"), (0x97, "Quota exceeded"), (0x80, "Unspecified"), (0x99, "Payload format")])
def test_negative_puback_is_a_rejection_with_its_reason(code: int, word: str) -> None:
    with ScriptedBroker(lambda publish: code if b"bad" in publish.payload else ACK) as broker, sink(broker.url) as made:
        connected(made)
        assert made.offer(row(1, body=b"bad")) and made.offer(row(2))
        refused, taken = answers(made, 2)
        assert (refused.seq, refused.accepted, taken.seq, taken.accepted) == (1, False, 2, True)
        assert word.lower() in refused.why.lower()


def test_puback_of_no_matching_subscribers_is_success() -> None:
    with ScriptedBroker(lambda publish: 0x10) as broker, sink(broker.url) as made:
        connected(made)
        made.offer(row(1))
        assert answers(made, 1) == [Settlement(1, True)]


def test_offer_larger_than_the_broker_takes_is_rejected_without_sending() -> None:
    with ScriptedBroker(properties=b"\x27" + (500).to_bytes(4, "big")) as broker, sink(broker.url) as made:
        connected(made)
        assert made.offer(row(1, body=b"x" * 480))
        (settled,) = made.settled()
        assert (settled.seq, settled.accepted) == (1, False)
        assert "limit of 500 bytes" in settled.why
        assert made.offer(row(2, body=b"x" * 100))
        turn(made, lambda: broker.publishes)
        assert [publish.payload for publish in broker.publishes] == [b"x" * 100]


def test_offer_while_away_takes_nothing() -> None:
    with sink(f"mqtt://127.0.0.1:{free_port()}") as made:
        assert not made.offer(row(1))
        turn(made, lambda: made.state.name == "offline")
        assert "nobody listens at 127.0.0.1" in made.state.reason
        assert not made.offer(row(1))
        assert not made.tell(STATUS)


@pytest.mark.parametrize(
    ("connack", "properties", "word"),
    [
        (0x87, b"", "Not authorized"),
        (0x86, b"", "Bad user name"),
        (0x88, b"", "Server unavailable"),
        (0, b"\x24\0", "QoS 1"),
        (0, b"\x25\0", "retained"),
    ],
)
def test_greeting_that_cannot_serve_gives_the_reason(connack: int, properties: bytes, word: str) -> None:
    with ScriptedBroker(connack=connack, properties=properties) as broker, sink(broker.url) as made:
        turn(made, lambda: made.state.name == "offline")
        assert word in made.state.reason
        assert made.state.connects == 0


@pytest.mark.parametrize("seed", range(12))
def test_garbage_from_the_far_end_is_a_lost_connection_not_a_crash(seed: int) -> None:
    noise = random.Random(seed)
    garbage = b"".join(
        bytes([noise.choice([0x20, 0x30, 0x32, 0x40, 0x50, 0x90, 0xE0, 0xF0]), size := noise.randint(0, 20)]) + noise.randbytes(size)
        for _ in range(30)
    )
    with ScriptedBroker(lambda publish: DROP, garbage=garbage) as broker, sink(broker.url) as made:
        turn(made, lambda: made.offer(row(1)) or made.state.name == "offline")
        turn(made, lambda: made.state.name == "offline")
        assert made.state.reason
        turn(made, lambda: broker.connects >= 2)


def test_silence_instead_of_answers_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.3)
    with ScriptedBroker(lambda publish: HOLD) as broker, sink(broker.url) as made:
        connected(made)
        made.offer(row(1))
        turn(made, lambda: made.state.name == "offline")
        assert "no answer" in made.state.reason
        turn(made, lambda: broker.connects >= 2)


def test_message_that_nobody_answers_does_not_count_as_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`health` leaves with QoS 0 every few seconds; that it left says nothing about the broker."""
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    with ScriptedBroker(lambda publish: HOLD) as broker, sink(broker.url) as made:

        def lost_while_it_speaks() -> bool:
            made.tell(Message("edge/v1/a/b/health", b"{}"))
            return made.state.name == "offline"

        connected(made)
        made.offer(row(1))
        turn(made, lost_while_it_speaks)
        assert "no answer" in made.state.reason
        assert len(broker.publishes) > 2


def test_silence_instead_of_a_greeting_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "GREETING_S", 0.3)
    with ScriptedBroker() as broker, Proxy(broker.port) as proxy:
        proxy.swallowing = True
        with sink(f"mqtt://127.0.0.1:{proxy.port}") as made:
            turn(made, lambda: made.state.name == "offline")
            assert "no answer" in made.state.reason
            proxy.swallowing = False
            proxy.cut()
            connected(made)


def test_waits_between_tries_double_with_jitter() -> None:
    with ScriptedBroker(connack=0x88) as broker, sink(broker.url) as made:
        turn(made, lambda: broker.connects >= 2)  # it dials by itself
        made._wait_s = mqtt.FIRST_WAIT_S
        waits: list[float] = []
        for _ in range(12):
            made._lose("away", 1000.0)
            waits.append(made._next_dial_s - 1000.0)
    shares = [wait / min(mqtt.FIRST_WAIT_S * 2**number, mqtt.LONGEST_WAIT_S) for number, wait in enumerate(waits)]
    assert all(1 - mqtt.JITTER <= share <= 1 + mqtt.JITTER for share in shares), waits
    assert len({round(share, 6) for share in shares}) > 6, "a thousand nodes must not come back together"


def test_tell_counts_qos1_against_the_window_and_drops_qos0_when_congested() -> None:
    with ScriptedBroker(lambda publish: HOLD, properties=b"\x21\0\x02") as broker, sink(broker.url) as made:
        connected(made)
        assert made.tell(STATUS)
        assert made.untold == 1
        assert made.offer(row(1))
        assert not made.offer(row(2))
        assert not made.tell(STATUS)
        assert made.tell(Message("live", b"x"))
        turn(made, lambda: len(broker.publishes) == 3)
        broker.release()
        turn(made, lambda: not made.untold)


def test_wake_from_another_thread_ends_a_wait_and_does_no_harm_after_close() -> None:
    with ScriptedBroker() as broker, sink(broker.url) as made:
        connected(made)
        made.settled()
        called = threading.Event()
        timer = threading.Timer(0.1, lambda: (called.set(), made.wake()))
        timer.start()
        began = time.monotonic()
        made.wait(60)
        assert called.is_set(), "it ended before, for another reason"
        assert time.monotonic() - began < 30
        timer.join()
    made.wake()
    made.close(1.0)


def test_close_while_dialling_a_black_hole_is_bounded() -> None:
    made = MqttSink(MqttOptions(url="mqtt://192.0.2.1:1883"), "x")  # TEST-NET-1: nobody answers
    made.connect()
    made.settled()
    began = time.monotonic()
    made.close(0.5)
    assert time.monotonic() - began < min(5, CONNECT_TIMEOUT_S), "it does not wait for the dialling"


@pytest.mark.parametrize(("code", "word"), [(0x8E, "another client with this client_id"), (0x8B, "shutting down"), (0x95, "too large")])
def test_disconnect_by_the_broker_gives_its_reason(code: int, word: str) -> None:
    with ScriptedBroker() as broker, sink(broker.url) as made:
        connected(made)
        broker.say(bytes([0xE0, 2, code, 0]))
        turn(made, lambda: made.state.name != "connected")
        assert word in made.state.reason
