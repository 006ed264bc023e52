"""A good config that tests bend: `GOOD`, and ways to change it and to load what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config.load import load
from edge_runtime.errors import ConfigError, Problem
from edge_runtime.infer.manifestfile import write_manifest
from edge_runtime.manifest import ImageInput, Manifest
from edge_runtime.types import Size

GOOD = """\
[device]
site = "north"
node = "cam-017"
location = [-4.728, 41.655]
health = "10s"

[mqtt]
url = "mqtts://broker.city.example:8883"
protocol = "5"
username = "cam-017"
password = { file = "mqtt.password" }

[spool]
path = "spool.db"
max_bytes = "256MB"
max_age = "7d"
on_full = "drop_oldest"
commit_ms = 200

[log]
format = "plain"

[[model]]
name = "street"
bundle = "street-nano"
threads = "auto"

[[camera]]
name = "main-st-n"
source = "rtsp://10.0.0.7/stream1"
username = "viewer"
password = { env = "TEST_CAMERA_PASSWORD" }
model = "street"
fps = 10
classes = ["car", "bus"]
min_score = 0.3
track_floor = 0.1
interval = "5m"
gate = false
mask = [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3]]]

  [[camera.line]]
  name = "lane1"
  points = [[0.06, 0.69],
            [0.73, 0.69]]
  anchor = "center"
  forward = "southbound"

  [[camera.zone]]
  name = "stop"
  polygon = [[64, 180], [384, 180], [384, 324], [64, 324]]
  units = "px"
  size = [640, 360]

[[camera]]
name = "side"
source = "v4l2:/dev/video0"
model = "street"
"""

BROKER_SECRET = "br0ker-S3cret"
CAMERA_SECRET = "c4mera-S3cret"


def furnish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What GOOD names beside itself: its secrets."""
    secret = folder / "mqtt.password"
    secret.write_text(BROKER_SECRET + "\n")
    secret.chmod(0o600)
    monkeypatch.setenv("TEST_CAMERA_PASSWORD", CAMERA_SECRET)


def changed(before: str, after: str) -> str:
    """GOOD with one place changed. The place must be there once."""
    assert GOOD.count(before) == 1, before
    return GOOD.replace(before, after)


def line_of(text: str, words: str) -> int:
    """The line that holds `words`, counted from 1. It must be the only one."""
    lines = [number for number, line in enumerate(text.split("\n"), 1) if words in line]
    assert len(lines) == 1, (words, lines)
    return lines[0]


def problems_of(file: Path, overrides: Sequence[str] = ()) -> list[Problem]:
    """What `load` finds wrong; nothing when it loads."""
    try:
        load(file, overrides)
    except ConfigError as error:
        return list(error.problems)
    return []


def make_bundle(folder: Path, labels: Sequence[str] = ("car", "bus", "truck"), **changes: Any) -> Path:
    """A bundle as `check` sees it: manifest, labels, and a model.onnx that nobody opens here."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    manifest = Manifest(
        name="street-nano",
        version="1.2.0",
        task="detect",
        family="yolox",
        licence="Apache-2.0",
        source="here",
        sha256=hashlib.sha256(b"weights").hexdigest(),
        inputs=(ImageInput(name="images", size=Size(416, 416)),),
    )
    (folder / "manifest.toml").write_text(write_manifest(replace(manifest, **changes)))
    return folder
