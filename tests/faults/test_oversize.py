"""Messages above what the broker takes are set aside after a bounded number of tries, and the rest flows: with mosquitto, on both protocols."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from edge_runtime.deliver import mqtt
from edge_runtime.deliver.suspects import LONE_STRIKES, STRIKES
from edge_runtime.types import ClockState, Event
from tests.peers.broker import Broker, until
from tests.runtime.test_publisher import CLOCK, ENVELOPER, Node, node

pytestmark = pytest.mark.system
LIMIT = 4000


def large(box: Node) -> None:
    """One event that this broker does not take, on a topic of its own, between two that it takes."""
    events = [Event("crossing", "big", CLOCK.now(), {"n": n, "pad": "x" * (LIMIT if n == 1 else 1)}) for n in range(3)]
    box.recorder.record([ENVELOPER.wrap(event, ClockState.NTP) for event in events], {})


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_message_above_the_brokers_limit_is_set_aside_while_the_rest_flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.1)
    enough = threading.Event()
    given = 0
    with Broker(tmp_path / "broker", f"max_packet_size {LIMIT}") as broker:
        subscriber = broker.subscribe("edge/v1/+/+/obs/#")
        with node(tmp_path / "s.db", broker.url, protocol=protocol) as box:
            until(lambda: box.stat("state") == "connected", 10)
            large(box)
            while int(str(box.stat("buried"))) == 0 and given < 5000:  # others go on all the time
                box.record(given, 5)
                given += 5
                enough.wait(0.02)
            assert box.stat("buried") == 1, box.publisher.stats()
            subscriber.wait(lambda: any(each.topic.endswith("/big/gap") for each in list(subscriber.heard)), 20, "no gap")
            box.settled(30)
            tries = int(str(box.stat("reconnects")))
        heard = [(each.topic.split("/")[-2:], json.loads(each.payload)) for each in list(subscriber.heard)]
    others = [body["data"]["n"] for (stream, _), body in heard if stream == "s"]
    assert list(dict.fromkeys(others)) == list(range(given)), "in order, and none is missing"
    assert list(dict.fromkeys(body["data"]["n"] for (stream, kind), body in heard if (stream, kind) == ("big", "crossing"))) == [0, 2]
    gaps = [body for (_, kind), body in heard if kind == "gap"]
    assert [(gap["stream"], gap["data"]["reason"], gap["data"]["messages"]) for gap in gaps] == [("big", "refused", 1)]
    assert (tries == 0) if protocol == "5" else (0 < tries <= 2 * (STRIKES + LONE_STRIKES)), tries
    connection = sqlite3.connect(tmp_path / "s.db")
    ((body, why),) = connection.execute("SELECT body, why FROM dead").fetchall()
    connection.close()
    assert json.loads(body)["data"]["n"] == 1
    assert ("limit of 4000 bytes" if protocol == "5" else "ends the connection") in why
    print(f"MQTT {protocol}: set aside after {tries} lost connections, {given} others delivered meanwhile, {len(others) - given} of them twice")
