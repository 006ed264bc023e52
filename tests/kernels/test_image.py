"""The kernel against its twin, over any tables that point into the planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.kernels.image import resample
from tests import naive_image


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sample=st.sampled_from([np.uint8, np.uint16]),
    value=st.sampled_from([np.float32, np.uint8]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 70)),
    planes=st.integers(1, 3),
    whole=st.tuples(st.booleans(), st.booleans()),
)
def test_resample_agrees_with_twin(seed, sample, value, size, planes, whole):
    """Any tables that point into the planes, weights of 0 among them; nothing outside the given corner is written."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows_down, whole_across = whole
    strides = rng.integers(40, 60, 3)
    flat = tuple(rng.integers(0, 1024 if sample == np.uint16 else 256, int(strides[p]) * 8).astype(sample) for p in range(3))
    layout = np.array([[strides[p], rng.integers(0, 8), 32] if p < planes else [0, 0, 0] for p in range(3)], np.int64)
    step = 0 if whole_across else int(rng.integers(1, 5))
    parts = np.array([[rng.integers(-1, planes), step] for _ in range(3)], np.int64)
    upper = rng.integers(0, 7, (3, 1, height)).astype(np.uint32)
    rows = (np.concatenate([upper, upper + 1], axis=1), np.float32(0) * upper[:, 0] if rows_down else rng.random((3, height)).astype(np.float32))
    rows = (rows[0], rows[1].astype(np.float32))
    left = rng.integers(0, 32 - max(step, 1), (3, width)).astype(np.uint32)
    weights = np.zeros((3, width), np.float32) if whole_across else (rng.random((3, width)) * rng.integers(0, 2, (3, width))).astype(np.float32)
    matrix = np.concatenate([rng.normal(0, 1, (3, 4)), np.sort(rng.uniform(0, 255, (3, 2)), axis=1)], axis=1).astype(np.float32)
    out = np.full((3, height + 3, width + 5), 99, value)

    resample(flat, layout, rows, (left, weights, parts), matrix, out, (2, 4))

    expected = naive_image.resampled(flat, layout, rows, (left, weights, parts), matrix)
    taken = out[:, 2 : 2 + height, 4 : 4 + width].astype(np.float64)
    if value == np.uint8:  # fractions are cut off; a value at a whole number may fall on either side
        assert np.all((taken <= expected + 1e-2) & (expected - 1e-2 < taken + 1))
    else:
        np.testing.assert_allclose(taken, expected, atol=1e-2 if sample == np.uint16 else 2e-3)
    out[:, 2 : 2 + height, 4 : 4 + width] = 99
    assert np.all(out == 99)


def test_resample_compiles_nothing_when_called():
    assert len(resample.signatures) == 4
    with pytest.raises(TypeError):  # other types are refused instead of compiled
        resample((np.zeros(4, np.int64),) * 3, *[np.zeros((3, 3), np.int64)] * 4, np.zeros((3, 1, 1), np.float32), (0, 0))
    assert len(resample.signatures) == 4
