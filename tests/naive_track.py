"""Plain twins of what tracks: slow, obvious, and written without a look at the fast ones."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def least_cost(cost: Array) -> float:
    """The least total of any assignment of all rows to distinct columns, by trying them all. cost [N, M], N ≤ M ≤ 7."""
    rows, columns = cost.shape
    return min(sum(cost[i, j] for i, j in enumerate(choice)) for choice in permutations(range(columns), rows)) if rows else 0.0


def least_cost_apart(cost: Array, apart: float) -> float:
    """The least total when any row may stay alone at the price `apart`, by trying all."""
    rows, columns = cost.shape

    def best(row: int, free: frozenset[int]) -> float:
        if row == rows:
            return 0.0
        alone = apart + best(row + 1, free)
        return min([alone] + [float(cost[row, j]) + best(row + 1, free - {j}) for j in free])

    return best(0, frozenset(range(columns)))


def kalman_step(state: Array, cov: Array, dt: float, q: float, measured: float, r: float) -> tuple[Array, Array]:
    """One coordinate, textbook matrices: state [2] (position, velocity), cov [2, 2]; predict by dt, then take in one measured position."""
    f = np.array([[1.0, dt], [0.0, 1.0]])
    noise = q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    state, cov = f @ state, f @ cov @ f.T + noise
    h = np.array([[1.0, 0.0]])
    s = h @ cov @ h.T + r
    gain = cov @ h.T / s
    return state + (gain * (measured - h @ state)).ravel(), (np.eye(2) - gain @ h) @ cov
