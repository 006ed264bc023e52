"""The subscriber that DELIVERY.md shows: what arrives twice is kept once, what came while it was away or dead is not missed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.deliver import mqtt
from tests.peers.broker import Broker, until
from tests.peers.proxy import Proxy
from tests.runtime.test_publisher import node

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "subscriber.py"


@contextmanager
def subscriber(port: int, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-W", "error", str(EXAMPLE), "127.0.0.1", str(port), str(file)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kept(file: Path) -> list[int]:
    """The numbers in its table, in the order of arrival."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return [json.loads(body)["data"]["n"] for (body,) in connection.execute("SELECT body FROM events ORDER BY rowid")]
    except sqlite3.OperationalError:
        return []  # the table is being made
    finally:
        connection.close()


@pytest.mark.system
def test_every_event_is_kept_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 0.1)
    file = tmp_path / "events.db"
    count = 1500
    with Broker(tmp_path / "broker", persistent=True) as broker, Proxy(broker.port) as proxy:
        witness = broker.subscribe("edge/v1/+/+/obs/#")
        with node(tmp_path / "s.db", f"mqtt://127.0.0.1:{proxy.port}") as box:
            with subscriber(broker.port, file):
                until(lambda: "city-ops-events 1 edge/v1/+/+/obs/#" in broker.log, 20)
                proxy.delay_s = 0.3  # of the acknowledgements
                for start in range(0, 600, 100):
                    before = len(witness.heard)
                    box.record(start, 100)
                    witness.wait(lambda seen=before: len(witness.heard) > seen, 20)
                    proxy.cut()  # the broker has what it had no time to acknowledge, and gets it again
                proxy.delay_s = 0.0
                until(lambda: len(kept(file)) > 100, 20)
            box.record(600, count - 600)  # it was killed; the broker collects
            box.settled(30)
            with subscriber(broker.port, file):
                until(lambda: len(kept(file)) >= count, 30, str(len(kept(file))))
        sent = [json.loads(each.payload)["data"]["n"] for each in list(witness.heard)]
    assert kept(file) == list(range(count))
    assert set(sent) == set(range(count))
    assert len(sent) > count, "nothing was sent twice: this proves nothing"
    print(f"delivered {len(sent)} times, kept {count}")


def test_example_is_short_and_stands_in_the_page() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line.strip() and not line.startswith('"""')]
    assert len(code) <= 22
    assert text.partition('"""\n')[2].strip() in (ROOT / "DELIVERY.md").read_text(encoding="utf-8")
