"""Networks and brokers that are neither there nor gone: what DELIVERY.md says of how soon a node notices, comes back, and what it costs.

Numbers go through the real daemon to a real mosquitto; the oracle counts what came, and systemd's watchdog (or what stands for it) must stay quiet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_runtime.deliver.mqtt import ANSWER_S, JITTER, LONGEST_WAIT_S
from tests.faults.campaign import CAUGHT_UP_S, drain, write_load
from tests.faults.observer import Observer
from tests.faults.oracle import Fault, Promise, judge
from tests.peers.broker import Broker, free_port, until
from tests.peers.daemon import DaemonProcess
from tests.peers.namespace import Namespace
from tests.peers.rough import RoughNetwork
from tests.peers.systemd import Manager

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
RATE = 10  # through a round trip of 0.6 s no more than 16 / 0.6 s = 26 messages a second fit
WATCHDOG_S = 30.0  # as in a unit of systemd
SILENT = f"no answer from the broker for {ANSWER_S:.0f} s"
BACK_S = LONGEST_WAIT_S * (1 + JITTER) + 25  # the longest wait, a dialling and a greeting that come to nothing: see DELIVERY.md


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@dataclass
class Watch:
    """One daemon, from start to end the same process, and what must be true of it."""

    daemon: DaemonProcess
    manager: Manager
    observer: Observer
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pid = self.daemon.pid

    def lose(self) -> None:
        """The connection is about to be lost."""
        self.faults.append(Fault("cut", time.time_ns()))

    def recover(self) -> float:
        """Until what arrives is new again; how many seconds that took."""
        began = time.monotonic()
        until(lambda: time.time_ns() - self.observer.newest_ns < CAUGHT_UP_S * 1e9, BACK_S, f"not back\n{self.daemon.log[-5:]}")
        return time.monotonic() - began

    def require(self, spool: Path) -> None:
        """Healthy all the time, nothing lost, in order, and no more duplicates than the faults may cost."""
        assert self.daemon.running
        assert self.daemon.pid == self.pid
        assert self.manager.longest_silence_s < WATCHDOG_S
        assert not self.daemon.said("stalled"), self.daemon.log
        assert not self.daemon.said("starting it anew"), self.daemon.log
        last = drain(self.daemon, spool, self.observer)
        self.observer.catch_up(60)
        healths = [json.loads(each) for each in self.observer.rest["health"]]
        assert {(tuple(each["stalled"]), each["sensors"]["oracle"]["restarts"]) for each in healths} == {((), 0)}
        verdict = judge(self.observer.arrivals, self.faults, Promise(last, RATE))
        assert verdict.complaints == []
        assert verdict.delivered == last
        print(
            f"{last} numbers, {len(self.faults)} faults, {verdict.duplicates} duplicates, watchdog fed every {self.manager.longest_silence_s:.1f} s"
        )


def test_network_with_latency_stalls_and_resets_costs_time_only(tmp_path: Path, manager: Manager) -> None:
    with (
        Broker(tmp_path / "broker", talkative=False) as broker,
        RoughNetwork(broker.port, latency_s=0.3) as network,
        Observer(broker.port) as observer,
        DaemonProcess(write_load(tmp_path, f"mqtt://127.0.0.1:{network.port}", RATE), env=manager.env(WATCHDOG_S)) as daemon,
    ):
        watch = Watch(daemon, manager, observer)
        observer.wait(3 * RATE, 60)
        network.trouble(seed=3, rounds=8)
        watch.faults += [Fault("cut", at_ns) for at_ns in network.resets_ns]
        assert network.stalls >= 5
        assert len(network.resets_ns) >= 3
        print(f"back after {watch.recover():.1f} s")
        watch.require(tmp_path / "spool.db")


def test_frozen_broker_is_noticed_and_found_again_when_it_thaws(tmp_path: Path, manager: Manager) -> None:
    with (
        Broker(tmp_path / "broker", talkative=False) as broker,
        Observer(broker.port) as observer,
        DaemonProcess(write_load(tmp_path, broker.url, RATE), env=manager.env(WATCHDOG_S)) as daemon,
    ):
        watch = Watch(daemon, manager, observer)
        observer.wait(3 * RATE, 60)
        began = time.monotonic()
        broker.freeze(True)
        until(lambda: daemon.said(SILENT), 2 * ANSWER_S, "a broker that answers nothing was not noticed")
        noticed_s = time.monotonic() - began
        assert noticed_s >= ANSWER_S - 1
        watch.lose()  # what is in the sockets comes from the old connection now, and once more from the new one
        broker.freeze(False)
        print(f"noticed after {noticed_s:.1f} s, back {watch.recover():.1f} s after the thaw")
        watch.require(tmp_path / "spool.db")


def test_half_open_connection_is_noticed_and_the_route_found_when_it_is_back(tmp_path: Path, manager: Manager) -> None:
    port = free_port()
    with (
        Namespace() as street,
        Broker(tmp_path / "broker", f"listener {port} {street.here}", talkative=False) as broker,
        Observer(broker.port) as observer,
        DaemonProcess(write_load(tmp_path, f"mqtt://{street.here}:{port}", RATE), env=manager.env(WATCHDOG_S), inside=street.inside) as daemon,
    ):
        watch = Watch(daemon, manager, observer)
        observer.wait(3 * RATE, 60)
        began = time.monotonic()
        street.plugged(False)
        until(lambda: daemon.said(SILENT), 2 * ANSWER_S, "a connection without an other end was not noticed")
        noticed_s = time.monotonic() - began
        assert noticed_s >= ANSWER_S - 1
        watch.lose()  # the kernel still delivers what it has of the old connection
        street.plugged(True)
        print(f"noticed after {noticed_s:.1f} s, back {watch.recover():.1f} s after the route")
        watch.require(tmp_path / "spool.db")
