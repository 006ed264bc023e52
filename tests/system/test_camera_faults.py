"""The stream dies, hangs, changes, or its decoder is killed: frames flow again, the blind time is said, and nothing else restarts."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker
from tests.peers.daemon import DaemonProcess, write_config
from tests.peers.rtsp import RtspServer
from tests.system.conftest import camera_table, wait_for

pytestmark = [pytest.mark.system, pytest.mark.material]

RETURN_LIMIT_S = 10.0  # a stream that is back is seen again within this


class Street:
    """Two cameras on two servers, so that the fault of one can be told from the daemon's own."""

    def __init__(self, tmp_path: Path, bundle_folder: Path, broker: Broker, main: RtspServer, side: RtspServer) -> None:
        cameras = [camera_table("main", main.url("/main"), fps=5), camera_table("side", side.url("/side"), fps=5)]
        self.messages = broker.subscribe("edge/v1/#")
        self.daemon = DaemonProcess(write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=cameras))

    def __enter__(self) -> Street:
        self.daemon.__enter__()
        for name in ("main", "side"):
            wait_for(lambda name=name: self.health(name).get("state") == "live", 30, f"{name} is live")
        return self

    def __exit__(self, *why: Any) -> None:
        self.daemon.__exit__(*why)

    def health(self, stream: str) -> dict[str, Any]:
        """The stream's part of the newest health message."""
        reports = self.messages.on("edge/v1/test/box/health")
        return dict(json.loads(reports[-1])["streams"][stream]) if reports else {}

    def events(self, stream: str, kind: str) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.messages.on(f"edge/v1/test/box/obs/{stream}/{kind}")]

    def processed(self, stream: str) -> int:
        return int(self.health(stream).get("processed", 0))

    def flows_again(self, stream: str, beyond: int) -> None:
        wait_for(lambda: self.health(stream).get("state") == "live" and self.processed(stream) > beyond, RETURN_LIMIT_S, f"{stream} flows again")

    def side_was_not_touched(self) -> None:
        assert self.daemon.running
        side = self.health("side")
        assert (side["state"], side["connects"], side["restarts"]) == ("live", 1, 0)
        assert self.health("main")["restarts"] == 0, "a dead stream must not cost the lane"


@pytest.fixture
def street(tmp_path: Path, bundle_folder: Path, broker: Broker, server: RtspServer, busy_road: Path) -> Any:
    with RtspServer({"/side": busy_road}) as side, Street(tmp_path, bundle_folder, broker, server, side) as street:
        yield street


def _blind_s(street: Street) -> float:
    """Seconds that the main camera's windows declare as blind."""
    forward = [event for event in street.events("main", "count") if event["data"]["dir"] == "forward"]
    return float(sum(event["seen"]["blind_s"] for event in forward))


def test_server_killed_and_restarted_flows_again_and_the_blind_seconds_are_said(street: Street, server: RtspServer) -> None:
    server.kill()
    wait_for(lambda: street.health("main").get("state") == "away", 15, "the dead server is noticed")
    time.sleep(8)
    before = street.processed("main")
    server.restart()
    street.flows_again("main", before)
    wait_for(lambda: _blind_s(street) >= 8, 20, "the windows say how long they were blind")
    assert [event["data"]["state"] for event in street.events("main", "camera")] == ["live", "away", "live"]
    assert street.events("main", "camera")[-1]["data"]["away_s"] >= 8
    street.side_was_not_touched()


def test_server_paused_for_a_minute_flows_again(street: Street, server: RtspServer) -> None:
    server.pause()
    try:
        wait_for(lambda: street.health("main").get("state") == "away", 20, "the silent server is noticed")
        time.sleep(60)
        before = street.processed("main")
    finally:
        server.resume()
    street.flows_again("main", before)
    wait_for(lambda: _blind_s(street) >= 55, 20, "the windows say how long they were blind")
    street.side_was_not_touched()


def test_server_switched_to_another_resolution_flows_again_and_counts_go_on(street: Street, server: RtspServer, material: Path) -> None:
    total = wait_for(lambda: street.events("main", "crossing"), 40, "a crossing before the switch")
    server.kill()
    server.restart({"/main": material / "videos" / "busy_road" / "busy_road_1080p.mp4"})
    before = street.processed("main")
    street.flows_again("main", before)
    wait_for(lambda: len(street.events("main", "crossing")) > len(total) + 2, 40, "crossings after the switch")
    street.side_was_not_touched()


def test_capture_child_killed_is_begun_anew(street: Street) -> None:
    victims = {int(child.pid) for child in street.daemon.children()}
    assert len(victims) == 2
    mine = wait_for(lambda: street.health("main").get("child_pid"), 5, "health names the child")
    assert mine in victims
    before = street.processed("main")
    os.kill(mine, signal.SIGKILL)
    street.flows_again("main", before)
    assert street.health("main")["connects"] == 2
    assert wait_for(lambda: street.health("main").get("child_pid") != mine, 5, "a new child")
    street.side_was_not_touched()


def test_capture_child_that_hangs_is_killed_by_the_watchdog(street: Street) -> None:
    mine = wait_for(lambda: street.health("main").get("child_pid"), 5, "health names the child")
    before = street.processed("main")
    os.kill(mine, signal.SIGSTOP)
    # by its event: it is back so soon that no health message need fall into the time between
    wait_for(lambda: "away" in [event["data"]["state"] for event in street.events("main", "camera")], 20, "the hung child is noticed")
    street.flows_again("main", before)
    wait_for(lambda: street.health("main").get("child_pid") not in (None, mine), 5, "a new child")
    street.side_was_not_touched()
