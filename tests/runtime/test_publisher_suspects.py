"""Messages that the broker refuses, or answers by ending the connection: tried again, found, buried and told, and no other is lost."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.deliver import mqtt, suspects
from edge_runtime.types import ClockState, Event
from tests.peers.broker import until
from tests.peers.scripted import ACK, DROP, OUT, Publish, ScriptedBroker
from tests.runtime.test_publisher import CLOCK, ENVELOPER, count_of, node


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
