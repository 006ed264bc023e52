"""The timekeeper tells each change once, and the first sync of a boot has the recorder put right what was stored before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.clock import FakeClock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.present.envelope import Enveloper, rfc3339
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.outlet import SpoolOutlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.runtime.timekeeping import Timekeeper
from edge_runtime.types import ClockState, Event, SpooledRow, Tick
from tests.peers.broker import until

S = 10**9
YEAR_S = 365 * 86_400
NTP, HOLDOVER, UNSYNCED = ClockState.NTP, ClockState.HOLDOVER, ClockState.UNSYNCED
ENVELOPER = Enveloper("north", "cam-1", None)
LINE = LineOptions(name="main", points=((0.0, 0.5), (1.0, 0.5)))


class Boot:
    """A recorder, and a timekeeper over a clock that moves when told."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.told: list[Event] = []
        self.recorder = Recorder(SpoolOptions(path=path, commit_ms=20), ENVELOPER, Pulses(), clock)
        self.recorder.open()
        self.recorder.start()
        self.keeper = Timekeeper(clock, "this boot", self.recorder.synchronised, self.told.append)
        publisher: object = None
        self.outlet = SpoolOutlet(ENVELOPER, self.recorder, publisher, clock)  # type: ignore[arg-type]

    def sync(self, wall_ns: int) -> None:
        """The clock is set to the truth."""
        self.clock.step_wall((wall_ns - self.clock.now().wall_ns) / 1e9, NTP)
        self.keeper.turn()

    def crossing(self, number: int, at: Tick | None = None) -> None:
        self.outlet.emit([Event("crossing", "s", at or self.clock.now(), {"n": number})], {})

    def bodies(self, count: int) -> list[dict[str, object]]:
        """What would go to the broker."""
        rows: list[SpooledRow] = []

        def enough() -> bool:
            while (row := self.recorder.take()) is not None:
                rows.append(row)
            return len(rows) >= count

        until(enough, 10)
        return [json.loads(row.body) for row in rows]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    made = Boot(tmp_path / "s.db", FakeClock(50 * S, 86_400 * S, UNSYNCED))
    yield made
    made.recorder.close(5)


def test_first_sync_puts_right_what_waits_also_what_was_read_ahead(boot: Boot) -> None:
    boot.keeper.turn()
    for number in range(100):  # more than is read ahead
        boot.clock.advance(1)
        boot.crossing(number)
    assert boot.recorder.flush(10)
    early = boot.clock.now()
    boot.clock.step_wall(YEAR_S, NTP)
    boot.crossing(100, early)  # stamped before the clock was set, told after
    boot.crossing(101)
    boot.keeper.turn()
    assert boot.recorder.flush(10)
    bodies = boot.bodies(102)
    lead_ns = boot.clock.now().wall_ns - boot.clock.now().mono_ns
    assert [body["clock"] for body in bodies] == ["restamped"] * 101 + ["ntp"]
    assert [body["time"] for body in bodies[:100]] == [rfc3339((51 + number) * S + lead_ns) for number in range(100)]
    assert bodies[100]["time"] == bodies[101]["time"] == rfc3339(150 * S + lead_ns)
    assert [body["seq"] for body in bodies] == list(range(1, 103))


def test_only_the_first_sync_of_a_boot_counts_also_after_a_restart(boot: Boot, tmp_path: Path) -> None:
    boot.keeper.turn()
    boot.crossing(0)
    boot.clock.step_wall(YEAR_S, NTP)
    boot.keeper.turn()
    assert boot.keeper.health()["restamps"]
    boot.clock.step_wall(-100, NTP)
    boot.keeper.turn()
    boot.recorder.close(5)
    later = Boot(tmp_path / "s.db", boot.clock)
    later.keeper.turn()
    assert not later.keeper.health()["restamps"]
    (body,) = later.bodies(1)
    assert (body["clock"], body["time"]) == ("restamped", rfc3339(86_400 * S + YEAR_S * S))
    later.recorder.close(5)


