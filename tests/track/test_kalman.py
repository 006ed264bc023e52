"""Motion: the arrays against textbook matrices; what the flow memory teaches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.track.flow import FlowMemory
from edge_runtime.track.kalman import PP, PV, VV, correct_motion, from_xyxy, predict_motion, to_xyxy
from tests.naive_track import kalman_step

POSITIVE = st.floats(0.01, 100)


@given(
    position=st.floats(-500, 500),
    velocity=st.floats(-50, 50),
    variances=st.tuples(POSITIVE, POSITIVE),
    rho=st.floats(-0.9, 0.9),
    dt=st.floats(0, 2),
    q=POSITIVE,
    measured=st.floats(-500, 500),
    r=POSITIVE,
)
def test_kalman_agrees_with_textbook_matrices(
    position: float, velocity: float, variances: tuple[float, float], rho: float, dt: float, q: float, measured: float, r: float
) -> None:
    pv = rho * float(np.sqrt(variances[0] * variances[1]))
    state, cov = kalman_step(np.array([position, velocity]), np.array([[variances[0], pv], [pv, variances[1]]]), dt, q, measured, r)

    def pair(x: float) -> np.ndarray:
        return np.array([[x, x]])

    flat = np.array([[[variances[0], pv, variances[1]]] * 2])
    moved, flat = predict_motion(pair(position), pair(velocity), flat, dt, pair(q))
    where, speed, flat = correct_motion(moved, pair(velocity), flat, pair(measured), pair(r))
    np.testing.assert_allclose(where[0], state[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(speed[0], state[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(flat[0, 0, [PP, PV, VV]], [cov[0, 0], cov[0, 1], cov[1, 1]], rtol=1e-6, atol=1e-6)


@given(first=st.floats(0.02, 1), second=st.floats(0.02, 1))
def test_predict_motion_in_two_steps_is_one_step(first: float, second: float) -> None:
    position, velocity, cov, q = np.array([[3.0, 4.0]]), np.array([[5.0, -6.0]]), np.array([[[1.0, 0.2, 2.0]] * 2]), np.array([[0.7, 0.7]])
    once = predict_motion(position, velocity, cov, first + second, q)
    halfway = predict_motion(position, velocity, cov, first, q)
    twice = predict_motion(halfway[0], velocity, halfway[1], second, q)
    np.testing.assert_allclose(once[0], twice[0])
    np.testing.assert_allclose(once[1], twice[1])


def test_boxes_survive_the_way_there_and_back() -> None:
    boxes = np.array([[1, 2, 30, 40], [5, 5, 6, 9]], np.float32)
    np.testing.assert_allclose(to_xyxy(*from_xyxy(boxes)), boxes, rtol=1e-6)


def test_flow_prior_without_memory_is_standing_still_give_or_take() -> None:
    mean, var = FlowMemory(8, 2.0).prior(np.array([[10.0, 10.0]]), np.array([5.0]))
    np.testing.assert_allclose(mean, 0)
    np.testing.assert_allclose(var, (2.0 * 5) ** 2)


def test_flow_prior_follows_neighbours_and_ignores_who_is_far() -> None:
    flow = FlowMemory(8, 2.0)
    flow.add(np.array([[10.0, 10.0]] * 4), np.full(4, 5.0), np.array([[30.0, 0.0]] * 4))
    mean, var = flow.prior(np.array([[10.0, 10.0], [90.0, 10.0]]), np.array([5.0, 5.0]))
    assert 27 < mean[0, 0] <= 30 and abs(mean[1, 0]) < 0.1
    assert var[0, 1] < 0.1 * var[1, 1]


def test_flow_memory_forgets_the_oldest() -> None:
    flow = FlowMemory(4, 2.0)
    for velocity in (-100.0, 50.0, 50.0, 50.0, 50.0):
        flow.add(np.array([[0.0, 0.0]]), np.array([5.0]), np.array([[velocity, 0.0]]))
    mean, _ = flow.prior(np.array([[0.0, 0.0]]), np.array([5.0]))
    assert mean[0, 0] > 40
