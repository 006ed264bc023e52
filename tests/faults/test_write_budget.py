"""What a node writes to its disk, measured by itself and by the kernel, and the alarm above the budget: with a real daemon on a real disk."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from edge_runtime.deliver.spoolfile import filesystem_of
from tests.faults.clocked import run_node, subscribed, write_node
from tests.peers.broker import Broker, until

pytestmark = pytest.mark.system


def test_writes_are_measured_published_and_alarmed(tmp_path: Path, tiny_bundle: Path) -> None:
    if filesystem_of(tmp_path / "x") in ("tmpfs", "ramfs"):
        pytest.skip("the temporary folder is a RAM disk, on which nothing is written: set TMPDIR to a disk")
    with Broker(tmp_path / "broker") as broker:
        config = write_node(tmp_path, broker.url, tiny_bundle)
        config.write_text(config.read_text().replace("[mqtt]", 'write_budget = "1MB"\n\n[mqtt]', 1))
        heard = subscribed(broker)
        with run_node(config, {}) as daemon:
            heard.wait("obs/node/alarm", 1)
            heard.wait("health", len(heard.on("health")) + 2)
            until(lambda: heard.on("health")[-1]["writes"]["measured_s"] >= 20, 60)
            writes = heard.on("health")[-1]["writes"]
            counted = psutil.Process(daemon.pid).io_counters().write_bytes
            assert daemon.said("MB a day are written to the disk, the budget is 1 MB")
            assert daemon.stop() == 0
        (alarm,) = heard.on("obs/node/alarm")
        with run_node(config, {}) as daemon:
            before = len(heard.on("health"))
            heard.wait("health", before + 2)
            resumed = heard.on("health")[-1]["writes"]
            assert daemon.stop() == 0
    assert writes["over"]
    assert 0 < writes["bytes"] <= counted, "what the node says is what the kernel says"
    assert alarm["data"]["what"] == "writes"
    assert (alarm["data"]["state"], alarm["data"]["budget"]) == ("raised", 1_000_000)
    assert alarm["data"]["day_bytes"] > 1_000_000
    assert resumed["measured_s"] >= writes["measured_s"], "a restart forgets nothing"
    assert resumed["day_bytes"] >= writes["bytes"]
    rate = writes["bytes"] / writes["measured_s"]
    print(f"writes: {writes['bytes']} bytes in {writes['measured_s']} s, start included: {rate:.0f} a second, {rate * 86_400 / 1e6:.0f} MB a day")
