"""Sensors in a real node without a broker: begun anew when they fail or hang, swapped by a reload, and no number missing in the spool's order."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.config.check import make_plan
from edge_runtime.config.load import load
from edge_runtime.config.schema import Config, SensorConfig
from edge_runtime.deliver.steady import SteadySpool
from edge_runtime.present.restamp import parse_rfc3339
from edge_runtime.runtime import outlet
from edge_runtime.runtime.node import Node
from edge_runtime.runtime.notify import Notifier
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.supervisor import Supervisor
from edge_runtime.types import Envelope
from tests.system.conftest import wait_for

CONFIG = """
[device]
site = "test"
node = "box"

[mqtt]
url = "mqtt://127.0.0.1:9"

[spool]
path = "spool.db"

[[sensor]]
name = "oracle"
source = "sim:load?rate=400"
"""


class Watched:
    """The node, its supervisor, and what was given to the spool."""

    def __init__(self, folder: Path) -> None:
        (folder / "device.toml").write_text(CONFIG)
        self.config: Config = load(folder / "device.toml").config
        self.pulses = Pulses()
        self.node = Node(self.config, make_plan(self.config), SystemClock(), self.pulses)
        self.recorded: list[Envelope] = []
        self._record = self.node.recorder.record
        self.node.recorder.record = self.note  # type: ignore[method-assign]
        self.node.open()
        self.node.start()
        self.supervisor = Supervisor(self.node, self.pulses, Notifier())

    def note(self, envelopes: Sequence[Envelope], state: Mapping[str, Any]) -> None:
        self.recorded += envelopes
        self._record(envelopes, state)

    def gaps(self) -> list[Mapping[str, Any]]:
        return [each.payload for each in list(self.recorded) if each.payload["type"] == "gap"]

    def numbers(self, stream: str = "oracle") -> list[int]:
        return [each.payload["data"]["n"] for each in list(self.recorded) if (each.payload["stream"], each.payload["type"]) == (stream, "load")]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    assert made.node.close(10.0)


def test_start_after_an_earlier_process_declares_a_gap_of_each_stream_and_of_the_node(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert not watched.gaps(), "nobody was there before"
    wait_for(lambda: len(watched.numbers()) > 50, 20, "numbers")
    assert watched.node.close(10.0)
    failing = Node(watched.config, make_plan(watched.config), SystemClock(), Pulses())
    failing.open()
    before = failing.recorder.last_alive()
    failing.recorder.flush(5)
    assert failing.close(10.0), "it ends before it has started, and so has watched nothing"
    again = Watched(tmp_path)
    gaps = again.gaps()
    assert [gap["stream"] for gap in gaps] == ["oracle", "node"]
    assert before is not None
    assert {(gap["data"]["from"], gap["data"]["reason"]) for gap in gaps} == {(gaps[0]["data"]["from"], "down")}
    assert abs(parse_rfc3339(gaps[0]["data"]["from"]) - before.wall_ns) < 2_000_000
    assert all("rebooted" not in gap["data"] for gap in gaps)
    assert again.node.close(10.0)


def test_states_of_sensors_that_left_are_kept_up_to_a_bound_and_the_oldest_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "LEAVERS", 2)
    watched = Watched(tmp_path)
    for name in ("z", "y", "x", "w"):
        other = replace(watched.config, sensor=(*watched.config.sensor, SensorConfig(name=name, source="sim:load?rate=100")))
        watched.node.apply(other, make_plan(other))
        wait_for(lambda name=name: watched.numbers(name), 20, "numbers")  # type: ignore[misc]
        watched.node.apply(watched.config, make_plan(watched.config))
    assert watched.node.close(10.0)
    spool = SteadySpool(watched.config.spool)
    spool.open(SystemClock().now())
    assert {key for key in spool.state if "/" in key} == {"sensor/oracle", "sensor/x", "sensor/w"}
    spool.close()


def test_turn_sensor_that_failed_is_begun_anew_and_its_numbers_go_on(watched: Watched) -> None:
    wait_for(lambda: len(watched.numbers()) > 50, 20, "numbers")
    run = watched.node.sensors["oracle"]

    def broken(envelopes: Sequence[Envelope], state: Mapping[str, Any]) -> None:
        raise ArithmeticError("nobody expected that")

    watched.node.recorder.record = broken  # type: ignore[method-assign]
    wait_for(lambda: run.failure is not None, 10, "the loop fails")
    watched.node.recorder.record = watched.note  # type: ignore[method-assign]
    before = len(watched.numbers())
    watched.supervisor.turn()
    assert run.restarts == 1
    wait_for(lambda: len(watched.numbers()) > before + 50, 20, "numbers again")
    assert watched.numbers() == list(range(1, len(watched.numbers()) + 1))


def test_turn_sensor_that_hangs_is_given_up_and_what_it_says_later_counts_for_nothing(watched: Watched) -> None:
    wait_for(lambda: len(watched.numbers()) > 50, 20, "numbers")
    run = watched.node.sensors["oracle"]
    hold, held = threading.Event(), threading.Event()
    source = run._loop.source
    read = source.read

    def hang(timeout: float) -> Any:
        held.set()
        hold.wait(60)
        return read(timeout)

    source.read = hang  # type: ignore[method-assign]
    assert held.wait(10)
    watched.pulses.beat("oracle/emit", 0.2)  # the limit is half a minute in the street

    def noticed() -> bool:
        watched.supervisor.turn()
        return run.restarts == 1

    wait_for(noticed, 10, "the silence is noticed")
    before = len(watched.numbers())
    hold.set()
    wait_for(lambda: len(watched.numbers()) > before + 50, 20, "numbers again")
    assert watched.numbers() == list(range(1, len(watched.numbers()) + 1)), "each once, in order"


def test_apply_swaps_only_the_sensors_that_changed(watched: Watched) -> None:
    wait_for(lambda: len(watched.numbers()) > 50, 20, "numbers")
    run = watched.node.sensors["oracle"]
    more = replace(watched.config, sensor=(*watched.config.sensor, SensorConfig(name="second", source="sim:load?rate=100")))
    assert watched.node.apply(more, make_plan(more)) == ["second"]
    assert watched.node.sensors["oracle"] is run
    wait_for(lambda: watched.numbers("second"), 10, "the second one's numbers")
    faster = replace(more, sensor=(SensorConfig(name="oracle", source="sim:load?rate=800"),))
    assert watched.node.apply(faster, make_plan(faster)) == ["oracle"]
    assert list(watched.node.streams) == ["oracle"]
    last = len(watched.numbers())
    wait_for(lambda: len(watched.numbers()) > last + 50, 10, "faster numbers")
    second = len(watched.numbers("second"))
    assert watched.numbers() == list(range(1, len(watched.numbers()) + 1)), "no hole, no repetition where it was swapped"
    assert len(watched.numbers("second")) == second, "who left says nothing more"
    again = replace(faster, sensor=more.sensor)
    watched.node.apply(again, make_plan(again))
    wait_for(lambda: len(watched.numbers("second")) > second, 10, "it is back")
    assert watched.numbers("second") == list(range(1, len(watched.numbers("second")) + 1)), "and goes on where the spool knows it to be"
