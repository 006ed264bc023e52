"""kernels/ground.py against its plain twins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.kernels import ground
from tests import naive_raster

H, W = 30, 40
TO_GROUND = np.array([[1.0, 0.0, -20.0], [0.0, 0.2, -16.0], [0.0, -0.08, -0.4]])  # rows farther down are nearer


def parts(count: int) -> Any:
    return np.tile(np.array([0, H, 0, W], np.int64), (count, 1))


@st.composite
def places(draw: st.DrawFn) -> Any:
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        x, y = naive_raster.on_ground(TO_GROUND, draw(st.integers(0, W - 1)), draw(st.integers(0, H - 1)))
        turn = draw(st.floats(0, 6.28))
        rows.append((x, y, math.cos(turn), math.sin(turn), draw(st.floats(0.5, 6)), draw(st.floats(0.3, 2))))
    return np.array(rows)


@given(places())
@settings(max_examples=50)
def test_contact_equals_its_twin(bodies: Any) -> None:
    mask = np.full((H, W), 2, np.uint8)
    ground.contact(mask, TO_GROUND, bodies, parts(len(bodies)), 1.5, 200.0)
    for row in range(H):
        for column in range(W):
            plain = max(naive_raster.darkness(TO_GROUND, body, column, row, 1.5, 200.0) for body in bodies)
            assert abs(int(mask[row, column]) - max(int(plain), 2)) <= 1


@pytest.mark.heavy
@given(places())
@settings(max_examples=50)
def test_beam_equals_its_twin(lamps: Any) -> None:
    lamps = lamps[:1]
    picture = np.full((H, W, 3), 40, np.uint8)
    standing = np.zeros((H, W), np.float32)
    standing[::7] = 0.1
    ground.beam(picture, standing, TO_GROUND, lamps, parts(1), np.array([0.5, 1.0, 2.0]))
    for row in range(H):
        for column in range(W):
            share = naive_raster.brightness(TO_GROUND, lamps[0], column, row) if standing[row, column] == 0 else 0.0
            plain = np.minimum(40 + np.floor(49 * share * np.array([0.5, 1.0, 2.0])), 255)
            np.testing.assert_allclose(picture[row, column], plain, atol=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 31, 32, 33, 70]))
def test_darken_equals_its_twin_and_clears_the_mask(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (5, width, 3), np.uint8)
    mask = (rng.integers(0, 256, (5, width)) * (rng.random((5, width)) < 0.2)).astype(np.uint8)
    standing = (rng.random((5, width)) < 0.3).astype(np.float32)
    taken = np.where(standing == 0, mask, 0)[:, :, None].astype(int)
    plain = picture * (256 - taken) // 256
    ground.darken(picture, mask, standing)
    np.testing.assert_array_equal(picture, plain)
    assert not mask.any()
