"""Diagnostics hold no secret and have a size."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path

from edge_runtime.config.schema import CameraConfig, Config, DeviceConfig
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.options import Secret
from edge_runtime.runtime import logs
from edge_runtime.runtime.diagnostics import CONFIG_CHARS, LOG_LINES, TEXT_CHARS, diagnostics

CONFIG = Config(
    device=DeviceConfig(site="north", node="cam-1"),
    mqtt=MqttOptions(username="u", password=Secret("geheim-1"), ca=Path("ca.pem")),
    camera=(CameraConfig(name="main", source="rtsp://v:geheim-2@h/1?token=geheim-3", model="m", password=Secret("geheim-4")),),
)


def test_dump_shows_the_config_without_any_secret() -> None:
    body = diagnostics(CONFIG, {"v": 1}, {"v": 1})
    text = json.dumps(body)
    assert "geheim" not in text
    assert body["config"]["mqtt"]["password"] == "***"
    assert body["config"]["mqtt"]["ca"] == "ca.pem"
    assert body["config"]["camera"][0]["source"] == "rtsp://***@h/1?token=***"


def test_dump_shows_where_every_thread_stands() -> None:
    release = threading.Event()

    def stand_here() -> None:
        release.wait(10)

    thread = threading.Thread(target=stand_here, name="stander")
    thread.start()
    try:
        threads = diagnostics(CONFIG, {}, {})["threads"]
    finally:
        release.set()
        thread.join()
    (frames,) = [frames for name, frames in threads.items() if name.startswith("stander")]
    assert any(frame.startswith("test_diagnostics.py:") and frame.endswith(" stand_here") for frame in frames)


def test_dump_is_bounded() -> None:
    logger = logging.getLogger("edge_runtime")
    before = list(logger.handlers), logger.propagate, logger.level
    try:
        logs.set_up("plain", "info")
        for number in range(3 * LOG_LINES):
            logging.getLogger("edge_runtime.x").warning("%d %s", number, "long" * 1000)
        camera = CONFIG.camera[0]
        many = replace(CONFIG, camera=tuple(replace(camera, name=f"camera-{number}") for number in range(500)))
        body = diagnostics(many, {}, {})
    finally:
        logger.handlers[:], logger.propagate = before[:2]
        logger.setLevel(before[2])
    assert len(body["log"]) == LOG_LINES
    assert f" {3 * LOG_LINES - 1} " in body["log"][-1]
    assert max(map(len, body["log"])) == TEXT_CHARS
    assert str(CONFIG_CHARS) in body["config"]["left_out"]
    assert len(json.dumps(body)) < 256_000
