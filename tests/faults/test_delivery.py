"""Delivery under real faults: a real spool file, a real broker, connections cut, processes killed, disks full."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.deliver import mqtt
from tests.peers.broker import Broker, Subscriber, until
from tests.peers.disk import small_disk
from tests.peers.proxy import Proxy
from tests.runtime.test_publisher import Node, node

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
ROWS = 3000


@pytest.fixture
def quick_redial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten reconnects of a test must not take ten backoffs of a pole in a field."""
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.2)


def messages(subscriber: Subscriber) -> list[dict[str, object]]:
    return [json.loads(each.payload) for each in list(subscriber.heard) if "/obs/" in each.topic]


def require_all(heard: list[dict[str, object]], streams: dict[str, int]) -> int:
    """Nothing lost, nothing twice but under the same id, order kept in each topic; how many came twice."""
    ids = Counter(str(each["id"]) for each in heard)
    meaning: dict[str, object] = {}
    first: dict[str, list[int]] = {stream: [] for stream in streams}
    for each in heard:
        event = (each["stream"], each["data"]["n"])  # type: ignore[index]
        if each["id"] in meaning:
            assert meaning[str(each["id"])] == event, "one id for two events"
            continue
        meaning[str(each["id"])] = event
        first[str(each["stream"])].append(int(each["data"]["n"]))  # type: ignore[index]
    for stream, count in streams.items():
        assert first[stream] == list(range(count)), f"{stream}: lost or out of order"
    return sum(ids.values()) - len(ids)


