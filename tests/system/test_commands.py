"""Commands to the real daemon over a real broker: answered, also those that were given while it was away; a reload that is wrong changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker, Subscriber
from tests.peers.daemon import DaemonProcess
from tests.system.test_load import write_load

pytestmark = pytest.mark.system
NODE = "edge/v1/test/box"


def answer(operator: Subscriber, topic: str, count: int = 1) -> dict[str, Any]:
    """The newest of `count` answers on a topic below reply/."""
    operator.wait(lambda: len(operator.on(f"{NODE}/reply/{topic}")) >= count, 20, f"no answer on {topic}")
    body: dict[str, Any] = json.loads(operator.on(f"{NODE}/reply/{topic}")[-1])
    return body


def online(broker: Broker) -> None:
    """Until the node is: it has asked for commands then."""
    watcher = broker.subscribe(f"{NODE}/status")
    watcher.wait(lambda: watcher.on(f"{NODE}/status")[-1:] == [b"online"], 20)


def test_ping_dump_and_reload_are_answered(tmp_path: Path, broker: Broker) -> None:
    operator = broker.subscribe(f"{NODE}/reply/#")
    config = write_load(tmp_path, broker)
    with DaemonProcess(config) as daemon:
        online(broker)
        operator.publish(f"{NODE}/cmd/ping", b'{"id":"1"}')
        said = answer(operator, "1")
        assert (said["ok"], said["cmd"], said["id"]) == (True, "ping", "1")
        assert said["data"]["uptime_s"] > 0

        operator.publish(f"{NODE}/cmd/dump", ResponseTopic=f"{NODE}/reply/me", CorrelationData=b"42")
        dump = answer(operator, "me")["data"]
        assert dump["health"]["mqtt"]["state"] == "connected"
        assert {"recorder", "publisher"} <= {name.rpartition("-")[0] for name in dump["threads"]}
        assert dump["config"]["sensor"][0]["name"] == "oracle"
        (reply,) = [each for each in operator.heard if each.topic.endswith("/reply/me")]
        assert reply.properties.CorrelationData == b"42"

        text = config.read_text()
        config.write_text(text.replace("rate=500", "rate=nonsense"))
        operator.publish(f"{NODE}/cmd/reload", b'{"id":"2"}')
        wrong = answer(operator, "2")
        assert wrong["ok"] is False and "device.toml:" in wrong["error"]
        config.write_text(text.replace("rate=500", "rate=5"))
        operator.publish(f"{NODE}/cmd/reload", b'{"id":"3"}')
        assert answer(operator, "3")["data"] == {"begun_anew": ["oracle"]}

        operator.publish(f"{NODE}/cmd/fly", b'{"id":"4"}')
        assert "expected one of dump, ping, reload" in answer(operator, "4")["error"]
        assert daemon.stop() == 0


def test_command_given_while_the_node_was_away_is_done_when_it_is_back(tmp_path: Path, broker: Broker) -> None:
    operator = broker.subscribe(f"{NODE}/reply/#")
    config = write_load(tmp_path, broker)
    with DaemonProcess(config) as daemon:
        online(broker)
        operator.publish(f"{NODE}/cmd/ping", b'{"id":"here"}')
        answer(operator, "here")
        operator.publish(f"{NODE}/cmd/ping", b'{"id":"next"}')
        answer(operator, "next")  # stands behind the acknowledgement of the one before: the broker has that by now
        daemon.kill()
        operator.publish(f"{NODE}/cmd/ping", b'{"id":"away"}')
        daemon.start()
        assert answer(operator, "away")["ok"] is True
        assert daemon.stop() == 0
    assert len(operator.on(f"{NODE}/reply/here")) == 1, "it was acknowledged: it is not done again"
