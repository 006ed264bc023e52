"""What systemd hears: its protocol is datagrams on a socket, and this test is the other end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.broker import free_port
from tests.peers.daemon import DaemonProcess, write_config
from tests.peers.systemd import Manager
from tests.system.conftest import camera_table, wait_for

pytestmark = [pytest.mark.system, pytest.mark.material]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_daemon_says_ready_lives_reloads_and_stops(tmp_path: Path, bundle_folder: Path, busy_road: Path, manager: Manager) -> None:
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    config = write_config(tmp_path, broker_url=nobody, bundle=bundle_folder, cameras=[camera_table("main", f"{busy_road}?loop=1", fps=2)])
    with DaemonProcess(config, env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"}) as daemon:
        wait_for(lambda: "READY=1" in manager.heard, 5, "READY")
        assert manager.heard[0].startswith("EXTEND_TIMEOUT_USEC="), "a cold kernel cache takes long"
        wait_for(lambda: manager.heard.count("WATCHDOG=1") >= 3, 15, "signs of life, though the broker is away")
        daemon.send(signal.SIGHUP)
        wait_for(lambda: manager.heard.count("READY=1") == 2, 15, "READY after the reload")
        patience = [line for line in manager.heard if line.startswith("WATCHDOG_USEC=")]
        assert patience == ["WATCHDOG_USEC=120000000", "WATCHDOG_USEC=2000000"]
        assert "RELOADING=1" in manager.heard
        assert daemon.stop() == 0
    wait_for(lambda: "STOPPING=1" in manager.heard, 5, "STOPPING")