def test_turn_tells_each_change_once(boot: Boot) -> None:
    for state, step_s in ((UNSYNCED, 0.0), (UNSYNCED, 0.0), (NTP, YEAR_S), (NTP, 0.0), (HOLDOVER, 0.0), (HOLDOVER, 0.0), (NTP, 0.0), (NTP, 3.0)):
        boot.clock.advance(1)
        boot.clock.step_wall(step_s, state)
        boot.keeper.turn()
    assert [event.data for event in boot.told] == [
        {"state": "ntp", "before": "unsynced", "by": "", "step_s": float(YEAR_S)},
        {"state": "holdover", "before": "ntp", "by": ""},
        {"state": "ntp", "before": "holdover", "by": ""},
        {"state": "ntp", "before": "ntp", "by": "", "step_s": 3.0},
    ]
    assert {(event.type, event.stream) for event in boot.told} == {("clock", "node")}


@pytest.mark.parametrize("state", [NTP, UNSYNCED])
def test_window_that_a_reboot_left_open_is_told_by_its_own_boots_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: ClockState) -> None:
    noon_ns = 1_800_000_000 * S
    camera = CameraConfig(name="cam", source="unused.mp4", model="m", interval_s=3600.0, line=(LINE,))
    became(monkeypatch, "the first boot")
    first = Boot(tmp_path / "s.db", FakeClock(9000 * S, noon_ns, state))
    analysis = Analysis(camera, ["car"], "m@1")
    analysis.begin(first.clock.now())
    first.clock.advance(70)
    first.outlet.emit(analysis.advance(first.clock.now()), {"lane/cam": analysis.snapshot()})
    first.recorder.close(5)

    became(monkeypatch, "the second boot")
    second = Boot(tmp_path / "s.db", FakeClock(20 * S, noon_ns + 75 * S, UNSYNCED))
    try:
        second.keeper.turn()
        again = Analysis(camera, ["car"], "m@1", second.outlet.saved("lane", "cam"))
        second.outlet.emit(again.begin(second.clock.now()), {"lane/cam": again.snapshot()})
        second.clock.advance(10)
        second.crossing(1)
        second.sync(noon_ns + 2 * 86_400 * S)
        assert second.recorder.flush(10)
        *windows, crossing = sorted(second.bodies(3), key=lambda body: str(body["type"] == "crossing"))
        told = [(body["clock"], body["start"], body["time"]) for body in windows]
        assert told == [(state.value, rfc3339(noon_ns), rfc3339(noon_ns + 70 * S))] * 2
        assert (crossing["clock"], crossing["time"]) == ("restamped", rfc3339(noon_ns + 2 * 86_400 * S))
        assert "rebooted" not in second.outlet.saved("lane", "cam"), "a lane that is begun anew in this boot goes on with its window"
    finally:
        second.recorder.close(5)


def became(monkeypatch: pytest.MonkeyPatch, boot: str) -> None:
    """The machine runs under this boot id from now on."""
    monkeypatch.setattr("edge_runtime.runtime.recorder.boot_id", lambda: boot)
    monkeypatch.setattr("edge_runtime.deliver.spool.boot_id", lambda: boot)


def test_boots_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.runtime import recorder as recorder_module

    for number in range(recorder_module.BOOTS + 3):
        monkeypatch.setattr(recorder_module, "boot_id", lambda number=number: f"boot {number}")
        boot = Boot(tmp_path / "s.db", FakeClock(50 * S, 86_400 * S, NTP))
        boot.keeper.turn()
        boot.recorder.close(5)
        leads = boot.recorder.saved("leads")
    assert list(leads) == [f"boot {number}" for number in range(3, recorder_module.BOOTS + 3)]


def test_health_shows_both_clocks(boot: Boot) -> None:
    boot.clock.step_wall(-3.5)
    boot.keeper.turn()
    health = boot.keeper.health()
    assert health["boot"] == "this boot"
    assert health["mono_s"] == 50.0
    assert (health["steps"], health["last_step_s"]) == (1, -3.5)
