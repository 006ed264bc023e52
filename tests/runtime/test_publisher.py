"""The publisher: spool to broker and back, with a sink in memory, a scripted broker, and a real one."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.deliver import mqtt, suspects
from edge_runtime.deliver.link import Link, Request
from edge_runtime.deliver.memory import MemorySink
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.commands import Commands
from edge_runtime.runtime.publisher import NOW_WAITING, Publisher
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import ClockState, Event
from tests.peers.broker import Broker, free_port, until
from tests.peers.scripted import ACK, DROP, HOLD, OUT, Publish, ScriptedBroker

CLOCK = SystemClock()
ENVELOPER = Enveloper("north", "cam-1", None)
STATUS = "edge/v1/north/cam-1/status"


class Node:
    """A recorder and a publisher that belong together."""

    def __init__(self, path: Path, url: str, sink: Link | None = None, **options: Any) -> None:
        self.path = path
        self.pulses = Pulses()
        self.recorder = Recorder(SpoolOptions(path=path, commit_ms=20), ENVELOPER, self.pulses, CLOCK)
        self.recorder.open()
        self.recorder.start()
        self.publisher = Publisher(MqttOptions(url=url, **options), ENVELOPER, "north-cam-1", self.recorder, self.pulses, sink=sink)
        self.publisher.start()

    def record(self, first: int, count: int, kind: str = "crossing", stream: str = "s") -> None:
        events = [Event(kind, stream, CLOCK.now(), {"n": first + n}) for n in range(count)]
        self.recorder.record([ENVELOPER.wrap(event, ClockState.NTP) for event in events], {"n": first + count})

    def settled(self, timeout: float = 15.0) -> None:
        """Until nothing is left in the spool."""
        until(lambda: self.recorder.stats()["depth"] == 0 and self.recorder.drained, timeout, f"{self.recorder.stats()} {self.publisher.stats()}")

    def stat(self, name: str) -> object:
        return self.publisher.stats()[name]


@contextmanager
def node(path: Path, url: str = "mqtt://127.0.0.1:1", sink: Link | None = None, **options: Any) -> Iterator[Node]:
    made = Node(path, url, sink, **options)
    try:
        yield made
    finally:
        made.publisher.close(2.0)
        made.recorder.close(5.0)


def count_of(publish: Publish) -> int:
    return int(json.loads(publish.payload)["data"]["n"])


def test_rows_are_deleted_when_and_only_when_they_are_acknowledged(tmp_path: Path) -> None:
    with ScriptedBroker(lambda publish: HOLD if "/obs/" in publish.topic else ACK) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 10)
        until(lambda: broker.unanswered == 10, 10)
        time.sleep(1.2)
        assert made.recorder.stats()["depth"] == 10
        broker.release()
        made.settled()
        assert made.stat("acked") == 10


def test_online_comes_first_and_retained_messages_at_each_connect(tmp_path: Path) -> None:
    with ScriptedBroker() as broker, node(tmp_path / "s.db", broker.url) as made:
        made.publisher.retain("edge/v1/north/cam-1/info", b'{"a":1}')
        made.publisher.retain("edge/v1/north/cam-1/info", b'{"a":2}')
        made.record(0, 5)
        made.settled()
        broker.cut()
        until(lambda: broker.connects == 2 and made.stat("state") == "connected", 10)
        made.record(5, 1)
        made.settled()
        topics = [publish.topic.split("/")[-1] for publish in broker.publishes]
        assert topics[0] == "status"
        second = topics.index("status", 1)
        assert topics[second : second + 2] == ["status", "info"]
        info = [publish.payload for publish in broker.publishes if publish.topic.endswith("/info")]
        assert info[-1] == b'{"a":2}'
        assert made.stat("reconnects") == 1


def test_retain_while_connected_is_published_now(tmp_path: Path) -> None:
    with ScriptedBroker() as broker, node(tmp_path / "s.db", broker.url) as made:
        until(lambda: made.stat("state") == "connected", 10)
        made.publisher.retain("edge/v1/north/cam-1/info", b"{}")
        until(lambda: any(publish.topic.endswith("/info") for publish in broker.publishes), 5)


def test_publish_now_goes_at_once_or_is_dropped_and_counted(tmp_path: Path) -> None:
    sink = MemorySink()
    with node(tmp_path / "s.db", sink=sink) as made:
        until(lambda: made.stat("state") == "connected", 5)
        made.publisher.publish_now("live", b"1")
        until(lambda: any(message.topic == "live" for message in sink.told), 5)
        assert made.stat("now_sent") == 1
        sink.away("pulled out")
        until(lambda: made.stat("state") == "offline", 5)
        assert made.stat("reason") == "pulled out"
        for _ in range(NOW_WAITING + 10):
            made.publisher.publish_now("live", b"2")
        assert made.stat("now_dropped") == NOW_WAITING + 10


def test_refused_topic_is_tried_again_buried_and_told_while_others_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(suspects, "RETRY_AFTER_S", (0.05, 0.05, 0.05))
    caplog.set_level(logging.INFO, "edge_runtime")
    with ScriptedBroker(lambda publish: 0x87 if publish.topic.endswith("/anomaly") else ACK) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 20, "anomaly")
        made.record(100, 20, "crossing")
        made.settled()
        gaps = [json.loads(publish.payload) for publish in broker.publishes if publish.topic.endswith("/gap")]
        until(lambda: made.stat("buried") == 20, 10)
        until(lambda: any(publish.topic.endswith("/gap") for publish in broker.publishes), 10)
        made.settled()
        tries = [count_of(publish) for publish in broker.publishes if publish.topic.endswith("/anomaly")]
        gaps = [json.loads(publish.payload) for publish in broker.publishes if publish.topic.endswith("/gap")]
        assert sorted(count_of(publish) for publish in broker.publishes if publish.topic.endswith("/crossing")) == list(range(100, 120))
    assert 20 < len(tries) <= 20 * 4
    assert tries.count(0) <= 4
    assert sum(gap["data"]["messages"] for gap in gaps) == 20
    assert {gap["data"]["reason"] for gap in gaps} == {"refused"}
    assert len([record for record in caplog.records if "for good" in record.message]) == 1, "said once, not for every row"
    connection = sqlite3.connect(tmp_path / "s.db")
    rows = connection.execute("SELECT body, why FROM dead ORDER BY seq").fetchall()
    connection.close()
    assert [json.loads(body)["data"]["n"] for body, _ in rows] == list(range(20))
    assert {why.lower() for _, why in rows} == {"not authorized"}


def test_refused_for_a_while_is_delivered_in_order_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "RETRY_AFTER_S", (0.1, 0.1, 0.1))
    refusing = threading.Event()
    refusing.set()
    accepted: list[int] = []

    def answer(publish: Publish) -> int:
        if "/obs/" not in publish.topic:
            return ACK
        if refusing.is_set():
            return 0x97
        accepted.append(count_of(publish))
        return ACK

    with ScriptedBroker(answer) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 50)
        until(lambda: int(str(made.stat("rejected"))) >= 16, 10)
        refusing.clear()
        made.settled()
        assert accepted == list(range(50))
        assert made.stat("buried") == 0


def test_refused_topic_is_forgotten_with_the_connection_that_refused_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "RETRY_AFTER_S", ())
    with ScriptedBroker(lambda publish: 0x87 if publish.topic.endswith("/anomaly") else ACK) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 1, "anomaly")
        until(lambda: made.stat("buried") == 1, 10)
        assert list(made.stat("refused")) == ["edge/v1/north/cam-1/obs/s/anomaly"]  # type: ignore[call-overload]
        assert made.stat("cause") == "refused"
        until(lambda: made.stat("acked") == 1, 10, "the gap that tells of it")
        broker.cut()
        until(lambda: made.stat("reconnects") == 1, 10)
        assert made.stat("refused") == {}
        assert made.stat("cause") is None


def test_refused_topic_is_named_as_long_as_the_refusal_is_what_ends_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "RETRY_AFTER_S", ())
    with ScriptedBroker(lambda publish: OUT if publish.topic.endswith("/anomaly") else ACK) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 1, "anomaly")
        until(lambda: made.stat("reconnects") == 1, 10)
        assert made.stat("cause") == "refused"


def test_poison_row_is_found_buried_and_told_and_no_other_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.05)
    accepted: list[int] = []

    def answer(publish: Publish) -> int:
        if not publish.topic.endswith("/crossing"):
            return ACK
        if count_of(publish) == 7:
            return DROP
        accepted.append(count_of(publish))
        return ACK

    with ScriptedBroker(answer) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 30)
        until(lambda: made.stat("buried") == 1, 20)
        made.settled()
        until(lambda: any(publish.topic.endswith("/gap") for publish in broker.publishes), 10)
    assert sorted(set(accepted)) == [n for n in range(30) if n != 7]
    connection = sqlite3.connect(tmp_path / "s.db")
    ((body, why),) = connection.execute("SELECT body, why FROM dead").fetchall()
    connection.close()
    assert json.loads(body)["data"]["n"] == 7
    assert "ends the connection" in why


def test_broker_that_drops_every_row_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.01)
    broken = threading.Event()
    broken.set()
    answer: Callable[[Publish], int] = lambda publish: DROP if broken.is_set() and "/obs/" in publish.topic else ACK  # noqa: E731
    with ScriptedBroker(answer) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 12)
        until(lambda: broker.connects > 40, 30)
        assert made.stat("buried") == 0
        broken.clear()
        made.settled()
        assert int(str(made.stat("buried"))) <= suspects.MAX_LEFT_OUT


def test_row_too_large_to_be_sent_is_no_answer_that_proves_others_guilty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.01)
    answer: Callable[[Publish], int] = lambda publish: DROP if "/obs/" in publish.topic else ACK  # noqa: E731
    limit = b"\x27" + (2000).to_bytes(4, "big")
    with ScriptedBroker(answer, properties=limit) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 12)
        until(lambda: any(publish.topic.endswith("/crossing") and count_of(publish) == 1 for publish in list(broker.publishes)), 30, "0 is left out")
        large = Event("crossing", "other", CLOCK.now(), {"n": 100, "more": "x" * 2000})
        made.recorder.record([ENVELOPER.wrap(large, ClockState.NTP)], {})
        until(lambda: made.stat("rejected") == 1, 10)
        connects = broker.connects
        until(lambda: broker.connects > connects + 1, 10)
        assert made.stat("buried") == 1, "that one, and no other: this broker has taken none"


def test_close_while_the_broker_is_away_is_bounded(tmp_path: Path) -> None:
    with node(tmp_path / "s.db", f"mqtt://127.0.0.1:{free_port()}") as made:
        made.record(0, 5)
        until(lambda: made.stat("state") == "offline", 5)
        made.publisher.close(1.0)
        until(lambda: not made.publisher._thread.is_alive(), 15)


def test_close_while_the_broker_answers_nothing_is_bounded(tmp_path: Path) -> None:
    with ScriptedBroker(lambda publish: HOLD) as broker, node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 5)
        until(lambda: broker.unanswered > 3, 5)
        made.publisher.close(1.0)
        until(lambda: not made.publisher._thread.is_alive(), 15, f"it waits for answers, or for {mqtt.ANSWER_S} s without any")


def test_close_sends_the_answer_that_is_owed_before_the_farewell(tmp_path: Path) -> None:
    """The window has room for one message, and that is not answered yet."""
    with ScriptedBroker(lambda publish: HOLD, properties=b"\x21\0\x01") as broker, node(tmp_path / "s.db", broker.url) as made:
        until(lambda: len(broker.publishes) == 1, 10)
        desk = made.publisher.desk
        desk.take([Request("ping", b'{"id":"7"}')])
        Commands(desk, {"ping": lambda _: {}}).turn()
        closing = threading.Thread(target=made.publisher.close, args=(20.0,))
        closing.start()
        until(lambda: made.publisher._end_s is not None, 10)
        broker.answer = lambda publish: ACK
        broker.release()
        closing.join()
    assert [publish.topic.removeprefix("edge/v1/north/cam-1/") for publish in broker.publishes] == ["status", "reply/7", "status"]


def test_close_without_start_is_harmless(tmp_path: Path) -> None:
    recorder = Recorder(SpoolOptions(path=tmp_path / "s.db"), ENVELOPER, Pulses(), CLOCK)
    publisher = Publisher(MqttOptions(), ENVELOPER, "x", recorder, Pulses())
    publisher.close(1.0)


def test_sink_that_raises_is_missed_by_the_pulses(tmp_path: Path) -> None:
    class Broken(MemorySink):
        def wait(self, timeout: float) -> None:
            raise RuntimeError("a bug")

    caught: list[str] = []
    before, threading.excepthook = threading.excepthook, lambda arguments: caught.append(str(arguments.exc_value))
    try:
        with node(tmp_path / "s.db", sink=Broken()) as made:
            until(lambda: bool(caught), 5)
            with made.pulses._lock:
                assert "publisher" in made.pulses._beats, "a loop that died must be seen as silent, not as retired"
    finally:
        threading.excepthook = before


def test_idle_publisher_hardly_wakes(tmp_path: Path) -> None:
    with ScriptedBroker() as broker, node(tmp_path / "s.db", broker.url) as made:
        until(lambda: made.stat("state") == "connected" and len(broker.publishes) == 1, 10)
        time.sleep(0.3)
        status = Path(f"/proc/self/task/{made.publisher._thread.native_id}/status")

        def switches() -> int:  # of its own will: a busy machine adds others
            return sum(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))

        before = switches()
        time.sleep(1.5)
        assert switches() - before <= 8


@pytest.mark.system
def test_close_delivers_says_offline_and_leaves_no_will(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        with node(tmp_path / "s.db", broker.url) as made:
            until(lambda: made.stat("state") == "connected", 10)
            made.record(0, 300)
            made.recorder.flush(5)
        subscriber.wait(lambda: len(subscriber.heard) >= 302, 10)
        assert [each.topic.split("/")[-1] for each in subscriber.heard][-1] == "status"
        assert subscriber.on(STATUS) == [b"online", b"offline"]
        late = broker.subscribe("edge/#")
        late.wait(lambda: bool(late.heard), 10)
        assert [(each.topic, each.payload, each.retain) for each in late.heard] == [(STATUS, b"offline", True)]
        with node(tmp_path / "s.db", broker.url) as made:
            assert made.recorder.stats()["depth"] == 0


@pytest.mark.system
def test_topic_without_backlog_is_delivered_within_a_second_while_others_drain(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/v1/north/cam-1/obs/other/#")
        made = Node(tmp_path / "s.db", broker.url)
        try:
            made.record(0, 1)
            made.settled()
            for start in range(0, 40_000, 1000):
                made.record(start, 1000, "crossing", "busy")
                assert made.recorder.flush(10)
            before = int(str(made.recorder.stats()["depth"]))
            began = time.monotonic()
            made.record(0, 1, "crossing", "other")
            subscriber.wait(lambda: bool(subscriber.heard), 10)
            waited = time.monotonic() - began
            left = int(str(made.recorder.stats()["depth"]))
            assert before > 5000, "there was no backlog to speak of"
            assert left > before / 2 or waited < 1, f"it waited for the others: {before} -> {left} in {waited:.2f} s"
        finally:
            made.publisher.close(0.5)
            made.recorder.close(5)
