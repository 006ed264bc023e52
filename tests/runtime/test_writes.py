"""Bytes written a day: counted by the kernel for this process and its children, on a real disk, and held against a budget."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.clock import FakeClock
from edge_runtime.runtime import writes
from edge_runtime.runtime.writes import HOUR_NS, LOOK_NS, WriteBudget, WriteMeter, written_bytes
from edge_runtime.types import ClockState, Event, Json
from tests.peers.broker import until

MB = 1_000_000
WRITE = """
import os, sys
with open(sys.argv[1], "wb", buffering=0) as file:
    file.write(os.urandom(int(sys.argv[2])))
    os.fsync(file.fileno())
print("written", flush=True)
sys.stdin.readline()
"""
NESTED = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder whose writes the kernel counts: not on a RAM disk."""
    from edge_runtime.deliver.spoolfile import filesystem_of

    for folder in (tmp_path, Path(__file__).parent):
        if filesystem_of(folder / "x") not in ("tmpfs", "ramfs"):
            return folder
    pytest.skip("everything here is a RAM disk")


@pytest.fixture
def file(disk: Path) -> Path:
    return disk / f"written-{os.getpid()}-{time.monotonic_ns()}"


def test_written_bytes_count_this_process(file: Path) -> None:
    before = written_bytes()
    assert before is not None
    with file.open("wb", buffering=0) as out:
        out.write(b"x" * MB)
        os.fsync(out.fileno())
    after = written_bytes()
    file.unlink()
    assert after is not None
    assert MB <= after - before < 2 * MB


@pytest.mark.parametrize("nested", [False, True], ids=["child", "grandchild"])
def test_written_bytes_count_a_child_while_it_lives_and_after_and_once(file: Path, nested: bool) -> None:
    code = [NESTED, WRITE] if nested else [WRITE]
    before = written_bytes()
    assert before is not None
    child = subprocess.Popen([sys.executable, "-c", *code, str(file), str(3 * MB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"written\n"
    living = written_bytes()
    child.stdin.close()
    child.wait(20)
    child.stdout.close()
    ended = written_bytes()
    file.unlink()
    assert living is not None
    assert ended is not None
    assert 3 * MB <= living - before < 4 * MB
    assert 3 * MB <= ended - before < 4 * MB


def test_written_bytes_of_nobody_are_unknown() -> None:
    assert written_bytes(2**22 + 1) is None


def test_meter_counts_the_first_hour_as_one() -> None:
    meter = WriteMeter()
    meter.read(0, MB)
    meter.read(60 * 10**9, 2 * MB)
    assert meter.day_bytes == 24 * 2 * MB, "a start is no reason to call a day bad that has hardly begun"
    assert meter.measured_s == 60


def test_meter_looks_back_a_day_and_no_further() -> None:
    meter = WriteMeter()
    total = 0
    for hour in range(60):
        total += 100 * MB if hour < 30 else MB
        assert meter.read((hour + 1) * HOUR_NS, total) == (hour > 0)
    assert meter.day_bytes == pytest.approx(24 * MB, rel=0.01)
    assert meter.measured_s == 23 * 3600
    assert meter.total == total


def test_meter_goes_on_after_a_restart() -> None:
    before = WriteMeter()
    for hour in range(5):
        before.read(hour * HOUR_NS, hour * 10 * MB)
    after = WriteMeter(before.snapshot())
    assert (after.day_bytes, after.measured_s) == (before.day_bytes, before.measured_s)
    after.read(10**18, 5 * MB)  # another process's counter, another boot's clock
    after.read(10**18 + HOUR_NS, 10 * MB)
    assert after.day_bytes == round((40 + 10) * MB * 24 / 5)


def test_meter_of_a_counter_that_falls_for_a_moment_counts_nothing_twice() -> None:
    meter = WriteMeter()
    for second, total in enumerate((10 * MB, 4 * MB, 11 * MB)):
        meter.read(second * 10**9, total)
    assert meter.total == 11 * MB
    assert meter.day_bytes == 24 * 11 * MB


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR_NS), st.integers(0, 10**9)), max_size=60))
def test_meter_measures_no_more_than_a_day_and_loses_nothing_within(steps: list[tuple[int, int]]) -> None:
    meter, now_ns, total = WriteMeter(), 0, 0
    meter.read(0, 0)
    for passed_ns, wrote in steps:
        now_ns += passed_ns
        total += wrote
        meter.read(now_ns, total)
    assert meter.total == total
    assert meter.measured_s <= 24 * 3600
    if now_ns < 23 * HOUR_NS:
        assert meter.day_bytes == round(total * 86_400 / max(3600.0, now_ns / 1e9))


class Kernel:
    """What /proc says is what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, budget: int) -> None:
        self.total: int | None = 0
        self.told: list[Event] = []
        self.kept: list[Json] = []
        self.clock = FakeClock(0, 10**18, ClockState.NTP)
        monkeypatch.setattr(writes, "written_bytes", lambda: self.total)
        self.budget = WriteBudget(budget, self.clock, self.told.append, self.kept.append)

    def hour(self, wrote: int) -> None:
        """Passes, and so much is written in it."""
        steps = 10
        for _ in range(steps):
            assert self.total is not None
            self.total += wrote // steps
            self.clock.advance(3600 / steps)
            self.budget.turn()


def test_budget_that_is_exceeded_raises_one_alarm_and_ends_it_well_below(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 240 * MB)
    kernel.budget.turn()
    for wrote in (9, 9, 30, 30, 9):
        kernel.hour(wrote * MB)
    assert [(event.type, event.stream, event.data["what"], event.data["state"]) for event in kernel.told] == [("alarm", "node", "writes", "raised")]
    assert kernel.told[0].data["day_bytes"] > kernel.told[0].data["budget"] == 240 * MB
    assert kernel.budget.health()["over"]
    for _ in range(24):
        kernel.hour(9_500_000)
    assert [event.data["state"] for event in kernel.told] == ["raised"], "95 % of the budget are not well below"
    for _ in range(2):
        kernel.hour(0)
    assert [event.data["state"] for event in kernel.told] == ["raised", "ended"]
    assert len(kernel.kept) == 31 + 2, "once an hour, and with each alarm"


def test_budget_after_a_restart_knows_which_alarm_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Kernel(monkeypatch, 240 * MB)
    before.budget.turn()
    before.hour(30 * MB)
    assert [event.data["state"] for event in before.told] == ["raised"]
    after = Kernel(monkeypatch, 240 * MB)
    after.budget.restore(before.kept[-1])
    after.budget.turn()
    assert after.told == [], "it is raised already"
    assert after.budget.health()["over"]
    for _ in range(24):
        after.hour(0)
    assert [event.data["state"] for event in after.told] == ["ended"]


def test_budget_where_the_kernel_says_nothing_is_not_called_kept(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    kernel = Kernel(monkeypatch, MB)
    kernel.total = None
    for _ in range(3):
        kernel.budget.turn()
        kernel.clock.advance(LOOK_NS / 1e9)
    assert kernel.budget.health() is None
    assert caplog.text.count("not watched") == 1


def test_budget_measures_this_process(file: Path) -> None:
    told: list[Event] = []
    clock = FakeClock(0, 10**18, ClockState.NTP)
    budget = WriteBudget(MB, clock, told.append, lambda state: None)
    with file.open("wb", buffering=0) as out:
        out.write(b"x" * MB)
        os.fsync(out.fileno())
    until(lambda: (written_bytes() or 0) >= MB, 5)
    budget.turn()
    file.unlink()
    assert budget.health()["bytes"] >= MB
    assert [event.data["state"] for event in told] == ["raised"]