@pytest.mark.usefixtures("quick_redial")
def test_3000_rows_through_cut_connections_and_restarts_of_the_broker(tmp_path: Path) -> None:
    chance = random.Random(11)
    with Broker(tmp_path / "broker", persistent=True) as broker, Proxy(broker.port) as proxy:
        subscriber = broker.subscribe("edge/#", client_id="city")
        cuts = 0
        with node(tmp_path / "s.db", f"mqtt://127.0.0.1:{proxy.port}") as made:
            until(lambda: made.stat("state") == "connected", 10)
            for start in range(0, ROWS // 3, 50):
                for stream in ("a", "b", "c"):
                    made.record(start, 50, stream=stream)
                time.sleep(chance.uniform(0.01, 0.08))
                if start % 100 == 50:
                    until(lambda cuts=cuts: made.stat("state") == "connected" and int(str(made.stat("reconnects"))) >= cuts, 20)  # type: ignore[misc]
                    cuts += 1
                    if cuts % 4:
                        proxy.cut()
                    else:
                        broker.restart()
            made.settled(40)
            reconnects = int(str(made.stat("reconnects")))
            assert made.recorder.stats()["dropped"] == 0
        subscriber.wait(lambda: len({str(each["id"]) for each in messages(subscriber)}) >= ROWS, 20)
        twice = require_all(messages(subscriber), dict.fromkeys("abc", ROWS // 3))
    assert reconnects >= cuts == 10
    assert twice < ROWS / 10, f"{twice} came twice: more than the windows that were cut"


@pytest.mark.usefixtures("quick_redial")
def test_3000_rows_through_a_broker_that_is_killed_are_each_acknowledged(tmp_path: Path) -> None:
    """SIGKILL takes what mosquitto had only in memory: the promise ends at its acknowledgement, so that is what is counted here."""
    sent: Counter[bytes] = Counter()
    tail = b""

    def watch(piece: bytes) -> None:
        nonlocal tail
        text = tail + piece
        found = list(re.finditer(rb'"id":"[0-9a-f]{6}-(\d+)","seq"', text))
        sent.update(match[1] for match in found)
        tail = text[found[-1].end() if found else max(0, len(text) - 64) :][-64:]

    with Broker(tmp_path / "broker") as broker, Proxy(broker.port) as proxy:
        proxy.watch_up = watch
        with node(tmp_path / "s.db", f"mqtt://127.0.0.1:{proxy.port}") as made:
            for kill in range(10):
                made.record(kill * ROWS // 10, ROWS // 10)
                before = int(str(made.stat("acked")))
                until(lambda before=before: int(str(made.stat("acked"))) > before, 20)  # type: ignore[misc]
                broker.kill()
                broker.start()
            made.settled(40)
            assert int(str(made.stat("acked"))) >= ROWS
            assert int(str(made.stat("reconnects"))) >= 5
    assert len(sent) >= ROWS * 0.99  # an id may lie across two pieces of the stream
    assert {int(each) for each in sent} <= set(range(1, ROWS + 1))


NODE = """
import sys, time
from pathlib import Path
from edge_runtime.clock import SystemClock
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.publisher import Publisher
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import ClockState, Event
clock, enveloper, pulses = SystemClock(), Enveloper("north", "cam-1", None), Pulses()
recorder = Recorder(SpoolOptions(path=Path(sys.argv[1]), commit_ms=20), enveloper, pulses, clock)
recorder.open()
recorder.start()
Publisher(MqttOptions(url=sys.argv[2]), enveloper, "north-cam-1", recorder, pulses).start()
state = recorder.saved("n") or 0
while True:
    for _ in range(5):
        events = [Event("crossing", "s", clock.now(), {"n": state + n}) for n in range(7)]
        state += 7
        recorder.record([enveloper.wrap(event, ClockState.NTP) for event in events], {"n": state})
    if not recorder.flush(10):
        sys.exit("the disk hangs")
    print(state, flush=True)
    time.sleep(0.01)
"""


def test_node_killed_again_and_again_keeps_totals_and_events_in_agreement(tmp_path: Path) -> None:
    chance = random.Random(5)
    path = tmp_path / "s.db"
    said = 0
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        for _ in range(5):
            process = subprocess.Popen([sys.executable, "-c", NODE, str(path), broker.url], stdout=subprocess.PIPE, text=True, cwd=ROOT)
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(chance.uniform(0.05, 0.6))
            process.kill()
            lines += process.stdout.readlines()
            process.wait()
            process.stdout.close()
            said = int([line for line in lines if line.endswith("\n")][-1])
        with node(path, broker.url) as made:
            total = made.recorder.saved("n")
            assert total >= said, "what was said to be stored is not there"
            made.settled(30)
        subscriber.wait(lambda: len({str(each["id"]) for each in messages(subscriber)}) >= total, 20)
        require_all(messages(subscriber), {"s": total})
        assert subscriber.on("edge/v1/north/cam-1/status").count(b"offline") >= 5


def test_broker_down_at_start_then_everything_is_delivered(tmp_path: Path, quick_redial: None) -> None:
    broker = Broker(tmp_path / "broker")
    with node(tmp_path / "s.db", broker.url) as made:
        made.record(0, 500)
        until(lambda: made.stat("state") == "offline", 10)
        assert "nobody listens" in str(made.stat("reason"))
        assert made.recorder.flush(5)
        with broker:
            made.settled(20)
            assert made.stat("acked") == 500


def test_frozen_broker_stalls_nobody_and_takes_everything_when_it_thaws(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        with node(tmp_path / "s.db", broker.url) as made:
            until(lambda: made.stat("state") == "connected", 10)
            broker.freeze(True)
            made.record(0, 1000)
            assert made.recorder.flush(20)
            until(lambda: made.stat("in_flight") == mqtt.WINDOW, 20)
            made.publisher.publish_now("edge/v1/north/cam-1/health", b"{}")
            until(lambda: made.stat("now_sent") == 1, 20)
            assert (made.stat("sent"), made.stat("acked")) == (mqtt.WINDOW, 0), "no more than the window, and nobody waited for the broker"
            broker.freeze(False)
            made.settled(20)
        subscriber.wait(lambda: len(messages(subscriber)) >= 1000, 10)
        assert require_all(messages(subscriber), {"s": 1000}) == 0


def test_slow_broker_gets_everything_once(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker, Proxy(broker.port) as proxy:
        subscriber = broker.subscribe("edge/#")
        proxy.delay_s = 0.03
        with node(tmp_path / "s.db", f"mqtt://127.0.0.1:{proxy.port}") as made:
            made.record(0, 400)
            made.settled(30)
        subscriber.wait(lambda: len(messages(subscriber)) >= 400, 10)
        assert require_all(messages(subscriber), {"s": 400}) == 0


def test_disk_that_fills_up_does_not_stop_delivery(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, Broker(tmp_path / "broker") as broker:
        ballast = disk / "ballast"
        subscriber = broker.subscribe("edge/#")
        with node(disk / "s.db", broker.url) as made:
            made.record(0, 10)
            made.settled()
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            count = 10
            while made.recorder.stats()["state"] == "disk":
                made.record(count, 20)
                count += 20
                assert made.recorder.flush(5)
                assert count < 50_000, "the disk never refused"
            made.record(count, 100)
            count += 100
            subscriber.wait(lambda: len({str(each["id"]) for each in messages(subscriber)}) >= count, 20, "not delivered from memory")
            ballast.unlink()
            until(lambda: made.recorder.stats()["state"] == "disk" or made.record(count, 0), 20)
            made.record(count, 50)
            count += 50
            made.settled(20)
            subscriber.wait(lambda: len({str(each["id"]) for each in messages(subscriber)}) >= count, 20)
        require_all(messages(subscriber), {"s": count})
        with node(disk / "s.db", broker.url) as made:
            assert made.recorder.saved("n") == count, "the total is that of the disk, also for what was delivered from memory"


def test_broken_spool_at_start_becomes_a_gap_at_the_subscriber(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(os.urandom(100_000))
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        with node(path, broker.url) as made:
            made.record(0, 3)
            subscriber.wait(lambda: len(messages(subscriber)) >= 4, 15)
        (gap,) = [each for each in messages(subscriber) if each["type"] == "gap"]
        assert gap["stream"] == "node"
        data = gap["data"]
        assert isinstance(data, dict)
        assert data["reason"] == "corrupt"
        assert data["from"] < data["to"] <= str(gap["time"])
    assert len(list(tmp_path.glob("s.db.corrupt-*"))) == 1


def test_line_cut_in_the_middle_of_a_packet_is_made_good(tmp_path: Path, quick_redial: None) -> None:
    with Broker(tmp_path / "broker") as broker, Proxy(broker.port) as proxy:
        subscriber = broker.subscribe("edge/#")
        made = Node(tmp_path / "s.db", f"mqtt://127.0.0.1:{proxy.port}")
        try:
            for round_ in range(5):
                passed = 0

                def watch(piece: bytes, limit: int = 700 + 333 * round_) -> None:
                    nonlocal passed
                    passed += len(piece)
                    if passed > limit:
                        proxy.watch_up = lambda _piece: None
                        raise OSError("cut")

                proxy.watch_up = watch
                made.record(round_ * 40, 40)
                time.sleep(0.3)
            made.settled(20)
        finally:
            made.publisher.close(2)
            made.recorder.close(5)
        subscriber.wait(lambda: len({str(each["id"]) for each in messages(subscriber)}) >= 200, 10)
        require_all(messages(subscriber), {"s": 200})
