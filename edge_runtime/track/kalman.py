"""Motion of many boxes at once: a Kalman filter on arrays.

A box is (x, y, ln w, ln h): its centre in pixels and the logarithms of its sides, so that errors of size are relative and a side never
becomes negative. The four coordinates are filtered apart from each other:

    x, y          position and velocity    acceleration is white noise: the state after dt seconds is
                                               p += v·dt         Cpp += 2·dt·Cpv + dt²·Cvv + q·dt³/3
                                               v += 0            Cpv += dt·Cvv + q·dt²/2
                                                                 Cvv += q·dt
    ln w, ln h    a random walk            C += q·dt

(Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2: the discretised continuous
white-noise acceleration model.) Time enters as seconds and nothing else does, so a frame that was dropped is simply a longer dt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PP, PV, VV = 0, 1, 2  # where the three numbers of a symmetric 2 × 2 covariance stand


def predict_motion(position: Array, velocity: Array, cov: Array, dt: float, q: Array) -> tuple[Array, Array]:
    """dt seconds later: position [N, 2] px, velocity [N, 2] px/s, cov [N, 2, 3], q [N, 2] px²/s³ -> position, cov."""
    moved = np.empty_like(cov)
    moved[..., VV] = cov[..., VV] + q * dt
    moved[..., PV] = cov[..., PV] + dt * cov[..., VV] + q * (dt * dt / 2)
    moved[..., PP] = cov[..., PP] + 2 * dt * cov[..., PV] + dt * dt * cov[..., VV] + q * (dt**3 / 3)
    return position + velocity * dt, moved


def correct_motion(position: Array, velocity: Array, cov: Array, measured: Array, r: Array) -> tuple[Array, Array, Array]:
    """Take in measured positions [N, 2] of variance r [N, 2] -> position, velocity, cov."""
    total = cov[..., PP] + r
    gain_p = cov[..., PP] / total
    gain_v = cov[..., PV] / total
    surprise = measured - position
    better = np.empty_like(cov)
    better[..., PP] = gain_p * r
    better[..., PV] = cov[..., PV] * (1 - gain_p)
    better[..., VV] = cov[..., VV] - gain_v * cov[..., PV]
    return position + gain_p * surprise, velocity + gain_v * surprise, better


def correct_size(size: Array, var: Array, measured: Array, r: Array) -> tuple[Array, Array]:
    """Take in measured (ln w, ln h) [N, 2] of variance r [N, 2] -> size, var."""
    gain = var / (var + r)
    return size + gain * (measured - size), gain * r


def to_xyxy(position: Array, size: Array) -> Array:
    """Centres [N, 2] and (ln w, ln h) [N, 2] -> boxes [N, 4]."""
    half = np.exp(size) / 2
    return np.concatenate([position - half, position + half], axis=1)


def from_xyxy(xyxy: NDArray[np.float32]) -> tuple[Array, Array]:
    """Boxes [N, 4] with positive sides -> centres [N, 2] and (ln w, ln h) [N, 2]."""
    boxes = xyxy.astype(np.float64)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.log(boxes[:, 2:] - boxes[:, :2])
