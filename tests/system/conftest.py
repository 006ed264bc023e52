"""A street of real peers: an RTSP server, a broker, a model bundle and the daemon between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.broker import Broker
from tests.peers.rtsp import RtspServer

LINE = """
  [[camera.line]]
  name = "main"
  points = [[40, 250], [465, 250]]
  units = "px"
  size = [640, 360]
"""


def camera_table(name: str, url: str, *, fps: float = 10, interval: str = "5s", stall: str = "3s", line: str = LINE) -> str:
    """A [[camera]] with one line."""
    return f"""
[[camera]]
name = "{name}"
source = "{url}"
model = "street"
fps = {fps}
interval = "{interval}"
stall = "{stall}"
{line}
"""


def wait_for(condition: Callable[[], Any], limit_s: float, what: str) -> Any:
    """The first true value of `condition`; fails after `limit_s`, saying what did not happen."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {limit_s:g} s")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def server(busy_road: Path) -> Iterator[RtspServer]:
    with RtspServer({"/main": busy_road}) as running:
        yield running
