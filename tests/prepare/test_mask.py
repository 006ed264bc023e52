"""Which pixels a mask hides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.prepare.mask import hidden_pixels
from edge_runtime.types import Size
from tests import naive_image

points = st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))
polygons = st.lists(points, min_size=3, max_size=6)


@settings(max_examples=80, deadline=None)
@given(st.lists(polygons, min_size=1, max_size=3), naive_image.sizes, st.sampled_from([0, 90, 180, 270]))
def test_hidden_pixels_agree_with_twin(mask, stored, rotation):
    """Every pixel with its centre inside of a polygon is hidden and no other, but where rounding may decide either way."""
    upright = Size(stored.height, stored.width) if rotation in (90, 270) else stored
    raster = hidden_pixels(mask, stored, rotation)
    found = np.zeros((upright.height, upright.width), bool) if raster is None else np.rot90(raster, -(rotation // 90)) > 0
    expected, open_question = np.zeros(found.shape, bool), np.zeros(found.shape, bool)
    for polygon in mask:
        covers, distance = naive_image.covered(polygon, upright)
        expected |= covers
        open_question |= distance < 1e-6
    assert np.all((found == expected) | open_question)


def test_hidden_pixels_of_no_mask():
    assert hidden_pixels((), Size(10, 10), 0) is None
    assert hidden_pixels([[(1.5, 1.5), (1.9, 1.5), (1.9, 1.9)]], Size(10, 10), 0) is None  # beside the picture


def test_hidden_pixels_refuses_a_line():
    with pytest.raises(ValueError, match="three corners"):
        hidden_pixels([[(0, 0), (1, 1)]], Size(10, 10), 0)
