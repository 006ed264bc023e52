"""Lanes that fail or hang are begun anew where their last checkpoint stood; what cannot be healed is declared."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.config.check import make_plan
from edge_runtime.config.load import load
from edge_runtime.runtime.node import Node
from edge_runtime.runtime.notify import Notifier
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.steady import Sight
from edge_runtime.runtime.supervisor import Supervisor
from edge_runtime.types import Envelope
from tests.peers.daemon import write_config
from tests.system.conftest import camera_table, wait_for

pytestmark = pytest.mark.material


class Watched:
    """A node on a looped clip, without a broker: what it would publish stays in its spool. `run` is its only camera."""

    def __init__(self, config: Path) -> None:
        loaded = load(config)
        self.pulses = Pulses()
        self.node = Node(loaded.config, make_plan(loaded.config), SystemClock(), self.pulses)
        self.recorded: list[Envelope] = []
        self._record = self.node.recorder.record
        self.node.recorder.record = self._note  # type: ignore[method-assign]
        self.node.open()
        self.node.start()
        self.supervisor = Supervisor(self.node, self.pulses, Notifier())

    @property
    def run(self) -> Any:
        (run,) = self.node.cameras.values()
        return run

    def _note(self, envelopes: Sequence[Envelope], state: Mapping[str, Any]) -> None:
        self.recorded += envelopes
        self._record(envelopes, state)

    def data(self, kind: str) -> list[Mapping[str, Any]]:
        """What events of one type said, in order."""
        return [envelope.payload["data"] for envelope in self.recorded if envelope.payload["type"] == kind]


@pytest.fixture
def watched(tmp_path: Path, bundle_folder: Path, busy_road: Path) -> Iterator[Watched]:
    nobody = "mqtt://127.0.0.1:9"
    config = write_config(tmp_path, broker_url=nobody, bundle=bundle_folder, cameras=[camera_table("main", f"{busy_road}?loop=1", interval="24h")])
    watched = Watched(config)
    yield watched
    watched.node.close(10.0)


def crossed(watched: Watched) -> int:
    return int(watched.run.analysis.totals()["main"]["forward"])


def test_turn_lane_that_failed_is_begun_anew_and_its_total_goes_on(watched: Watched) -> None:
    wait_for(lambda: crossed(watched) >= 2, 60, "two crossings")
    first = watched.run.lane

    def broken(_: Any) -> Any:
        raise ArithmeticError("a stage that nobody expected to fail")

    first.analysis.step = broken
    wait_for(lambda: first.failure is not None, 10, "the lane fails")
    before = crossed(watched)
    watched.supervisor.turn()
    assert watched.run.lane is not first
    assert watched.run.restarts == 1
    assert crossed(watched) == before
    wait_for(lambda: crossed(watched) > before, 60, "counting goes on")
    (told,) = [data for data in watched.data("camera") if data["state"] == "failed"]
    assert "ArithmeticError" in told["reason"]
    tracks = [data["track"] for data in watched.data("crossing")]
    assert len(set(tracks)) == len(tracks)


def test_turn_lane_that_hangs_is_given_up_and_what_it_says_later_counts_for_nothing(watched: Watched) -> None:
    wait_for(lambda: crossed(watched) >= 1, 60, "a crossing")
    first = watched.run.lane
    hold, held = threading.Event(), threading.Event()
    step = first.analysis.step

    def hang(detections: Any) -> Any:
        held.set()
        hold.wait(60)
        return step(detections)

    first.analysis.step = hang
    assert held.wait(10)
    watched.pulses.beat("main/settle", 0.2)  # the limit is half a minute in the street
    wait_for(lambda: watched.supervisor.turn() or watched.run.restarts == 1, 10, "the silence is noticed")
    assert watched.run.lane is not first
    wait_for(lambda: watched.run.lane.counters.processed > 3, 30, "the new lane works")
    hold.set()
    assert first.join(10)
    assert crossed(watched) == len(watched.data("crossing")), "totals and crossings agree, whatever the old lane still said"
    assert any("settle loop said nothing" in data.get("reason", "") for data in watched.data("camera"))


def test_turn_lane_that_fails_again_at_once_is_restarted_with_growing_patience(watched: Watched) -> None:
    def broken(_: Any) -> Any:
        raise ArithmeticError("always")

    wait_for(lambda: watched.run.lane.counters.processed > 0, 60, "the first frame")
    tries = 0
    end = time.monotonic() + 8
    while time.monotonic() < end:
        watched.run.lane.analysis.step = broken
        watched.supervisor.turn()
        time.sleep(0.05)
        tries += 1
    assert 2 <= watched.run.restarts <= 4, f"at once, after 1, 2 and 4 s: not {watched.run.restarts} of {tries} looks"


def test_turn_recorder_that_hangs_is_declared_and_the_watchdog_is_not_fed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    monkeypatch.setattr(watched.supervisor._notifier, "alive", lambda: fed.append(1))
    monkeypatch.setattr(watched.supervisor, "_ping_s", 0.0)
    watched.supervisor.turn()
    assert fed == [1]
    watched.pulses.beat("recorder", 0.0)
    time.sleep(0.01)
    watched.supervisor.turn()
    assert fed == [1], "systemd must see this"
    watched.pulses.beat("recorder", 60.0)
    watched.supervisor.turn()
    assert fed == [1, 1]


def test_tell_health_after_a_restart_has_no_rate_below_zero(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(watched.node.publisher, "publish_now", lambda topic, payload: told.append(json.loads(payload)["streams"]["main"]))
    wait_for(lambda: watched.run.lane.counters.processed > 20, 60, "some frames")
    watched.supervisor.tell_health()
    watched.run.restart("a test")
    time.sleep(0.3)
    watched.supervisor.tell_health()
    assert told[0]["fps"] > 0
    assert min(told[1]["fps"], told[1]["stream_fps"]) >= 0


def test_restart_then_what_the_old_source_finds_out_is_no_news(watched: Watched) -> None:
    old = watched.run.steady
    wait_for(lambda: old.sight.state == "live", 60, "the first frame")
    watched.run.restart("a test")
    wait_for(lambda: watched.run.steady.sight.state == "live", 30, "the new lane sees")
    old._become(Sight("away", "found out late"))
    assert [data["state"] for data in watched.data("camera")] == ["live", "failed", "live"]


def test_turn_recorder_that_hangs_is_declared_whatever_cameras_are_called(tmp_path: Path, bundle_folder: Path, busy_road: Path) -> None:
    cameras = [camera_table("recorder", f"{busy_road}?loop=1")]
    watched = Watched(write_config(tmp_path, broker_url="mqtt://127.0.0.1:9", bundle=bundle_folder, cameras=cameras))
    try:
        watched.pulses.beat("recorder", 0.0)
        time.sleep(0.01)
        watched.supervisor.turn()
        assert watched.supervisor._stalled == {"recorder"}
        assert watched.run.restarts == 0
    finally:
        watched.node.close(10.0)


def test_turn_after_the_whole_process_stood_still_blames_no_loop(watched: Watched) -> None:
    wait_for(lambda: watched.run.lane.counters.processed > 0, 60, "the first frame")
    watched.supervisor.turn()
    watched.supervisor._turned_s -= 40
    watched.pulses.forgive(-40)  # as the clock shows it to the first thread that runs after a pause of forty seconds
    watched.supervisor.turn()
    assert watched.run.restarts == 0
    assert not watched.supervisor._stalled
