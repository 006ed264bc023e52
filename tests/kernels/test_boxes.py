"""kernels/boxes.py against its plain twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edge_runtime.decode.yolox import anchor_grid
from edge_runtime.kernels import boxes
from edge_runtime.types import Size
from tests import naive

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-30]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=32) | st.sampled_from(ODD)


def any_boxes(most: int = 24) -> st.SearchStrategy[NDArray[np.float32]]:
    """On a coarse grid, so that boxes touch, coincide and are empty often; odd numbers among them."""
    coarse = st.integers(0, 12).map(lambda value: float(value * 4))
    return st.integers(0, most).flatmap(lambda count: hnp.arrays(np.float32, (count, 4), elements=coarse | numbers(-50, 50)))


def run_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.full((len(a), len(b)), np.nan, np.float32)
    boxes.iou(a, b, out)
    return out


@given(any_boxes(), any_boxes())
def test_iou_equals_its_twin(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(run_iou(a, b), naive.iou(a, b))


@given(any_boxes(8))
def test_iou_is_symmetric_and_between_0_and_1(a: NDArray[np.float32]) -> None:
    overlap = run_iou(a, a)
    np.testing.assert_array_equal(overlap, overlap.T)
    assert ((overlap >= 0) & (overlap <= 1)).all()


def test_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10], [0, 0, 4, 4], [5, 5, 5, 9]], np.float32)
    b = np.array([[5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 10, 10]], np.float32)
    np.testing.assert_allclose(run_iou(a, b), [[1 / 3, 0, 1], [0, 0, 0.16], [0, 0, 0]], rtol=1e-6)


def test_iou_reads_what_is_read_only() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    a.setflags(write=False)
    assert run_iou(a, a)[0, 0] == 1


@st.composite
def candidates(draw: Any) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int16]]:
    xyxy = draw(any_boxes())
    few = st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.9])  # ties are the rule
    score = draw(hnp.arrays(np.float32, len(xyxy), elements=few | numbers(0, 1)))
    label = draw(hnp.arrays(np.int16, len(xyxy), elements=st.integers(0, 2)))
    return xyxy, score, label


def run_nms(xyxy: NDArray[np.float32], score: NDArray[np.float32], label: NDArray[np.int16], same: float, cross: float) -> list[int]:
    kept = np.full(len(score), -1, np.int64)
    return kept[: boxes.nms(xyxy, score, label, same, cross, kept)].tolist()


@given(candidates(), st.sampled_from([0.0, 0.3, 0.45, 0.5, 1.0]), st.sampled_from([0.3, 0.7, 1.0, 2.0]))
def test_nms_equals_its_twin(found: tuple[Any, Any, Any], same: float, cross: float) -> None:
    assert run_nms(*found, same, cross) == naive.nms(*found, same, cross)


def test_nms_of_nothing_keeps_nothing() -> None:
    assert run_nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16), 0.5, 0.7) == []


def test_nms_drops_the_worse_of_one_label_and_keeps_another_label() -> None:
    xyxy = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 6.5]], np.float32)
    score = np.array([0.5, 0.9, 0.4], np.float32)
    assert run_nms(xyxy, score, np.array([1, 1, 2], np.int16), 0.5, 0.8) == [1, 2]
    assert run_nms(xyxy, score, np.array([1, 1, 2], np.int16), 0.5, 0.7) == [1]
    assert run_nms(xyxy, score, np.array([1, 1, 2], np.int16), 0.5, 1.0) == [1, 2]


def test_nms_is_the_same_in_any_order_of_distinct_scores() -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 60, (200, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 40, (200, 2))], 1).astype(np.float32)
    score, label = rng.permutation(200).astype(np.float32) / 200, rng.integers(0, 4, 200).astype(np.int16)
    expected = run_nms(xyxy, score, label, 0.45, 0.7)
    shuffled = rng.permutation(200)
    assert shuffled[run_nms(xyxy[shuffled], score[shuffled], label[shuffled], 0.45, 0.7)].tolist() == expected
    assert 10 < len(expected) < 200


GRID = anchor_grid(Size(64, 32))


@st.composite
def heads(draw: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Raw heads: plausible numbers with odd ones among them, and which classes are wanted."""
    classes = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    raw = rng.uniform(-2, 2, (len(GRID), 5 + classes)).astype(np.float32)
    raw[:, 4:] = rng.choice([0.05, 0.2, 0.5, 0.9, 1.0], raw[:, 4:].shape)
    for _ in range(draw(st.integers(0, 12))):
        raw[draw(st.integers(0, len(raw) - 1)), draw(st.integers(0, raw.shape[1] - 1))] = draw(st.sampled_from([*ODD, 100.0, 2.0, -5.0]))
    return raw, draw(hnp.arrays(np.bool_, classes))


def run_decode(raw: NDArray[np.float32], grid: NDArray[np.float32], floor: float, keep: NDArray[np.bool_]) -> tuple[Any, Any, Any]:
    xyxy, score, label = np.full((len(raw), 4), np.nan, np.float32), np.full(len(raw), np.nan, np.float32), np.full(len(raw), -7, np.int16)
    count = boxes.decode_yolox(raw, grid, floor, keep, xyxy, score, label)
    return xyxy[:count], score[:count], label[:count]


@given(heads(), st.sampled_from([0.01, 0.1, 0.25, 0.81, 1.0]))
def test_decode_yolox_equals_its_twin(head: tuple[Any, Any], floor: float) -> None:
    raw, keep = head
    found, expected = run_decode(raw, GRID, floor, keep), naive.decode_yolox(raw, GRID, floor, keep)
    np.testing.assert_array_equal(found[2], expected[2])
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-4)  # two implementations of exp


def test_decode_yolox_of_one_anchor_by_hand() -> None:
    raw = np.zeros((len(GRID), 7), np.float32)
    raw[11] = [0.5, 0.25, np.log(4), np.log(2), 0.8, 0.1, 0.5]  # stride 8, cell (3, 1)
    xyxy, score, label = run_decode(raw, GRID, 0.1, np.ones(2, np.bool_))
    np.testing.assert_allclose(xyxy, [[28 - 16, 10 - 8, 28 + 16, 10 + 8]], rtol=1e-6)
    np.testing.assert_allclose(score, [0.4])
    assert label.tolist() == [1]


@pytest.mark.parametrize("size", [Size(416, 416), Size(640, 384), Size(64, 32)])
def test_anchor_grid_has_every_cell_once(size: Size) -> None:
    grid = anchor_grid(size)
    assert len(grid) == sum((size.width // stride) * (size.height // stride) for stride in (8, 16, 32))
    assert len(np.unique(grid, axis=0)) == len(grid)
    assert grid[0].tolist() == [0, 0, 8]
    assert grid[1].tolist() == [1, 0, 8]
    assert grid[-1].tolist() == [size.width // 32 - 1, size.height // 32 - 1, 32]
