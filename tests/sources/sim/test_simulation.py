"""The facade: world, truth, camera and painter agree, and what happens does not depend on how it is looked at."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_runtime.sources.sim.options import SimOptions
from edge_runtime.sources.sim.simulation import Simulation
from edge_runtime.types import Size

pytestmark = pytest.mark.heavy

SMALL = SimOptions(scene="junction", seed=3, density=2.0, size=Size(320, 180), shake=0.0, noise=0.0)


def places(simulation: Simulation, time_s: float) -> list[tuple[int, float, float]]:
    return [(user.id, user.x_m, user.y_m) for user in simulation.moment(time_s).users]


def test_what_happens_does_not_depend_on_which_moments_are_asked_for() -> None:
    often, rarely = Simulation(SMALL), Simulation(SMALL, truthful=False)
    for number in range(1, 130):
        often.moment(number / 13)
    assert places(often, 10.0) == places(rarely, 10.0)


def test_a_picture_does_not_depend_on_those_before_it() -> None:
    rough = replace(SMALL, weather="night-rain", shake=None, noise=None)
    often, once = Simulation(rough), Simulation(rough, truthful=False)
    for number in range(20):
        often.shot(number / 10)
    assert (often.shot(2.0).picture == once.shot(2.0).picture).all()


def test_truth_does_not_depend_on_how_often_somebody_looks() -> None:
    often, rarely = Simulation(SMALL), Simulation(SMALL)
    for number in range(601):
        often.moment(number / 30)
    rarely.moment(20.0)
    assert list(often.truth.crossings) == list(rarely.truth.crossings)
    assert len(often.truth.crossings) > 0, "twenty seconds of dense traffic cross something"


def test_truth_stays_empty_when_nobody_wants_it() -> None:
    simulation = Simulation(SMALL, truthful=False)
    simulation.moment(20.0)
    assert len(simulation.truth.crossings) == 0


def test_picture_shows_its_users_where_their_boxes_are() -> None:
    """Against a picture of the same street a moment later: what changed lies in boxes of then or now, but for lights and their shine."""
    simulation = Simulation(SMALL)
    before = simulation.shot(5.0)
    after = simulation.shot(5.5)
    changed = np.abs(after.picture.astype(int) - before.picture).max(axis=2) > 40
    covered = np.zeros_like(changed)
    for moment in (before.moment, after.moment):
        for x1, y1, x2, y2 in simulation.boxes(moment):
            covered[max(0, int(y1) - 6) : max(0, int(y2) + 7), max(0, int(x1) - 6) : max(0, int(x2) + 7)] = True
    assert changed.sum() > 50, "half a second of dense traffic moves something"
    assert (changed & covered).sum() > 0.8 * changed.sum()
    assert covered.mean() < 0.7, "the boxes do not simply cover everything"


def test_visibility_goes_with_the_moment_that_was_drawn() -> None:
    simulation = Simulation(SMALL)
    shot = simulation.shot(2.0)
    visibility = simulation.visibility(shot.moment)
    boxes = simulation.boxes(shot.moment)
    outside = (boxes[:, 2] <= 0) | (boxes[:, 0] >= 320) | (boxes[:, 3] <= 0) | (boxes[:, 1] >= 180)
    assert visibility.shape == (len(shot.moment.users),)
    assert (visibility[outside] == 0).all()
    assert visibility.max() > 0.8


@pytest.mark.parametrize("weather", ["day", "night-rain"])
def test_noise_changes_pixels_and_nothing_else(weather: str) -> None:
    calm = Simulation(replace(SMALL, weather=weather))
    rough = Simulation(replace(SMALL, weather=weather, noise=6.0))
    a, b = calm.shot(3.0), rough.shot(3.0)
    assert a.moment == b.moment
    assert (calm.boxes(a.moment) == rough.boxes(b.moment)).all()
    assert (a.picture != b.picture).mean() > 0.5


def test_boxes_shake_with_the_picture() -> None:
    calm, shaken = Simulation(SMALL), Simulation(replace(SMALL, shake=3.0))
    time_s = max((number / 10 for number in range(100)), key=lambda time_s: max(abs(by) for by in shaken._painter.shift(time_s)))
    still, moved = calm.shot(time_s), shaken.shot(time_s)
    shifts = shaken.boxes(moved.moment) - calm.boxes(still.moment)
    across, down = (float(value) for value in shifts[0, :2])
    assert max(abs(across), abs(down)) >= 1
    assert shifts == pytest.approx(np.tile((across, down, across, down), (len(shifts), 1)), abs=1e-9)
    straight = np.float32([[1, 0, across], [0, 1, down]])
    expected = cv2.warpAffine(still.picture, straight, (320, 180), borderMode=cv2.BORDER_REFLECT)

    def apart(picture: np.ndarray) -> float:
        return float(np.abs(picture[10:-10, 10:-10].astype(int) - moved.picture[10:-10, 10:-10]).mean())

    assert apart(expected) < 0.6 * apart(still.picture), "the picture moved to where the boxes say"
    assert list(calm.truth.crossings) == list(shaken.truth.crossings)
