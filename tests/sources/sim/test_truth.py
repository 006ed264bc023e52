"""Truth at lines and in zones: by geometry that a person can check, and against the package's own counter on true boxes."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from edge_runtime.analyse.line import LineCounter, LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.sources.sim import truth as truth_module
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import CountLine, Moment, RoadUser, View, Zone
from edge_runtime.sources.sim.truth import Record, TruthLog
from edge_runtime.sources.sim.world import TICK_S, World
from edge_runtime.types import Detections, Size, Stamp, Tracks

pytestmark = pytest.mark.heavy

SIZE = Size(1000, 1000)
ABOVE = View((0.0, -20.0, 20.0), 0.0, 45.0, 60.0)  # looks along +y at the origin: x grows to the right of the picture


def car(x: float, y: float = 0.0, number: int = 1, speed: float = 10.0) -> RoadUser:
    return RoadUser(number, "car", x, y, (1.0, 0.0), speed, 4.0, 1.8, 1.5, 3, 0.0)


def drive(log: TruthLog, xs: Sequence[float], y: float = 0.0, start: int = 0) -> None:
    for number, x in enumerate(xs):
        log.watch(Moment((start + number) * TICK_S, (car(x, y),), {}))


def upright(name: str = "line", x: float = 0.5, bottom_first: bool = True) -> CountLine:
    ends = ((x, 0.9), (x, 0.1))
    return CountLine(name, ends if bottom_first else ends[::-1], "a", "b")


def to_the_right(frm: float = -3.0, to: float = 3.0) -> list[float]:
    return [float(x) for x in np.arange(frm, to + 1e-9, 0.5)]


def test_passing_from_left_to_right_of_an_upward_line_is_forward() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    drive(log, to_the_right())
    (crossing,) = log.crossings
    assert (crossing.line, crossing.direction, crossing.kind, crossing.label, crossing.id) == ("line", "forward", "car", "car", 1)
    assert crossing.speed_kmh == 36.0
    assert crossing.time_s == pytest.approx(6 * TICK_S, abs=TICK_S), "at x = 0"


def test_the_same_passing_over_the_line_drawn_the_other_way_is_backward() -> None:
    log = TruthLog(ABOVE, SIZE, [upright(bottom_first=False)], [])
    drive(log, to_the_right())
    assert [crossing.direction for crossing in log.crossings] == ["backward"]


def test_who_comes_back_has_passed_twice() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    drive(log, to_the_right() + to_the_right()[::-1])
    assert [crossing.direction for crossing in log.crossings] == ["forward", "backward"]
    assert log.counts == {("line", "forward", "car"): 1, ("line", "backward", "car"): 1}


def test_who_sways_on_the_line_has_passed_once() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    drive(log, [-1.0, 0.02, -0.02, 0.02, -0.02, 0.02, 1.0])
    assert [crossing.direction for crossing in log.crossings] == ["forward"]
    assert log.crossings[0].time_s == pytest.approx(4.5 * TICK_S, abs=TICK_S), "when it met the line last"


def test_who_turns_round_on_the_line_has_not_passed() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    drive(log, [-1.0, -0.02, 0.02, -0.02, -1.0])
    assert len(log.crossings) == 0


def test_who_stops_just_before_the_line_has_not_passed() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    drive(log, [-3.0, -2.0, -1.0, -0.2, -0.2, -0.2])
    assert len(log.crossings) == 0


def test_a_way_beside_the_ends_of_a_line_does_not_pass_it() -> None:
    short = CountLine("short", ((0.5, 0.9), (0.5, 0.7)), "a", "b")  # nearer to the camera than the car
    log = TruthLog(ABOVE, SIZE, [short], [])
    drive(log, to_the_right())
    assert len(log.crossings) == 0


def test_anchors_differ_where_the_line_runs_across_the_body() -> None:
    """A level line between the centre and the lower edge of the box: driving towards the camera the lower edge meets it first."""

    class Low(CountLine):
        anchor = "bottom"

    ends = ((0.1, 0.5), (0.9, 0.5))
    log = TruthLog(ABOVE, SIZE, [CountLine("center", ends, "a", "b"), Low("bottom", ends, "a", "b")], [])
    for number, y in enumerate(np.arange(4.0, -4.0, -0.25)):
        log.watch(Moment(number * TICK_S, (car(0.0, float(y)),), {}))
    times = {crossing.line: crossing.time_s for crossing in log.crossings}
    assert times["bottom"] < times["center"]
    assert {crossing.direction for crossing in log.crossings} == {"forward"}, "downwards over a line drawn from left to right"


def test_nothing_counts_outside_the_picture() -> None:
    beyond = CountLine("beyond", ((1.02, 0.9), (1.02, 0.1)), "a", "b")
    log = TruthLog(ABOVE, SIZE, [beyond], [])
    drive(log, [float(x) for x in np.arange(10.0, 20.0, 0.5)])
    assert len(log.crossings) == 0


def test_a_gap_in_a_life_is_not_a_way() -> None:
    """Someone who was away for a tick has no straight way over the line."""
    log = TruthLog(ABOVE, SIZE, [upright()], [])
    log.watch(Moment(0.0, (car(-2.0),), {}))
    log.watch(Moment(TICK_S, (), {}))
    log.watch(Moment(2 * TICK_S, (car(2.0),), {}))
    assert len(log.crossings) == 0


def test_rules_of_a_config_are_judged_in_their_own_units() -> None:
    line = LineOptions(name="px", points=((250, 450), (250, 50)), units="px", size=(500, 500))
    log = TruthLog(ABOVE, SIZE, [line], [])
    drive(log, to_the_right())
    assert [crossing.direction for crossing in log.crossings] == ["forward"]


def test_a_stay_lasts_from_entering_to_leaving() -> None:
    log = TruthLog(ABOVE, SIZE, [], [Zone("box", ((0.45, 0.3), (0.55, 0.3), (0.55, 0.7), (0.45, 0.7)))])
    drive(log, to_the_right())
    (stay,) = log.stays
    camera = Camera(ABOVE, SIZE)
    boxes = camera.boxes([car(x) for x in to_the_right()])
    inside = np.flatnonzero(np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - 500) <= 50)
    assert stay.enter_s == pytest.approx(inside[0] * TICK_S)
    assert stay.leave_s == pytest.approx((inside[-1] + 1) * TICK_S)
    assert stay.dwell_s == pytest.approx(len(inside) * TICK_S)
    assert not log.staying


def test_a_stay_that_lasts_is_told_apart() -> None:
    log = TruthLog(ABOVE, SIZE, [], [Zone("box", ((0.4, 0.3), (0.6, 0.3), (0.6, 0.7), (0.4, 0.7)))])
    drive(log, [0.0] * 11)
    (stay,) = log.staying
    assert (stay.leave_s, len(log.stays)) == (None, 0)
    assert stay.dwell_s == pytest.approx(10 * TICK_S)
    log.watch(Moment(11 * TICK_S, (), {}))
    assert [one.leave_s for one in log.stays] == [pytest.approx(11 * TICK_S)], "who is gone has left"


def test_rules_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="same point"):
        TruthLog(ABOVE, SIZE, [CountLine("dot", ((0.5, 0.5), (0.5, 0.5)), "a", "b")], [])
    with pytest.raises(ValueError, match="three or more"):
        TruthLog(ABOVE, SIZE, [], [ZoneOptions(name="two", polygon=((0.1, 0.1), (0.5, 0.5)))])


def test_a_record_keeps_the_latest_and_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth_module, "KEPT", 10)
    record: Record[int] = Record()
    for number in range(25):
        record.add(number)
    assert len(record) == 25
    assert record[22:] == [22, 23, 24]
    assert record[:] == list(range(15, 25))
    assert record[-1] == 24
    with pytest.raises(IndexError, match="oldest is 15"):
        record[3]


def test_truth_can_be_read_while_it_grows() -> None:
    log = TruthLog(ABOVE, SIZE, [upright()], [Zone("box", ((0.4, 0.3), (0.6, 0.3), (0.6, 0.7), (0.4, 0.7)))])
    done = threading.Event()
    told: list[int] = []

    def follow() -> None:
        taken = 0
        while not done.is_set() or taken < len(log.crossings):
            fresh = log.crossings[taken:]
            taken += len(fresh)
            told.extend(crossing.id for crossing in fresh)
            assert sum(log.counts.values()) >= taken
            tuple(log.staying)

    reader = threading.Thread(target=follow)
    reader.start()
    for number in range(60):
        drive(log, to_the_right(-1.0, 1.0), start=number * 10)
        log.watch(Moment((number * 10 + 9) * TICK_S, (), {}))
    done.set()
    reader.join(30.0)
    assert len(told) == len(log.crossings) == 60


@pytest.mark.parametrize("scene", SCENES)
def test_the_package_counts_the_same_on_true_boxes(scene: str) -> None:
    """The counter, given perfect tracks at ten frames a second, against truth: two programs, one answer."""
    ground, size = SCENES[scene], Size(1280, 720)
    world, camera, log = World(ground, 21), Camera(ground.view, size), TruthLog(ground.view, size, ground.lines, ())
    labels = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
    counters = [LineCounter(LineOptions(name=line.name, points=line.points), size, labels, "s") for line in ground.lines]
    counted = set()
    for number in range(2000):
        moment = world.moment(number * TICK_S)
        log.watch(moment)
        if number % 2 == 0:
            for event in (event for counter in counters for event in counter.step(true_tracks(camera, moment, labels))):
                counted.add((event.data["rule"], event.data["dir"], event.data["class"], event.data["track"], event.time.mono_ns / 1e9))
    until_s = 95.0  # the counter is certain a little later
    true = {(one.line, one.direction, one.label, one.id) for one in log.crossings if one.time_s < until_s}
    assert {one[:4] for one in counted if one[4] < until_s} == true
    assert len(true) > 25


def true_tracks(camera: Camera, moment: Moment, labels: Sequence[str]) -> Tracks:
    """Everybody of whom at least the middle is in the picture, as a perfect tracker would tell."""
    boxes = camera.boxes(moment.users)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = np.flatnonzero((middles >= 0).all(axis=1) & (middles < camera.size).all(axis=1) & (boxes[:, 2] > boxes[:, 0]))
    users = [moment.users[row] for row in inside]
    stamp = Stamp("s", 0, round(moment.time_s * 1e9), round(moment.time_s * 1e9))
    label = np.array([labels.index(user.label) for user in users], np.int16)
    found = Detections(stamp, boxes[inside].astype(np.float32), np.ones(len(users), np.float32), label)
    return Tracks(found, np.array([user.id for user in users], np.int64), np.zeros(0, np.int64))
