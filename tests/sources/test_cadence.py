"""Selection by time, and the rate of a stream."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.sources.cadence import ArrivalCadence, Cadence, RateMeter, Skipped

NS = 1_000_000_000


def _taken(times_ns: list[int], fps: float) -> list[int]:
    cadence = Cadence(fps)
    return [index for index, time_ns in enumerate(times_ns) if cadence.take(time_ns)]


def _steady(fps: Fraction, count: int, tick: Fraction) -> list[int]:
    """Times as a container with this tick stores them."""
    return [round(round(index / fps / tick) * tick * NS) for index in range(count)]


@pytest.mark.parametrize("tick", [Fraction(1, 90_000), Fraction(1, 15_360), Fraction(1, 1000)])
@pytest.mark.parametrize(("sent", "wanted", "every"), [(30, 10, 3), (30, 7.5, 4), (25, 5, 5), (30, 30, 1), (50, 25, 2), (30, 120, 1)])
def test_take_divides_steady_rates_evenly(sent: int, wanted: float, every: int, tick: Fraction) -> None:
    assert _taken(_steady(Fraction(sent), 3000, tick), wanted) == list(range(0, 3000, every))


def test_take_four_of_five() -> None:
    taken = _taken(_steady(Fraction(25, 2), 1000, Fraction(1, 12_800)), 10)
    assert len(taken) == 800
    assert all(len([index for index in taken if start <= index < start + 5]) == 4 for start in range(0, 1000, 5))


@given(steps_ms=st.lists(st.integers(1, 400), min_size=1, max_size=300), fps=st.sampled_from([0.5, 1, 3, 7.5, 10, 12.5, 29.97, 60]))
def test_take_never_more_than_fps_and_never_idle(steps_ms: list[int], fps: float) -> None:
    times = list(np.cumsum([0, *steps_ms]) * 1_000_000)
    taken = _taken([int(time) for time in times], fps)
    assert taken[0] == 0
    span_s = times[-1] / NS
    assert len(taken) <= span_s * fps + 1.1
    exact = Fraction(fps).limit_denominator(1000)
    tolerance_ns = min(2_000_000, int(NS / exact / 10))
    for before, after in itertools.pairwise(taken):
        passed = [(int(times[index]) + tolerance_ns) * exact // NS for index in range(before, after)]
        assert len(set(passed)) == 1, "a picture of another slot was left out"


@given(seed=st.integers(0, 2**32 - 1), wanted=st.sampled_from([3.0, 7.5, 10.0, 25.0, 60.0]), span=st.integers(1, 8))
def test_hopeless_pictures_are_never_the_ones_that_are_taken(seed: int, wanted: float, span: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(1, 90, 200)) * 1_000_000
    decoding = sorted(range(200), key=lambda index: index + rng.integers(0, span))  # reordered like B-frames
    cadence, reference = Cadence(wanted), Cadence(wanted)
    skipped: set[int] = set()
    queue: list[int] = []
    taken = []
    shown = 0
    for index in decoding:
        if cadence.hopeless(int(times[index])):
            skipped.add(index)
        queue.append(index)
        while shown in queue:  # the decoder shows a picture when all before it are there
            if shown not in skipped and cadence.take(int(times[shown])):
                taken.append(shown)
            shown += 1
    assert taken == [index for index in range(200) if reference.take(int(times[index]))]
    assert wanted > 30 or skipped, "nothing was skipped although most pictures are not wanted"


def test_hopeless_memory_is_bounded() -> None:
    cadence = Cadence(10)
    for index in range(10_000):  # nothing ever comes out of the decoder
        cadence.hopeless(index * NS)
    assert len(cadence._earliest) <= 64


def test_skipped_counts_what_was_overtaken_once() -> None:
    skipped = Skipped()
    assert [skipped.allow(pts) for pts in (4, 2, 1, 3)] == [0, 0, 0, 0]
    assert skipped.shown(2) == 1, "1 was skipped, 2 came out after all"
    assert skipped.shown(5) == 2
    assert skipped.rest() == 0
    for pts in range(200):
        skipped.allow(pts)
    assert len(skipped._allowed) <= 64


def test_rate_ignores_gaps_and_counts_skipped_pictures() -> None:
    meter = RateMeter()
    time_ns = 0
    for index in range(200):
        time_ns += round(2 * NS / 25) if index % 50 else 7 * NS  # every other picture is skipped; now and then seven seconds of silence
        meter.add(time_ns, 2)
    assert meter.fps == pytest.approx(25, rel=0.01)


def test_rate_is_unknown_before_two_pictures() -> None:
    meter = RateMeter()
    meter.add(0, 1)
    assert meter.fps is None
    meter.add(40_000_000, 1)
    assert meter.fps == 25


@given(
    seed=st.integers(0, 2**32 - 1),
    rates=st.sampled_from([(15.0, 15.0), (15.1, 15.0), (14.9, 15.0), (15.0, 5.0), (30.0, 10.0), (25.0, 10.0), (12.0, 30.0)]),
)
def test_arrivals_with_jitter_keep_the_rate_that_is_wanted(seed: int, rates: tuple[float, float]) -> None:
    sent, wanted = rates
    rng = np.random.default_rng(seed)
    jitter_s = 0.2 / max(sent, wanted)
    times_ns = ((np.arange(600) / sent + rng.uniform(0, jitter_s, 600)) * 1e9).astype(np.int64).tolist()
    cadence = ArrivalCadence(wanted)
    taken = [time_ns for time_ns in times_ns if cadence.take(time_ns)]
    expected = 600 * min(1.0, wanted / sent)
    assert expected * 0.985 - 1 <= len(taken) <= expected + 1


@given(steps_ms=st.lists(st.integers(1, 2000), min_size=1, max_size=300), fps=st.sampled_from([0.5, 1, 5, 7.5, 15]))
def test_arrivals_are_never_taken_faster_than_wanted(steps_ms: list[int], fps: float) -> None:
    times_ns = np.cumsum(steps_ms) * 1_000_000
    cadence = ArrivalCadence(fps)
    taken = [int(time_ns) for time_ns in times_ns if cadence.take(int(time_ns))]
    assert taken[0] == times_ns[0]
    for first, start in enumerate(taken):
        for last in range(first, min(len(taken), first + 20)):
            assert last - first + 1 <= (taken[last] - start) / 1e9 * fps + 2.26, "more than its turns, one owed and a quarter of a period"


@given(seed=st.integers(0, 2**32 - 1), rates=st.sampled_from([(15, 15), (15, 5), (30, 10), (25, 5)]))
def test_arrivals_with_jitter_are_taken_evenly(seed: int, rates: tuple[int, int]) -> None:
    sent, wanted = rates
    jitter_s = np.random.default_rng(seed).uniform(0, 0.2 / sent, 300)
    times_ns = ((np.arange(300) / sent + jitter_s) * 1e9).astype(np.int64).tolist()
    cadence = ArrivalCadence(wanted)
    taken = [number for number, time_ns in enumerate(times_ns) if cadence.take(time_ns)]
    assert set(np.diff(taken)) == {sent // wanted}
