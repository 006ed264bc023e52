"""sim:load through the real daemon to a real broker: an oracle that counts can trust its numbers."""

from __future__ import annotations

import json
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker, Subscriber
from tests.peers.daemon import DaemonProcess

pytestmark = pytest.mark.system

RATE = 500
TOPIC = "edge/v1/test/box/obs/oracle/load"


def write_load(folder: Path, broker: Broker) -> Path:
    """A device without camera or model."""
    path = folder / "device.toml"
    path.write_text(f"""
[device]
site = "test"
node = "box"
health = "1s"

[mqtt]
url = "{broker.url}"

[spool]
path = "spool.db"

[[sensor]]
name = "oracle"
source = "sim:load?rate={RATE}"
""")
    return path


def numbers(heard: Subscriber) -> list[int]:
    return [int(json.loads(body)["data"]["n"]) for body in heard.on(TOPIC)]


def period_s(heard: Subscriber) -> float:
    """Between the times of the last two events."""
    before, after = (when(json.loads(body)) for body in heard.on(TOPIC)[-2:])
    return (after - before).total_seconds()


def when(body: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(body["time"].replace("Z", "+00:00"))


def test_load_arrives_whole_and_in_order_at_its_rate(tmp_path: Path, broker: Broker) -> None:
    heard = broker.subscribe("edge/v1/#")
    with DaemonProcess(write_load(tmp_path, broker)) as daemon:
        assert "1 sensor" in daemon.ready_line
        assert "no model" in daemon.ready_line
        heard.wait(lambda: len(heard.on(TOPIC)) >= 3 * RATE, 60, "three seconds of load")
        assert daemon.stop() == 0
    bodies = [json.loads(body) for body in heard.on(TOPIC)]
    assert [body["data"]["n"] for body in bodies] == list(range(1, len(bodies) + 1))
    assert {(body["type"], body["stream"], body["node"]) for body in bodies} == {("load", "oracle", "box")}
    times = [when(body) for body in bodies]
    assert times == sorted(times)
    health = [json.loads(body)["sensors"]["oracle"] for body in heard.on("edge/v1/test/box/health")]
    assert health[-1]["state"] == "live"
    assert 0 < health[-1]["n"] <= len(bodies)


def test_load_after_a_kill_misses_no_number_and_repeats_one_under_its_own_id_only(tmp_path: Path, broker: Broker) -> None:
    heard = broker.subscribe("edge/v1/#")
    daemon = DaemonProcess(write_load(tmp_path, broker))
    with daemon:
        heard.wait(lambda: len(heard.on(TOPIC)) >= RATE, 60, "a second of load")
        daemon.send(signal.SIGKILL)
    with daemon:
        before = len(heard.on(TOPIC))
        heard.wait(lambda: len(heard.on(TOPIC)) >= before + RATE, 60, "another second")
        assert daemon.stop() == 0
    bodies = [json.loads(body) for body in heard.on(TOPIC)]
    once = {body["id"]: body["data"]["n"] for body in bodies}
    assert sorted(once.values()) == list(range(1, len(once) + 1)), "each number under one id, none left out"


def test_reload_that_changes_the_rate_goes_on_with_the_numbers(tmp_path: Path, broker: Broker) -> None:
    heard = broker.subscribe("edge/v1/#")
    config = write_load(tmp_path, broker)
    with DaemonProcess(config) as daemon:
        heard.wait(lambda: len(heard.on(TOPIC)) >= 100, 60, "some load")
        config.write_text(config.read_text().replace(f"rate={RATE}", "rate=50"))
        daemon.send(signal.SIGHUP)
        heard.wait(lambda: any(b"rate=50" in body for body in heard.on("edge/v1/test/box/info")), 30, "the new config")
        before = len(heard.on(TOPIC))
        heard.wait(lambda: len(heard.on(TOPIC)) >= before + 60 and abs(period_s(heard) - 1 / 50) <= 0.002, 30, "load at the new rate")
        assert daemon.stop() == 0
    assert numbers(heard) == list(range(1, len(numbers(heard)) + 1))
