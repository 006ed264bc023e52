"""A simulated street as the camera of a real daemon: no device, no file, no network but the broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker
from tests.peers.daemon import DaemonProcess, write_config
from tests.system.conftest import camera_table, wait_for

pytestmark = pytest.mark.system

TOPIC = "edge/v1/test/box"
LINE = """
  [[camera.line]]
  name = "across"
  points = [[0.5, 0.0], [0.5, 1.0]]
"""


def test_daemon_runs_a_street_at_its_pace_and_publishes_nothing_of_its_truth(tmp_path: Path, tiny_bundle: Path, broker: Broker) -> None:
    heard = broker.subscribe("edge/v1/#")
    street = camera_table("corner", "sim:junction?seed=1&density=3&size=320x180", fps=5, interval="2s", line=LINE)
    config = write_config(tmp_path, broker_url=broker.url, bundle=tiny_bundle, cameras=[street])

    def bodies(topic: str) -> list[dict[str, Any]]:
        return [json.loads(body) for body in heard.on(f"{TOPIC}/{topic}")]

    def seen() -> list[dict[str, Any]]:
        """What whole windows rest on, but for those that passed while the street was being built."""
        forward = [body for body in bodies("obs/corner/count") if not body.get("partial") and body["data"]["dir"] == "forward"]
        return [body["seen"] for body in forward if body["seen"]["blind_s"] == 0]

    with DaemonProcess(config) as daemon:
        wait_for(lambda: len(seen()) >= 2, 60, "two whole windows")
        assert daemon.children() == [], "it is drawn in the daemon itself"
        assert daemon.stop() == 0
    assert all(each["frames_expected"] == 10 for each in seen())
    assert all(5 <= each["frames_processed"] <= 11 for each in seen()), "a frame may fall on either side of a border"
    assert bodies("obs/corner/camera")[0]["data"]["state"] == "live"
    stream = bodies("health")[-1]["streams"]["corner"]
    assert (stream["state"], stream["child_pid"]) == ("live", None)
    assert stream["decoded"] >= 6 * (stream["selected"] - 1), "30 pictures/s go by, of which 5 are drawn"
    everything = b"\n".join(message.payload for message in heard.heard)
    assert b"speed_kmh" not in everything
    assert b"visibility" not in everything
