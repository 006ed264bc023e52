"""The real daemon on a disk that is full or read-only when it starts, and whose spool is deleted while it runs: an oracle that counts."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker, Subscriber, until
from tests.peers.daemon import DaemonProcess
from tests.peers.disk import small_disk
from tests.system.test_load import TOPIC, numbers, write_load

pytestmark = pytest.mark.system


def fill(disk: Path) -> Callable[[], object]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast.unlink


def make_read_only(disk: Path) -> Callable[[], object]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def spool_states(heard: Subscriber) -> list[dict[str, Any]]:
    return [json.loads(body)["spool"] for body in heard.on("edge/v1/test/box/health")]


def require_all(heard: Subscriber) -> None:
    """Each number, in order, and each under one id only: what came twice came as the same message."""
    ids: dict[int, set[str]] = {}
    for body in heard.on(TOPIC):
        event = json.loads(body)
        ids.setdefault(event["data"]["n"], set()).add(event["id"])
    found = list(ids)
    assert found == list(range(found[0], found[0] + len(found)))
    assert found[0] in (0, 1)
    assert all(len(each) == 1 for each in ids.values()), "one event under two ids"


@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_start_on_a_disk_that_takes_no_writes_counts_on_and_heals(tmp_path: Path, spoil: Callable[[Path], Callable[[], object]]) -> None:
    with small_disk(tmp_path / "disk") as disk, Broker(tmp_path / "broker") as broker:
        heard = broker.subscribe("edge/v1/#", client_id="city")
        config = write_load(tmp_path, broker)
        config.write_text(config.read_text().replace('"spool.db"', f'"{disk / "spool.db"}"').replace("rate=500", "rate=50"))
        with DaemonProcess(config) as daemon:
            heard.wait(lambda: len(numbers(heard)) > 20, 20)
            daemon.stop()
        require_all(heard)
        heal = spoil(disk)
        before = len(numbers(heard))
        with DaemonProcess(config) as daemon:
            heard.wait(lambda: len(numbers(heard)) > before + 50, 30)
            heard.wait(lambda: spool_states(heard)[-1]["state"] == "memory", 10)
            assert spool_states(heard)[-1]["reason"]
            require_all(heard)
            heal()
            heard.wait(lambda: spool_states(heard)[-1]["state"] == "disk", 20)
            daemon.stop()
        before = len(numbers(heard))
        with DaemonProcess(config) as daemon:
            heard.wait(lambda: len(numbers(heard)) > before + 20, 20)
            daemon.stop()
        require_all(heard)


def test_spool_that_is_deleted_under_the_daemon_while_the_broker_is_away_loses_nothing(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", persistent=True) as broker:
        heard = broker.subscribe("edge/v1/#", client_id="city")
        config = write_load(tmp_path, broker)
        with DaemonProcess(config) as daemon:
            heard.wait(lambda: len(numbers(heard)) > 100, 20)
            broker.stop()
            for path in tmp_path.glob("spool.db*"):
                path.unlink()
            until(lambda: daemon.said("written anew"), 20)
            daemon.kill()
            daemon.start()
            broker.start()
            last = numbers(heard)[-1]
            heard.wait(lambda: numbers(heard)[-1] > last + 1000, 30)
            require_all(heard)
            daemon.stop()
