"""Numbers at a rate: none is left out, whatever happens to time."""

from __future__ import annotations

import time

import pytest

from edge_runtime.errors import Disconnected
from edge_runtime.sources.sim import load
from edge_runtime.sources.sim.load import Burst, LoadSource
from edge_runtime.sources.sim.options import LoadOptions


def bursts(source: LoadSource, seconds: float) -> list[Burst]:
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        burst = source.read(0.05)
        if burst is not None:
            found.append(burst)
    return found


def assert_no_hole(found: list[Burst], first: int) -> None:
    for burst in found:
        assert burst.first == first
        assert burst.count >= 1
        first += burst.count


@pytest.mark.parametrize("rate", [40, 500, 20_000])
def test_load_gives_every_number_at_its_rate(rate: float) -> None:
    source = LoadSource(LoadOptions(rate=rate))
    source.open()
    found = bursts(source, 0.5)
    assert_no_hole(found, 1)
    last = found[-1]
    due_last_ns = last.due_ns + (last.count - 1) * last.period_ns
    spent_s = (due_last_ns - found[0].due_ns) / 1e9
    if source.moved_s == 0:  # a machine that stood still for a second moves the schedule
        assert last.first + last.count - 1 == pytest.approx(1 + spent_s * rate, abs=1e-3), "numbers are due exactly one period apart"
    assert due_last_ns <= time.monotonic_ns(), "nothing is given before it is due"


@pytest.fixture
def now_ns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Time goes on by sleeping, and when it is told."""
    now_ns = [10_000_000_000]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now_ns.__setitem__(0, now_ns[0] + round(seconds * 1e9)))
    return now_ns


@pytest.mark.parametrize(("rate", "together"), [(20_000, 100), (20, 1)])
@pytest.mark.usefixtures("now_ns")
def test_load_at_a_high_rate_comes_in_bursts_and_at_a_low_one_alone(rate: float, together: int) -> None:
    source = LoadSource(LoadOptions(rate=rate))
    source.open()
    found = [burst for burst in (source.read(1) for _ in range(20)) if burst is not None]
    assert_no_hole(found, 1)
    assert all(abs(burst.count - together) <= (together > 1) for burst in found[1:]), "the first number is due at once"


def test_load_read_gives_none_rather_than_late() -> None:
    source = LoadSource(LoadOptions(rate=0.1))
    source.open()
    assert source.read(0.01) is not None, "the first is due at once"
    began = time.monotonic()
    assert source.read(0.02) is None
    assert time.monotonic() - began < 5


def test_load_goes_on_with_the_number_it_is_told_and_after_close() -> None:
    source = LoadSource(LoadOptions(rate=1000), first=41)
    source.open()
    first = source.read(1)
    assert first is not None
    assert first.first == 41
    source.close()
    with pytest.raises(Disconnected, match="not open"):
        source.read(0)
    source.open()
    again = source.read(1)
    assert again is not None
    assert again.first == 41 + first.count


def test_load_after_a_long_pause_catches_up_a_second_and_leaves_no_number_out(now_ns: list[int]) -> None:
    source = LoadSource(LoadOptions(rate=100))
    source.open()
    before = source.read(1)
    now_ns[0] += 60_000_000_000  # the process was stopped for a minute
    after = source.read(1)
    assert before is not None
    assert after is not None
    assert_no_hole([before, after], 1)
    assert after.count == pytest.approx(100 * load.LATEST_S, abs=2)
    assert after.due_ns == pytest.approx(now_ns[0] - load.LATEST_S * 1e9, abs=1)
    assert source.moved_s == pytest.approx(60 - load.LATEST_S, abs=0.02)
    following = source.read(1)
    assert following is not None
    assert following.first == after.first + after.count
    assert following.count == 1
