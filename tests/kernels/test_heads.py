"""kernels/heads.py against its plain twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edge_runtime.kernels import heads
from tests import naive_heads

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-30]
FLOORS = [0.01, 0.1, 0.25, 0.81, 1.0]


@st.composite
def scored(draw: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of two columns that are no classes, then classes; few values, so that ties are the rule; more rows than a block, sometimes."""
    classes = draw(st.integers(1, 9))
    rows = draw(st.integers(0, 40) | st.sampled_from([255, 256, 257, 700]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    head = rng.choice([0.0, 0.05, 0.2, 0.5, 0.5, 0.9, 1.0], (rows, 2 + classes), p=[0.5, 0.2, 0.1, 0.05, 0.05, 0.05, 0.05]).astype(np.float32)
    for _ in range(draw(st.integers(0, 12)) if rows else 0):
        head[draw(st.integers(0, rows - 1)), draw(st.integers(0, 1 + classes))] = draw(st.sampled_from(ODD))
    return head, draw(hnp.arrays(np.bool_, classes))


def run(kernel: Any, head: NDArray[np.float32], anchors: int, *rest: Any) -> list[tuple[int, float, int]]:
    place, score, label = np.full(anchors, -7, np.int64), np.full(anchors, np.nan, np.float32), np.full(anchors, 2, np.int16)
    head.setflags(write=False)
    count = kernel(head, *rest, place, score, label)
    return [(int(where), float(value), int(which)) for where, value, which in zip(place[:count], score[:count], label[:count], strict=True)]


@given(scored(), st.sampled_from(FLOORS))
def test_best_in_rows_with_a_gate_equals_its_twin(head: tuple[Any, Any], floor: float) -> None:
    rows, keep = head
    assert run(heads.best_in_rows, rows, len(rows), 2, 1, floor, keep) == naive_heads.best_in_rows(rows, 2, 1, floor, keep)


@given(scored(), st.sampled_from([*FLOORS, -0.5, -40.0]))
def test_best_in_rows_without_a_gate_equals_its_twin(head: tuple[Any, Any], floor: float) -> None:
    rows, keep = head
    assert run(heads.best_in_rows, rows, len(rows), 2, -1, floor, keep) == naive_heads.best_in_rows(rows, 2, -1, floor, keep)


@given(scored(), st.sampled_from([*FLOORS, -0.5]))
def test_best_in_columns_is_best_in_rows_turned(head: tuple[Any, Any], floor: float) -> None:
    rows, keep = head
    columns = np.ascontiguousarray(rows.T)
    assert run(heads.best_in_columns, columns, len(rows), 2, floor, keep) == naive_heads.best_in_rows(rows, 2, -1, floor, keep)


@pytest.mark.parametrize("anchor", [0, 255, 256, 8399])
def test_one_anchor_among_thousands_is_found(anchor: int) -> None:
    head = np.full((84, 8400), 0.01, np.float32)
    head[4 + 7, anchor] = 0.6
    everything = np.ones(80, np.bool_)
    assert run(heads.best_in_columns, head, 8400, 4, 0.5, everything) == [(anchor, pytest.approx(0.6), 7)]
    assert run(heads.best_in_rows, np.ascontiguousarray(head.T), 8400, 4, -1, 0.5, everything) == [(anchor, pytest.approx(0.6), 7)]


def test_equal_classes_are_the_first_and_an_unwanted_best_is_nothing() -> None:
    head = np.array([[0.4, 0.4, 0.1], [0.2, 0.3, 0.9]], np.float32)
    keep = np.array([True, True, False])
    assert run(heads.best_in_rows, head, 2, 0, -1, 0.1, keep) == [(0, pytest.approx(0.4), 0)]
    assert run(heads.best_in_columns, np.ascontiguousarray(head.T), 2, 0, 0.1, keep) == [(0, pytest.approx(0.4), 0)]
