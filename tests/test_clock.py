"""How far the wall clock can be trusted, from what disciplines it and from how it moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime import clock as clock_module
from edge_runtime.clock import Eras, FakeClock, SystemClock
from edge_runtime.discipline import Discipline, DisciplineReader
from edge_runtime.types import ClockState, Tick

YEAR_S = 365 * 86_400.0
NTP, HOLDOVER, UNSYNCED = ClockState.NTP, ClockState.HOLDOVER, ClockState.UNSYNCED
RIGHT = Discipline(True, True, "kernel", 0.02)
WRONG = Discipline()


class Told(DisciplineReader):
    """Says what it was told to say."""

    answer = WRONG

    def read(self) -> Discipline:
        return self.answer


class Machine(SystemClock):
    """A system clock whose two readings are the test's."""

    def __init__(self) -> None:
        self.tick = Tick(10**12, 10**18)
        self.told = Told()
        super().__init__(self.told)

    def now(self) -> Tick:
        return self.tick

    def later(self, seconds: float, step_s: float = 0.0, answer: Discipline | None = None) -> ClockState:
        """Time passes, somebody sets the clock, and somebody says how right it is."""
        self.tick = Tick(self.tick.mono_ns + round(seconds * 1e9), self.tick.wall_ns + round((seconds + step_s) * 1e9))
        if answer is not None:
            self.told.answer = answer
        return self.state()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_state_goes_from_unsynced_to_ntp_to_holdover_and_back(machine: Machine) -> None:
    assert machine.state() is UNSYNCED
    assert machine.later(1, answer=RIGHT) is NTP
    assert machine.later(1, answer=WRONG) is HOLDOVER
    assert machine.later(3600) is HOLDOVER
    assert machine.later(1, answer=RIGHT) is NTP
    assert machine.steps.count == 0


def test_state_of_a_clock_that_was_right_in_this_boot_is_holdover_from_the_start(machine: Machine) -> None:
    machine.told.answer = Discipline(False, True, "timesyncd")
    assert machine.state() is HOLDOVER
    assert machine.later(10, step_s=5) is UNSYNCED, "somebody has set it since, and nobody says that it is right"
    assert machine.later(10) is UNSYNCED
    assert machine.later(10, answer=RIGHT) is NTP


@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S, 3.0, -3.0])
def test_state_counts_a_step_and_says_by_how_much(machine: Machine, step_s: float) -> None:
    machine.state()
    machine.later(0.01, step_s=step_s)
    assert machine.steps.count == 1
    assert machine.steps.last_s == pytest.approx(step_s)


def test_slewing_is_no_step(machine: Machine) -> None:
    machine.later(1, answer=RIGHT)
    for _ in range(100):
        assert machine.later(60, step_s=0.03) is NTP  # 500 ppm
    assert machine.steps.count == 0


def test_trust_is_that_of_the_clock_that_stamped(machine: Machine) -> None:
    machine.state()
    early = machine.tick
    machine.later(10)
    late = machine.tick
    machine.later(1, step_s=YEAR_S, answer=RIGHT)
    assert machine.trust([early, late, machine.tick]) == [UNSYNCED, UNSYNCED, NTP]
    right = machine.tick
    machine.later(5, step_s=-3.0)
    assert machine.trust([right, machine.tick]) == [NTP, NTP], "it was right by all that was known when it was stamped"
    assert machine.trust([Tick(0, 0)]) == [UNSYNCED], "of no era that is remembered"


def test_trust_without_a_step_grows_with_the_clock(machine: Machine) -> None:
    machine.state()
    early = machine.tick
    machine.later(1, answer=RIGHT)
    assert machine.trust([early]) == [NTP], "the sync did not move it: so it was right"


def test_state_is_asked_for_with_every_event_and_read_seldom(machine: Machine) -> None:
    machine.later(1, answer=RIGHT)
    machine.told.answer = WRONG
    assert machine.later(0.1) is NTP
    assert machine.later(0.2) is HOLDOVER


def test_eras_are_bounded() -> None:
    eras = Eras()
    ticks = [Tick(0, number * 10**10) for number in range(clock_module.ERAS + 5)]
    for tick in ticks:
        eras.note(tick, NTP)
    assert [eras.state_of(tick) for tick in ticks] == [UNSYNCED] * 5 + [NTP] * clock_module.ERAS


def test_now_of_the_machine_moves_and_is_read_at_once(tmp_path: Path) -> None:
    clock = SystemClock(DisciplineReader(tmp_path / "none", tmp_path / "none"))
    first, second = clock.now(), clock.now()
    assert first.mono_ns <= second.mono_ns
    leads = [tick.wall_ns - tick.mono_ns for tick in (first, second)]
    assert abs(leads[1] - leads[0]) < 10**9


def test_now_between_whose_readings_the_process_slept_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    mono = iter([0, 120 * 10**9, 120 * 10**9, 120 * 10**9 + 100])
    wall = iter([10**18 + 120 * 10**9, 10**18 + 120 * 10**9 + 50])
    monkeypatch.setattr(clock_module.time, "monotonic_ns", lambda: next(mono))
    monkeypatch.setattr(clock_module.time, "time_ns", lambda: next(wall))
    assert SystemClock().now() == Tick(120 * 10**9, 10**18 + 120 * 10**9 + 50)


def test_fake_clock_steps_as_the_machine_does() -> None:
    clock = FakeClock(0, 10**18, UNSYNCED)
    early = clock.now()
    clock.advance(5)
    clock.step_wall(-YEAR_S, NTP)
    assert clock.state() is NTP
    assert clock.steps.last_s == -YEAR_S
    assert clock.trust([early, clock.now()]) == [UNSYNCED, NTP]
    clock.step_wall(0.5)
    assert clock.steps.count == 1
