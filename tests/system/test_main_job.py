"""From a real RTSP stream to a real subscriber."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker
from tests.peers.daemon import DaemonProcess, write_config
from tests.peers.rtsp import RtspServer
from tests.system.conftest import camera_table, wait_for

pytestmark = [pytest.mark.system, pytest.mark.material]

TOPIC = "edge/v1/test/box"


def _json(messages: Any, topic: str) -> list[dict[str, Any]]:
    return [json.loads(body) for body in messages.on(f"{TOPIC}/{topic}")]


def test_crossings_arrive_at_mosquitto_sub(tmp_path: Path, bundle_folder: Path, broker: Broker, server: RtspServer) -> None:
    config = write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=[camera_table("main", server.url("/main"))])
    command = ["mosquitto_sub", "-p", str(broker.port), "-t", f"{TOPIC}/obs/+/crossing", "-C", "3", "-W", "60"]
    with DaemonProcess(config), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        out, _ = subscriber.communicate(timeout=90)
    crossings = [json.loads(line) for line in out.splitlines()]
    assert len(crossings) == 3
    for crossing in crossings:
        assert crossing["v"] == 1
        assert crossing["type"] == "crossing"
        assert (crossing["node"], crossing["stream"]) == ("box", "main")
        assert crossing["id"].endswith(f"-{crossing['seq']}")
        assert crossing["data"]["rule"] == "main"
        assert crossing["data"]["dir"] == "forward"
        assert crossing["model"].startswith("yolox-nano@")
    assert len({crossing["data"]["track"] for crossing in crossings}) == 3


def test_drain_on_sigterm_closes_windows_says_goodbye_and_leaves_no_child(
    tmp_path: Path, bundle_folder: Path, broker: Broker, server: RtspServer
) -> None:
    messages = broker.subscribe("edge/v1/#")
    config = write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=[camera_table("main", server.url("/main"), interval="24h")])
    with DaemonProcess(config) as daemon:
        wait_for(lambda: _json(messages, "obs/main/crossing"), 60, "a crossing")
        children = daemon.children()
        assert daemon.stop() == 0
        assert not any(child.is_running() for child in children)
    counts = wait_for(lambda: _json(messages, "obs/main/count"), 5, "the last window")
    assert {count["data"]["dir"] for count in counts} == {"forward", "backward"}
    assert all(count["partial"] for count in counts)
    forward = next(count for count in counts if count["data"]["dir"] == "forward")
    assert forward["data"]["total"] == sum(forward["data"]["counts"].values()) == len(_json(messages, "obs/main/crossing"))
    assert messages.on(f"{TOPIC}/status")[-1] in (b"offline", "offline")


def test_drain_ends_though_capture_hangs_a_camera_does_not_answer_and_the_broker_is_frozen(
    tmp_path: Path, bundle_folder: Path, broker: Broker, server: RtspServer, busy_road: Path
) -> None:
    messages = broker.subscribe("edge/v1/#")
    with RtspServer({"/mute": busy_road}) as mute:
        mute.pause()
        cameras = [camera_table("main", server.url("/main"), fps=5, interval="24h"), camera_table("mute", mute.url("/mute"), fps=5)]
        with DaemonProcess(write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=cameras)) as daemon:
            wait_for(lambda: _json(messages, "obs/main/camera"), 60, "main is live")
            children = daemon.children()
            for child in children:
                child.suspend()
            broker.freeze(True)
            assert daemon.stop(limit_s=20.0) == 0, "everything ended by itself, nothing was left behind"
            assert not any(child.is_running() for child in children)
            assert not daemon.said("SIGKILL"), "a camera that was let go has not failed"
        mute.resume()
    broker.freeze(False)
    with DaemonProcess(write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=cameras)):

        def last_window() -> set[str]:
            return {count["data"]["dir"] for count in _json(messages, "obs/main/count") if count.get("partial")}

        wait_for(lambda: last_window() == {"forward", "backward"}, 30, "what the broker did not take comes later")


def test_kill_and_restart_totals_go_on_the_window_is_partial_and_the_time_down_is_a_gap(
    tmp_path: Path, bundle_folder: Path, broker: Broker, server: RtspServer
) -> None:
    messages = broker.subscribe("edge/v1/#")
    config = write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=[camera_table("main", server.url("/main"), interval="24h")])
    with DaemonProcess(config):
        wait_for(lambda: len(_json(messages, "obs/main/crossing")) >= 3, 60, "three crossings")
        time.sleep(0.5)  # the group commit window: what was published is on disk
    wait_for(lambda: messages.on(f"{TOPIC}/status")[-1] in (b"offline", "offline"), 60, "the last will")
    first = _json(messages, "obs/main/crossing")
    time.sleep(2)
    with DaemonProcess(config) as daemon:
        gap = wait_for(lambda: _json(messages, "obs/main/gap"), 20, "the time down is declared")[0]
        assert gap["data"]["reason"] == "down"
        assert gap["data"]["from"] < gap["data"]["to"]
        wait_for(lambda: len(_json(messages, "obs/main/crossing")) >= len(first) + 2, 60, "two more crossings")
        assert daemon.stop() == 0
    crossings = {crossing["id"]: crossing for crossing in _json(messages, "obs/main/crossing")}
    counts = {count["id"]: count for count in _json(messages, "obs/main/count") if count["data"]["dir"] == "forward"}
    assert all(count["partial"] for count in counts.values())
    assert sum(count["seen"]["blind_s"] for count in counts.values()) >= 2, "the time down was not seen"
    assert sum(sum(count["data"]["counts"].values()) for count in counts.values()) == len(crossings)
    assert [count["data"]["total"] for count in counts.values()][-1] == len(crossings)
    assert len({crossing["data"]["track"] for crossing in crossings.values()}) == len(crossings), "ids are never given twice"


def test_reload_takes_over_a_good_config_and_refuses_a_bad_one(tmp_path: Path, bundle_folder: Path, broker: Broker, busy_road: Path) -> None:
    messages = broker.subscribe("edge/v1/#")
    streams = RtspServer({"/main": busy_road, "/side": busy_road})
    with streams as server:
        main, side = camera_table("main", server.url("/main"), fps=5), camera_table("side", server.url("/side"), fps=5)

        def write(*cameras: str) -> Path:
            return write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=cameras)

        def streams_of(report: dict[str, Any]) -> dict[str, Any]:
            return dict(report["streams"])

        with DaemonProcess(write(main)) as daemon:
            wait_for(lambda: _json(messages, "health") and streams_of(_json(messages, "health")[-1])["main"]["state"] == "live", 30, "main is live")
            write(main, side.replace("fps = 5", "fps = 0"))
            daemon.send(signal.SIGHUP)
            wait_for(lambda: daemon.said("fps = 0"), 15, "the bad config is explained")
            refused = wait_for(lambda: _json(messages, "info")[-1]["config"]["refused"], 10, "info says that it was refused")
            assert "fps = 0" in refused
            write(main, side)
            daemon.send(signal.SIGHUP)
            wait_for(lambda: streams_of(_json(messages, "health")[-1]).get("side", {}).get("state") == "live", 30, "side is live")
            report = streams_of(_json(messages, "health")[-1])
            assert report["main"]["connects"] == 1, "an untouched camera goes on undisturbed"
            assert _json(messages, "info")[-1]["config"]["refused"] is None
            write(side)
            daemon.send(signal.SIGHUP)
            wait_for(lambda: set(streams_of(_json(messages, "health")[-1])) == {"side"}, 15, "main is gone")
            assert daemon.stop() == 0


def test_four_cameras_share_two_cores_fairly_and_health_agrees_with_the_sender(
    tmp_path: Path, bundle_folder: Path, broker: Broker, busy_road: Path
) -> None:
    names = ["north", "east", "south", "west"]
    messages = broker.subscribe("edge/v1/#")
    with RtspServer({f"/{name}": busy_road for name in names}) as server:
        cameras = [camera_table(name, server.url(f"/{name}"), fps=30) for name in names]
        with DaemonProcess(write_config(tmp_path, broker_url=broker.url, bundle=bundle_folder, cameras=cameras)):

            def newest() -> dict[str, Any]:
                return dict(_json(messages, "health")[-1]["streams"])

            wait_for(lambda: _json(messages, "health") and all(stream["state"] == "live" for stream in newest().values()), 40, "all four are live")
            before, sent_before = newest(), {name: server.sent(f"/{name}") for name in names}
            time.sleep(15)
            after, sent = newest(), {name: server.sent(f"/{name}") for name in names}
    shares = {name: after[name]["processed"] - before[name]["processed"] for name in names}
    assert min(shares.values()) > 0
    assert min(shares.values()) >= 0.8 * max(shares.values()), shares
    for name in names:
        decoded = after[name]["decoded"] - before[name]["decoded"]
        expected = sent[name] - sent_before[name]
        # health is a second old at most and RTP is in flight: two seconds of 30 frames/s
        assert abs(decoded - expected) <= 60, (name, decoded, expected)
        now = after[name]
        assert 0 <= now["selected"] - now["dropped"] - now["processed"] <= 8, f"every selected frame was processed, dropped, or is under way: {now}"
