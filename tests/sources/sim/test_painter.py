"""Pictures: the same bytes for the same moment, people hidden by what is nearer, lamps that burn, weather that shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.sources.sim.painter import Painter
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import Moment, RoadUser, Scene, SignalHead, View
from edge_runtime.sources.sim.weather import WEATHERS
from edge_runtime.types import Size
from tests.sources.sim.test_projection import MEASURES, user

pytestmark = pytest.mark.heavy

SMALL = Size(320, 180)
ABOVE = View(eye=(0.0, 0.0, 8.0), yaw_deg=0.0, pitch_deg=20.0, hfov_deg=70.0)
PLAIN = Scene("plain", ABOVE, *((),) * 11)


def crowd() -> tuple[RoadUser, ...]:
    return tuple(replace(user(kind, (4.0 * k - 12, 18.0 + 2 * k), 40.0 * k, style=k), id=k + 1) for k, kind in enumerate(MEASURES))


def quiet(scene: Scene, weather: str = "day") -> Painter:
    return Painter(scene, SMALL, weather, shake=0.0, noise=0.0)


def changed(painter: Painter, one: Moment, two: Moment) -> NDArray[np.bool_]:
    return np.asarray((painter.paint(one) != painter.paint(two)).any(axis=2))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("weather", WEATHERS)
def test_paint_twice_gives_the_same_bytes(name: str, weather: str) -> None:
    moments = [Moment(time_s, crowd(), {head.name: "red" for head in SCENES[name].signals}) for time_s in (0.5, 1.25, 0.5)]
    painter = Painter(SCENES[name], SMALL, weather, seed=3)
    first, other, again = (painter.paint(moment) for moment in moments)
    fresh = Painter(SCENES[name], SMALL, weather, seed=3).paint(moments[0])
    assert first.shape == (180, 320, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, fresh)
    assert (first != other).any()  # noise goes on
    assert first.std() > 8


def test_paint_with_another_seed_builds_another_street() -> None:
    one, two = (Painter(SCENES["road"], SMALL, "day", seed, shake=0.0, noise=0.0).paint(Moment(0.0, (), {})) for seed in (1, 2))
    assert (np.abs(one.astype(int) - two) > 12).mean() > 0.05


def test_paint_gives_the_caller_a_picture_of_its_own() -> None:
    painter = quiet(PLAIN)
    first = painter.paint(Moment(0.0, (), {}))
    kept = first.copy()
    painter.paint(Moment(0.0, crowd(), {}))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(painter.paint(Moment(0.0, (), {})), kept)


def test_paint_does_not_depend_on_the_order_of_users() -> None:
    painter = quiet(PLAIN)
    np.testing.assert_array_equal(painter.paint(Moment(0.0, crowd(), {})), painter.paint(Moment(0.0, crowd()[::-1], {})))


def test_night_is_dark_and_headlights_light_the_road() -> None:
    towards = user("car", (0.0, 40.0), -90.0)
    empty, lit = Moment(0.0, (), {}), Moment(0.0, (towards,), {})
    day, night = quiet(PLAIN), quiet(PLAIN, "night")
    assert night.paint(empty).mean() < 0.6 * day.paint(empty).mean()
    x, y = (int(value) for value in night.camera.project(np.array([(0.0, 33.0, 0.0)]))[0][0])  # before the car
    before, after = night.paint(empty)[y, x].astype(int), night.paint(lit)[y, x].astype(int)
    assert (after > before * 1.2).all()
    assert day.paint(lit)[y, x].astype(int) == pytest.approx(day.paint(empty)[y, x].astype(int), abs=1)


def test_brake_lights_and_indicators_show_from_behind() -> None:
    painter, away = quiet(PLAIN), user("car", (0.0, 14.0), 90.0)
    rolling = painter.paint(Moment(0.0, (away,), {})).astype(int)
    for lit in (replace(away, braking=True), replace(away, indicator=1), replace(away, indicator=-1)):
        difference = painter.paint(Moment(0.0, (lit,), {})).astype(int) - rolling
        columns = np.flatnonzero((difference[:, :, 2] > 25).any(0))
        assert len(columns) > 0
        if lit.indicator:
            assert np.sign(columns.mean() - 160) == lit.indicator
    dark = Moment(0.55, (replace(away, indicator=1),), {})
    np.testing.assert_array_equal(painter.paint(dark), painter.paint(replace(dark, users=(away,))))  # between two flashes


@pytest.mark.parametrize(("state", "channel"), [("red", 2), ("green", 1)])
def test_signals_burn_in_their_colour(state: str, channel: int) -> None:
    scene = replace(PLAIN, signals=(SignalHead("one", (0.0, 15.0), (0.0, -1.0)), SignalHead("back", (4.0, 15.0), (0.0, 1.0))))
    painter = quiet(scene)
    dark, lit = painter.paint(Moment(0.0, (), {})).astype(int), painter.paint(Moment(0.0, (), {"one": state, "back": state})).astype(int)
    difference = lit - dark
    rows, columns = np.nonzero(np.abs(difference).max(axis=2) > 40)
    assert len(rows) > 3
    assert np.abs(columns - 160).max() < 15  # the head that looks away shows nothing
    assert difference[rows, columns].sum(0).argmax() == channel


def test_shadow_falls_away_from_the_sun_by_day_only() -> None:
    who = user("bus", (0.0, 25.0))
    left_over = {}
    for weather in ("day", "night"):
        painter = quiet(PLAIN, weather)
        before, after = (painter.paint(Moment(0.0, users, {})).astype(int) for users in ((), (who,)))
        darker = (before - after).min(axis=2) > 0.15 * before.mean()
        columns = np.flatnonzero((darker & ~painter.silhouette(who)).any(0))
        box = painter.camera.boxes((who,))[0]
        left_over[weather] = (box[0] - columns[0], columns[-1] - box[2])
    assert left_over["day"][0] > 5 > left_over["day"][1]  # the sun stands in the south-east
    assert max(left_over["night"]) < 5


def test_noise_and_shake_are_as_asked_for() -> None:
    moments = [Moment(k / 10, (), {}) for k in range(12)]
    still = Painter(PLAIN, SMALL, "day", shake=0.0, noise=0.0)
    assert len({still.paint(moment).tobytes() for moment in moments}) == 1
    for spread in (2.0, 5.0):
        noisy = np.array([Painter(PLAIN, SMALL, "day", shake=0.0, noise=spread).paint(moment) for moment in moments[:3]]).astype(float)
        assert (noisy[1:] - noisy[:-1])[:, 60:].std() / np.sqrt(2) == pytest.approx(spread, rel=0.15)
    shaking = Painter(SCENES["road"], SMALL, "day", shake=2.0, noise=0.0)
    moves = [shaking.shift(moment.time_s) for moment in moments]
    assert 1.0 < max(abs(part) for move in moves for part in move) <= 2.0
    assert len({shaking.paint(moment).tobytes() for moment in moments}) == len(set(moves))


def test_shake_moves_users_with_the_street() -> None:
    scene = replace(PLAIN, lamps=((0.0, 15.0),))
    painter = Painter(scene, SMALL, "day", shake=3.0, noise=0.0)
    times = [k / 7 for k in range(60)]
    time_s = next(
        time_s for time_s in times if abs(painter.shift(time_s)[0]) >= 1 and painter.shift(time_s)[0] % 1 == painter.shift(time_s)[1] % 1 == 0
    )
    across, down = (int(part) for part in painter.shift(time_s))
    still = Painter(scene, SMALL, "day", shake=0.0, noise=0.0).paint(Moment(time_s, crowd(), {}))
    moved = painter.paint(Moment(time_s, crowd(), {}))
    inner = np.s_[10:-10, 10:-10]
    assert (np.roll(still, (down, across), (0, 1))[inner] == moved[inner]).mean() > 0.98


def test_visibility_of_known_cases() -> None:
    painter = quiet(PLAIN)
    bus = replace(user("bus", (0.0, 15.0)), id=1)
    hidden = replace(user("pedestrian", (0.0, 17.0)), id=2)
    free = replace(user("pedestrian", (8.0, 12.0)), id=3)
    outside = replace(user("car", (300.0, 20.0)), id=4)
    behind = replace(user("car", (0.0, -20.0)), id=5)
    shares = painter.visibility(Moment(0.0, (outside, hidden, bus, free, behind), {}))
    assert shares[[0, 1, 4]].tolist() == [0, 0, 0]
    assert shares[[2, 3]].tolist() == [1, 1]


def test_visibility_is_lost_to_houses_and_partly_to_lamps() -> None:
    house = ((-4.0, 15.0), (4.0, 15.0), (4.0, 20.0), (-4.0, 20.0))
    walled = quiet(replace(PLAIN, buildings=(house,)))
    assert walled.visibility(Moment(0.0, (user("car", (0.0, 24.0)), replace(user("car", (0.0, 13.0)), id=2)), {})).tolist() == [0, 1]
    posted = quiet(replace(PLAIN, lamps=((0.0, 11.0),)))
    assert 0.3 < posted.visibility(Moment(0.0, (user("bicycle", (0.0, 12.0)),), {}))[0] < 0.98


def test_visibility_of_overlapping_users_agrees_with_their_silhouettes() -> None:
    painter = Painter(PLAIN, Size(640, 360), "day", shake=0.0, noise=0.0)
    near, far = replace(user("car", (0.5, 16.0)), id=1), replace(user("van", (-1.0, 18.5)), id=2)
    one, two = painter.silhouette(near), painter.silhouette(far)
    shares = painter.visibility(Moment(0.0, (near, far), {}))
    assert shares[0] == 1
    assert 0.2 < shares[1] < 0.95
    assert shares[1] == pytest.approx((two & ~one).sum() / two.sum(), abs=0.04)


def test_weather_that_is_not_known_raises() -> None:
    with pytest.raises(KeyError):
        Painter(PLAIN, SMALL, "snow")


@pytest.mark.parametrize(
    "view",
    [
        View((0.0, 0.0, 6.0), 10.0, 5.0, 90.0),
        View((12.0, 20.0, 5.0), 0.0, 10.0, 70.0),  # within a house
        View((0.0, 0.0, 30.0), 0.0, 89.9, 60.0),  # straight down
        View((0.0, -5.0, 3.0), 180.0, 0.0, 100.0),
        View((0.0, 200.0, 3.0), 0.0, 0.0, 60.0),  # away from everything
    ],
)
def test_any_view_can_be_painted(view: View) -> None:
    around = tuple(replace(one, x_m=one.x_m + view.eye[0], y_m=one.y_m + view.eye[1] - 18) for one in crowd())
    for scene in SCENES.values():
        painter = Painter(scene, Size(162, 92), "night-rain", view=view)
        moment = Moment(0.0, around, {})
        assert painter.paint(moment).shape == (92, 162, 3)
        shares = painter.visibility(moment)
        assert ((shares >= 0) & (shares <= 1)).all()
