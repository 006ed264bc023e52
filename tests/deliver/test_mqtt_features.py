"""What MQTT 5 has beside delivery, and what is left of it on 3.1.1, against a real mosquitto: expiry, properties, commands, size limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.deliver.link import Message, Request
from edge_runtime.deliver.mqtt import MqttOptions, MqttSink
from edge_runtime.deliver.setaside import STRIKES
from edge_runtime.types import Settlement
from tests.deliver.test_mqtt import answers, connected, row, sink, turn
from tests.peers.broker import Broker
from tests.peers.proxy import Proxy

pytestmark = pytest.mark.system
NODE = "edge/v1/a/b"
CROSSING = f"{NODE}/obs/s/crossing"
ENVELOPE = b'{"v":1,"id":"b7f1c2-7","seq":7,"type":"crossing","node":"b","stream":"s","time":"2026-11-05T10:03:12.480Z","data":{}}'


@contextmanager
def commanded(url: str, protocol: Any = "5") -> Iterator[MqttSink]:
    """A sink that hears commands."""
    made = MqttSink(MqttOptions(url=url, protocol=protocol), "a-b", None, f"{NODE}/cmd")
    made.connect()
    try:
        yield made
    finally:
        made.close(2.0)


def heard(made: MqttSink, count: int) -> list[Request]:
    """The next `count` commands."""
    found: list[Request] = []
    turn(made, lambda: found.extend(made.requests()) or len(found) >= count)
    return found


def test_rows_carry_their_expiry_and_nothing_else(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, sink(broker.url, expiry_s=3600.0) as made:
        subscriber = broker.subscribe("edge/#")
        connected(made)
        made.offer(row(1))
        subscriber.wait(lambda: bool(subscriber.heard), 10)
        properties = subscriber.heard[0].properties
        assert 3590 <= properties.MessageExpiryInterval <= 3600
        assert not hasattr(properties, "UserProperty") and not hasattr(properties, "ContentType")


def test_message_that_expired_does_not_wait_for_its_subscriber(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, sink(broker.url) as made:
        broker.subscribe("edge/#", client_id="late").close()
        connected(made)
        made.tell(Message(CROSSING, b"old news", 1, expiry_s=1))
        made.tell(Message(CROSSING, b"lasting", 1, expiry_s=600))
        turn(made, lambda: not made.untold)
        made.wait(2.5)
        late = broker.subscribe("edge/#", client_id="late")
        late.wait(lambda: bool(late.heard), 10)
        assert [each.payload for each in late.heard] == [b"lasting"]


def test_cloudevents_attributes_are_user_properties_and_the_payload_is_unchanged(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, sink(broker.url, formats=("cloudevents",)) as made:
        subscriber = broker.subscribe("edge/#")
        connected(made)
        made.offer(row(7, CROSSING, ENVELOPE))
        subscriber.wait(lambda: bool(subscriber.heard), 10)
        got = subscriber.heard[0]
        assert got.payload == ENVELOPE
        assert got.properties.ContentType == "application/json"
        assert dict(got.properties.UserProperty) == {
            "specversion": "1.0",
            "type": "edge.v1.crossing",
            "source": f"{NODE}/obs/s",
            "id": "b7f1c2-7",
            "time": "2026-11-05T10:03:12.480Z",
        }


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_command_given_while_away_comes_until_it_is_acknowledged(tmp_path: Path, protocol: str) -> None:
    with Broker(tmp_path / "broker") as broker:
        operator = broker.subscribe("other/#")
        with commanded(broker.url, protocol) as made:
            connected(made)
            turn(made, lambda: f"{NODE}/cmd/#" in broker.log)
        operator.publish(f"{NODE}/cmd/ping", b'{"id":"1"}', ResponseTopic=f"{NODE}/reply/x", CorrelationData=b"\0c")
        for time in ("first", "unacknowledged"):
            with commanded(broker.url, protocol) as made:
                (request,) = heard(made, 1)
                assert (request.name, request.payload) == ("ping", b'{"id":"1"}'), time
                assert (request.response_topic, request.correlation) == ((f"{NODE}/reply/x", b"\0c") if protocol == "5" else ("", b""))
        with commanded(broker.url, protocol) as made:
            made.acknowledge(heard(made, 1)[0])
            made.tell(Message(f"{NODE}/reply/x", b"done", 1))
            turn(made, lambda: not made.untold)
        with commanded(broker.url, protocol) as made:
            connected(made)
            operator.publish(f"{NODE}/cmd/dump")
            assert [request.name for request in heard(made, 1)] == ["dump"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_retained_command_is_not_done_at_each_start(tmp_path: Path, protocol: str) -> None:
    with Broker(tmp_path / "broker") as broker:
        operator = broker.subscribe("other/#")
        operator.publish(f"{NODE}/cmd/reload", retain=True)
        with commanded(broker.url, protocol) as made:
            connected(made)
            turn(made, lambda: f"{NODE}/cmd/#" in broker.log)
            operator.publish(f"{NODE}/cmd/ping")
            assert [request.name for request in heard(made, 1)] == ["ping"]


def test_acknowledging_what_another_connection_brought_does_nothing(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, Proxy(broker.port) as proxy:
        operator = broker.subscribe("other/#")
        url = f"mqtt://127.0.0.1:{proxy.port}"
        with commanded(url) as made:
            connected(made)
            turn(made, lambda: f"{NODE}/cmd/#" in broker.log)
            operator.publish(f"{NODE}/cmd/ping")
            (old,) = heard(made, 1)
            proxy.cut()
            turn(made, lambda: made.state.connects == 2, 20)
            (again,) = heard(made, 1)
            made.acknowledge(old)
            assert (old.connects, again.connects) == (1, 2)
        with commanded(url) as made:
            assert [request.name for request in heard(made, 1)] == ["ping"], "the broker took the old acknowledgement for this connection's"


def test_row_above_the_limit_is_settled_for_good_and_the_line_stays(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", "max_packet_size 2000") as broker, sink(broker.url) as made:
        subscriber = broker.subscribe("edge/#")
        connected(made)
        assert made.offer(row(1, body=b"x" * 5000)) and made.offer(row(2, body=b"y" * 1000))
        large, small = answers(made, 2)
        assert not large.accepted and large.final and "limit of 2000 bytes" in large.why
        assert small == Settlement(2, True)
        for size in (5000, 5001, 10):
            assert made.tell(Message(f"{NODE}/info", b"z" * size, 1, True))
        turn(made, lambda: not made.untold)
        subscriber.wait(lambda: len(subscriber.heard) >= 2, 10)
        assert [len(each.payload) for each in subscriber.heard] == [1000, 10]
        assert made.state.connects == 1


def test_rows_near_the_limit_never_end_the_connection(tmp_path: Path) -> None:
    """What the sink thinks too large by a few bytes may be none, but what it sends never is."""
    with Broker(tmp_path / "broker", "max_packet_size 1000") as broker, sink(broker.url, formats=("cloudevents",)) as made:
        connected(made)
        envelope = json.loads(ENVELOPE)
        taken = 0
        for length in range(400, 800, 3):
            envelope["data"] = {"x": "x" * length}
            assert made.offer(row(length, CROSSING, json.dumps(envelope).encode()))
            (settled,) = answers(made, 1)
            taken += settled.accepted
            assert settled.accepted or settled.final
        assert 20 < taken < 134
        assert made.state.connects == 1


def test_told_message_that_ends_the_connection_is_set_aside_on_the_old_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.deliver import mqtt

    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.05)
    with Broker(tmp_path / "broker", "max_packet_size 2000") as broker, sink(broker.url, protocol="3.1.1") as made:
        subscriber = broker.subscribe("edge/#")
        status, info = Message(f"{NODE}/status", b"online", 1, True), Message(f"{NODE}/info", b"z" * 5000, 1, True)
        for connects in range(1, STRIKES + 2):
            turn(made, lambda n=connects: made.state.connects == n, 20)
            made.tell(status)
            turn(made, lambda: not made.untold)
            assert made.tell(info)
            if connects <= STRIKES:
                turn(made, lambda: made.state.name != "connected", 20)
        assert not made.untold, "it was sent once more"
        assert made.tell(Message(f"{NODE}/info", b"shorter", 1, True))
        turn(made, lambda: not made.untold)
        subscriber.wait(lambda: bool(subscriber.on(f"{NODE}/info")), 10)
        assert made.state.connects == STRIKES + 1


def test_subscription_that_is_refused_is_a_state(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text(f"topic write {NODE}/#\n")
    (tmp_path / "acl").chmod(0o644)
    with Broker(tmp_path / "broker", f"acl_file {tmp_path / 'acl'}") as broker, commanded(broker.url) as made:
        connected(made)
        made.tell(Message("edge/v1/a/other/status", b"online", 1))
        turn(made, lambda: bool(made.state.refused))
        assert made.state.name == "connected"
        assert made.state.refused.startswith("edge/v1/a/other/status: Not authorized")
