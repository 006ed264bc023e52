"""The publisher: spool to broker and back, with a sink in memory, a scripted broker, and a real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.deliver import mqtt
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
from tests.peers.scripted import ACK, HOLD, Publish, ScriptedBroker

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
