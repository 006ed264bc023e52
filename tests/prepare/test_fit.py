"""Where pictures lie in tensors, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.fit import fit
from edge_runtime.types import Size

sizes = st.builds(Size, st.integers(1, 4000), st.integers(1, 4000))
images = st.builds(
    ImageInput,
    name=st.just("images"),
    size=st.builds(Size, st.integers(1, 1300), st.integers(1, 1300)),
    resize=st.sampled_from(["letterbox", "stretch", "crop"]),
    align=st.sampled_from(["top-left", "center"]),
)
rotations = st.sampled_from([0, 90, 180, 270])


@given(images, sizes, rotations)
def test_fit_lies_within_tensor_and_picture(image, stored, rotation):
    place = fit(image, stored, rotation)
    window, content = place.window, place.content
    assert 0 <= window.left < window.right <= stored.width
    assert 0 <= window.top < window.bottom <= stored.height
    assert window.left % 2 == window.top % 2 == 0
    assert content.width >= 1 and content.height >= 1
    assert place.left >= 0 and place.left + content.width <= image.size.width
    assert place.top >= 0 and place.top + content.height <= image.size.height
    touches = content.width == image.size.width or content.height == image.size.height
    assert touches if image.resize == "letterbox" else content == image.size


@given(images, sizes, rotations, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_geometry_inverts_what_fit_did(image, stored, rotation, fractions):
    geometry = fit(image, stored, rotation).geometry
    wide, high = geometry.source
    box = np.array([[*sorted((fractions[0] * wide, fractions[1] * wide)), *sorted((fractions[2] * high, fractions[3] * high))]])[:, [0, 2, 1, 3]]
    scale, offset = np.array(geometry.scale * 2), np.array(geometry.offset * 2)
    back = geometry.to_source((box * scale + offset).astype(np.float32))
    per_pixel = 1 / min(geometry.scale)
    np.testing.assert_allclose(back, box, atol=1e-5 * max(stored) + 1e-3 * per_pixel)


@given(images.filter(lambda image: image.resize == "letterbox"), sizes, rotations)
def test_letterbox_keeps_aspect_within_a_pixel(image, stored, rotation):
    place = fit(image, stored, rotation)
    wide, high = place.geometry.source
    ratio = min(image.size.width / wide, image.size.height / high)
    assert abs(place.content.width - max(1, wide * ratio)) <= 0.5
    assert abs(place.content.height - max(1, high * ratio)) <= 0.5


@given(images.filter(lambda image: image.resize == "crop"), sizes, rotations)
def test_crop_is_centred_and_keeps_aspect(image, stored, rotation):
    place = fit(image, stored, rotation)
    window = place.window
    assert abs((window.left + window.right) - stored.width) <= 3
    assert abs((window.top + window.bottom) - stored.height) <= 3
    wide, high = (image.size.height, image.size.width) if rotation in (90, 270) else image.size
    assert window.size.width == stored.width or window.size.height == stored.height
    assert abs(window.size.width - min(stored.width, stored.height * wide / high)) <= 2
    assert abs(window.size.height - min(stored.height, stored.width * high / wide)) <= 2


@pytest.mark.parametrize(
    ("align", "rotation", "scale", "offset"),
    [
        ("top-left", 0, 416 / 1920, (0, 0)),
        ("center", 0, 416 / 1920, (0, 91)),
        ("center", 90, 416 / 1920, (91, 0)),
        ("top-left", 270, 416 / 1920, (0, 0)),
    ],
)
def test_letterbox_of_1080p(align, rotation, scale, offset):
    geometry = fit(ImageInput(name="images", size=Size(416, 416), align=align), Size(1920, 1080), rotation).geometry
    assert geometry.scale == pytest.approx((scale, scale))
    assert geometry.offset == offset
    assert geometry.source == (Size(1080, 1920) if rotation else Size(1920, 1080))
