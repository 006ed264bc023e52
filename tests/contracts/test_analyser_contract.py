"""What every analyser promises, over every rule of a camera."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.analyse.zone import ZoneOccupancy, ZoneOptions
from edge_runtime.contracts import Analyser
from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from edge_runtime.types import Event, Tick, Tracks, Window
from tests.track.traffic import LABELS, SIZE, USUAL, Traffic

S = 10**9
LINE = LineOptions(name="lane1", points=((0.0, 0.5), (1.0, 0.5)), forward="down")
ZONE = ZoneOptions(name="box", polygon=((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8)))
ANALYSERS: dict[str, Callable[[], Analyser]] = {
    "line": lambda: LineCounter(LINE, SIZE, LABELS, "main"),
    "zone": lambda: ZoneOccupancy(ZONE, SIZE, LABELS, "main"),
}
everywhere = pytest.mark.parametrize("make", ANALYSERS.values(), ids=ANALYSERS)


@pytest.fixture(scope="module")
def tracks() -> list[Tracks]:
    traffic, tracker = Traffic(4), ByteTracker(TrackerOptions())
    return [tracker.step(item)[0] for item in traffic.frames(traffic.times(10.0), USUAL)]


def window(first: float, last: float) -> Window:
    return Window(Tick(round(first * S), round(first * S)), Tick(round(last * S), round(last * S)))


def said(events: object) -> str:
    assert isinstance(events, list | tuple)
    return json.dumps([[event.type, event.stream, event.time, event.start, event.partial, event.data] for event in events], allow_nan=False)


def drive(analyser: Analyser, tracks: list[Tracks]) -> list[Event]:
    return [event for item in tracks for event in analyser.step(item)]


@everywhere
def test_step_and_close_are_deterministic_and_json(make: Callable[[], Analyser], tracks: list[Tracks]) -> None:
    one, other = make(), make()
    assert said(drive(one, tracks)) == said(drive(other, tracks))
    assert said(one.close(window(0, 30))) == said(other.close(window(0, 30)))


@everywhere
def test_close_says_zeros_too_and_restarts(make: Callable[[], Analyser], tracks: list[Tracks]) -> None:
    analyser = make()
    drive(analyser, tracks)
    full, empty = analyser.close(window(0, 30)), analyser.close(window(30, 60))
    assert len(full) == len(empty) > 0
    for event in [*full, *empty]:
        assert event.start is not None and event.stream == "main" and event.data["rule"] in ("lane1", "box")
    assert [event.data.get("counts", {}) for event in empty] == [{}] * len(empty)


@everywhere
def test_snapshot_in_the_middle_changes_nothing(make: Callable[[], Analyser], tracks: list[Tracks]) -> None:
    """Sums of a window over a restart are those of one without, but for what passed just then."""
    straight, first, second = make(), make(), make()
    drive(straight, tracks[:150])
    straight.reset()
    drive(straight, tracks[150:])
    drive(first, tracks[:150])
    second.restore(json.loads(json.dumps(first.snapshot())))
    drive(second, tracks[150:])
    ours, theirs = second.close(window(0, 30)), straight.close(window(0, 30))
    assert [event.data.get("total") for event in ours] == [event.data.get("total") for event in theirs]
    assert [event.data.get("max") for event in ours] == [event.data.get("max") for event in theirs]


@everywhere
def test_snapshot_is_not_changed_by_what_follows(make: Callable[[], Analyser], tracks: list[Tracks]) -> None:
    analyser = make()
    drive(analyser, tracks[:150])
    snapshot = analyser.snapshot()
    before = json.dumps(snapshot)
    drive(analyser, tracks[150:])
    analyser.close(window(0, 30))
    assert json.dumps(snapshot) == before


@everywhere
def test_reset_keeps_sums(make: Callable[[], Analyser], tracks: list[Tracks]) -> None:
    analyser, other = make(), make()
    for each in (analyser, other):
        drive(each, tracks[:200])
    analyser.reset()
    assert json.dumps(analyser.snapshot()) == json.dumps(other.snapshot())


@everywhere
def test_restore_of_another_rule_is_refused(make: Callable[[], Analyser]) -> None:
    for state in (LineCounter(LineOptions(name="lane1", points=((0.0, 0.1), (1.0, 0.1))), SIZE, LABELS, "main").snapshot(),):
        with pytest.raises(ValueError):
            make().restore(state)


@everywhere
def test_advance_and_finish_are_quiet(make: Callable[[], Analyser]) -> None:
    assert list(make().advance(Tick(S, S))) == []
    assert list(make().finish()) == []
