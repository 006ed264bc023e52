"""Assignment: the kernel against trying everything, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from edge_runtime.kernels.assign import assign
from edge_runtime.track.assign import Matcher
from tests.naive_track import least_cost, least_cost_apart

COSTS = st.integers(0, 4).flatmap(lambda n: st.integers(n, 6).flatmap(lambda m: arrays(np.float64, (n, m), elements=st.floats(-9, 9, width=16))))
ANY = st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-9, 9, width=16)))


@given(cost=COSTS)
def test_assign_agrees_with_trying_all(cost: np.ndarray) -> None:
    column = np.empty(len(cost), np.int64)
    assign(np.ascontiguousarray(cost), column)
    assert len(set(column.tolist())) == len(cost)
    assert cost[np.arange(len(cost)), column].sum() == pytest.approx(least_cost(cost))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 60), extra=st.integers(0, 30), coarse=st.booleans())
def test_assign_agrees_with_scipy_when_large(seed: int, rows: int, extra: int, coarse: bool) -> None:
    cost = np.random.default_rng(seed).normal(size=(rows, rows + extra))
    if coarse:  # many ties
        cost = np.round(cost)
    column = np.empty(rows, np.int64)
    assign(cost, column)
    best = linear_sum_assignment(cost)
    assert len(set(column.tolist())) == rows
    assert cost[np.arange(rows), column].sum() == pytest.approx(cost[best].sum())


@given(cost=ANY, apart=st.floats(-5, 5))
def test_match_leaves_apart_what_is_not_worth_it(cost: np.ndarray, apart: float) -> None:
    rows, columns = Matcher().match(cost, apart)
    assert len(set(rows.tolist())) == len(rows) and len(set(columns.tolist())) == len(columns)
    assert (cost[rows, columns] < apart).all()
    total = cost[rows, columns].sum() + apart * (len(cost) - len(rows))
    assert total == pytest.approx(least_cost_apart(cost, apart), abs=1e-6)


def test_match_never_pairs_the_impossible() -> None:
    rows, columns = Matcher().match(np.array([[np.inf, 1.0], [np.inf, 0.5]]), 5.0)
    assert rows.tolist() == [1] and columns.tolist() == [1]
