"""A node that counts, on a clock of the test's own: a camera on a simulated street, numbers at a rate, and what a subscriber heard of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge_runtime.present.restamp import parse_rfc3339
from tests.peers.broker import Broker, Subscriber
from tests.peers.daemon import DaemonProcess, write_config

RATE = 20
WINDOW_S = 2
FPS = 2
CAMERA = f"""
[[camera]]
name = "corner"
source = "sim:footpath?seed=1&size=160x90"
model = "street"
fps = {FPS}
interval = "{WINDOW_S}s"

  [[camera.line]]
  name = "main"
  points = [[0.1, 0.5], [0.9, 0.5]]

[[sensor]]
name = "oracle"
source = "sim:load?rate={RATE}"
"""
PREFIX = "edge/v1/test/box"


def write_node(folder: Path, broker_url: str, bundle: Path, more: str = "") -> Path:
    """A device.toml. `more` goes into [mqtt]."""
    path = write_config(folder, broker_url=broker_url, bundle=bundle, cameras=[CAMERA])
    path.write_text(path.read_text().replace(f'url = "{broker_url}"', f'url = "{broker_url}"\n{more}'))
    return path


class Heard:
    """What a subscriber got, each id once, by topic and in order."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def on(self, branch: str) -> list[dict[str, Any]]:
        """Bodies of one topic below the node's; those of `obs` each id once."""
        bodies = [json.loads(body) for body in self._subscriber.on(f"{PREFIX}/{branch}")]
        return list({body["id"]: body for body in bodies}.values()) if branch.startswith("obs/") else bodies

    @property
    def load(self) -> list[dict[str, Any]]:
        return self.on("obs/oracle/load")

    @property
    def windows(self) -> list[dict[str, Any]]:
        """Of one direction: both close together."""
        return [body for body in self.on("obs/corner/count") if body["data"]["dir"] == "forward"]

    def wait(self, kind: str, count: int, limit_s: float = 60.0) -> None:
        """Until so many bodies came on `kind` ("load", "windows", or a branch)."""
        self._subscriber.wait(lambda: len(getattr(self, kind, None) or self.on(kind)) >= count, limit_s, f"{count} of {kind}")


def times_s(bodies: Sequence[dict[str, Any]], key: str = "time") -> list[float]:
    return [parse_rfc3339(body[key]) / 1e9 for body in bodies]


def differences(values: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]


def lengths_s(windows: Sequence[dict[str, Any]]) -> list[float]:
    return [end - start for start, end in zip(times_s(windows, "start"), times_s(windows), strict=True)]


def seams_s(windows: Sequence[dict[str, Any]]) -> list[float]:
    """From the end of each window to the start of the next."""
    return [start - end for end, start in zip(times_s(windows), times_s(windows, "start")[1:], strict=False)]


def require_order(heard: Heard) -> None:
    """Every number once and in order; sequence numbers of each topic rise."""
    load, windows = heard.load, heard.windows
    assert [body["data"]["n"] for body in load] == list(range(1, len(load) + 1))
    for bodies in (load, windows):
        seqs = [body["seq"] for body in bodies]
        assert seqs == sorted(set(seqs))
        assert all(body["id"].endswith(f"-{body['seq']}") for body in bodies)


def run_node(config: Path, env: dict[str, str]) -> DaemonProcess:
    """Not started yet."""
    return DaemonProcess(config, env=env)


def end(daemon: DaemonProcess) -> None:
    """SIGTERM. Whether a busy machine drains it within its limit is not asked here; that it ends by itself is."""
    assert daemon.stop(60) in (0, 3)


def subscribed(broker: Broker) -> Heard:
    return Heard(broker.subscribe("edge/v1/#"))
