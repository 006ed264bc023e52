"""Frames to tensors: every format, layout, dtype and rotation against double precision; masks; memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.fit import fit
from edge_runtime.prepare.mask import hidden_pixels
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size
from tests import naive_image
from tests.naive_image import frames, random_frame

LEVEL = 2e-3  # of 255, before normalisation: float32 against double precision

channels = st.tuples(*[st.floats(-1e3, 1e3)] * 3)
deviations = st.tuples(*[st.floats(0.01, 1e3) | st.floats(-1e3, -0.01)] * 3)
images = st.builds(
    ImageInput,
    name=st.just("images"),
    size=st.builds(Size, st.integers(1, 80), st.integers(1, 80)),
    layout=st.sampled_from(["NCHW", "NHWC"]),
    dtype=st.sampled_from(["float32", "uint8", "float16"]),
    color=st.sampled_from(["RGB", "BGR"]),
    resize=st.sampled_from(["letterbox", "stretch"]),
    align=st.sampled_from(["top-left", "center"]),
    pad=st.integers(0, 255),
    scale=st.sampled_from([1.0, 1 / 255, -0.5, 1e-6, 30.0]),
    mean=st.just((0.0, 0.0, 0.0)) | channels,
    std=st.just((1.0, 1.0, 1.0)) | deviations,
)
masks = st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=4), min_size=1, max_size=2)


def run(image: ImageInput, frame: Frame, mask=()) -> np.ndarray:
    preprocess = Preprocessor(image, mask)
    buffer = preprocess.allocate()
    preprocess(frame, buffer)
    return buffer


def assert_close(found: np.ndarray, exact: np.ndarray, image: ImageInput) -> None:
    """Within LEVEL of a pixel level, carried through scale and std, and the dtype's own rounding."""
    if image.dtype == "uint8":
        exact = np.clip(exact, 0, 255)
    gain = np.abs(image.scale / np.array(image.std)).reshape((1, 3, 1, 1) if image.layout == "NCHW" else (1, 1, 1, 3))
    bias = np.abs(np.array(image.mean) / np.array(image.std)).reshape(gain.shape)
    tolerance = LEVEL * gain + 1e-6 * bias
    if image.dtype == "uint8":
        tolerance = tolerance + 0.5
    elif image.dtype == "float16":
        exact = np.clip(exact, -65504, 65504)
        tolerance = tolerance + np.abs(exact) * 2**-10 + 6e-8
    assert np.all(np.abs(found.astype(float) - exact) <= tolerance)


@settings(max_examples=200, deadline=None)
@given(frames, images)
def test_tensor_agrees_with_twin(frame, image):
    assert_close(run(image, frame), naive_image.tensor(frame, image), image)


@settings(max_examples=60, deadline=None)
@given(frames, images)
def test_crop_is_a_window_stretched(frame, image):
    image = replace(image, resize="crop", size=Size(max(image.size.width, 1), max(image.size.height, 1)))
    window = fit(image, frame.size, frame.rotation).window
    across, down = {
        PixelFormat.YUV420P: (2, 2),
        PixelFormat.YUV420P10: (2, 2),
        PixelFormat.NV12: (2, 2),
        PixelFormat.YUV422P: (2, 1),
    }.get(frame.format, (1, 1))
    cut = []
    for index, plane in enumerate(frame.planes):
        x, y = (across, down) if index else (1, 1)
        x = 2 if frame.format is PixelFormat.YUYV else x
        cut.append(plane[window.top // y : -(-window.bottom // y), window.left // x : -(-window.right // x)])
    smaller = replace(frame, planes=tuple(cut), size=window.size)
    assert_close(run(image, frame), naive_image.tensor(smaller, replace(image, resize="stretch")), image)


@settings(max_examples=60, deadline=None)
@given(frames, images, masks)
def test_planes_are_only_read(frame, image, mask):
    """Writable memory too: nothing but the flag would stop a mask from being written into it."""
    planes = tuple(np.array(plane) for plane in frame.planes)
    before = [plane.tobytes() for plane in planes]
    run(image, replace(frame, planes=planes), mask)
    assert [plane.tobytes() for plane in planes] == before
    assert not any(plane.flags.writeable for plane in frame.planes)
    run(image, frame, mask)  # and memory that must not be written is taken


@settings(max_examples=100, deadline=None)
@given(frames, images, masks, st.integers(0, 1000))
def test_masked_pixels_leave_no_trace(frame, image, mask, seed):
    """Two frames that differ in nothing but hidden pixels give the same tensor, which is black where any of them went in."""
    hidden = hidden_pixels(mask, frame.size, frame.rotation)
    assume(hidden is not None)
    other = scrambled(frame, hidden > 0, seed)
    first, second = run(image, frame, mask), run(image, other, mask)
    np.testing.assert_array_equal(first, second)

    open_view = run(image, frame)
    changed = np.any(first != open_view, axis=1 if image.layout == "NCHW" else 3)[0]
    differs = np.any(open_view != run(image, other), axis=1 if image.layout == "NCHW" else 3)[0]
    everything = [[(-1.0, -1.0), (2.0, -1.0), (2.0, 2.0), (-1.0, 2.0)]]
    black = run(replace(image, resize="stretch"), frame, everything)
    shade = black[0, :, 0, 0] if image.layout == "NCHW" else black[0, 0, 0]
    pixels = first[0] if image.layout == "NCHW" else first[0].transpose(2, 0, 1)
    assert np.all(pixels[:, changed | differs] == shade[:, None])


def scrambled(frame: Frame, hidden: np.ndarray, seed: int) -> Frame:
    """The frame with other samples wherever a sample belongs to hidden pixels, chroma too."""
    rng = np.random.default_rng(seed)
    planes = []
    for plane in frame.planes:
        down = -(-frame.size.height // plane.shape[0]) if plane.shape[0] != frame.size.height else 1
        across = 2 if plane.shape[1] != frame.size.width or frame.format is PixelFormat.YUYV else 1
        padded = np.pad(hidden, ((0, -hidden.shape[0] % down), (0, -hidden.shape[1] % across)))
        blocks = padded.reshape(plane.shape[0], down, plane.shape[1], across)
        noise = rng.integers(0, 1024 if plane.dtype == np.uint16 else 256, plane.shape).astype(plane.dtype)
        if frame.format is PixelFormat.YUYV:  # luma belongs to one pixel, chroma to two
            each = padded.reshape(plane.shape[0], plane.shape[1], 2)
            either = each.any(axis=2)
            where = np.stack([each[:, :, 0], either, each[:, :, 1], either], axis=2)
        else:
            where = blocks.any(axis=(1, 3))
            where = where.reshape(where.shape + (1,) * (plane.ndim - 2))
        planes.append(np.where(where, noise, plane))
    return replace(frame, planes=tuple(planes))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize("align", ["top-left", "center"])
def test_geometry_says_where_things_lie(rotation, resize, align):
    """A bright box of the upright picture is found in the tensor where Geometry says, and to_source brings it back."""
    stored = Size(320, 180)
    upright = Size(180, 320) if rotation in (90, 270) else stored
    left, top, right, bottom = 100, 100, 130, 140
    picture = np.zeros((upright.height, upright.width), np.uint8)
    picture[top:bottom, left:right] = 255
    plane = np.ascontiguousarray(np.rot90(picture, rotation // 90))
    frame = Frame(naive_image.stamp(), (plane,), PixelFormat.GRAY8, ColorSpec(full_range=True), stored, rotation)
    preprocess = Preprocessor(ImageInput(name="images", size=Size(200, 240), resize=resize, align=align, pad=0), ())
    buffer = preprocess.allocate()
    geometry = preprocess(frame, buffer)

    weight = buffer[0, 0] / 255
    across, down = weight.sum(axis=0), weight.sum(axis=1)
    x = (across * (np.arange(200) + 0.5)).sum() / weight.sum()
    y = (down * (np.arange(240) + 0.5)).sum() / weight.sum()
    half_width, half_height = weight.sum() / across.max() / 2, weight.sum() / down.max() / 2
    found = np.array([[x - half_width, y - half_height, x + half_width, y + half_height]], np.float32)
    assert geometry.source == upright
    np.testing.assert_allclose(geometry.to_source(found), [[left, top, right, bottom]], atol=1.0)


@settings(max_examples=30, deadline=None)
@given(images, st.lists(frames, min_size=2, max_size=6))
def test_buffer_shows_only_the_last_frame(image, several):
    """Padding painted once is painted again when a picture of another shape comes, in own buffers and in others'."""
    preprocess = Preprocessor(image, ())
    own, other = preprocess.allocate(), np.full(preprocess.shape, 7, image.dtype)
    for frame in [*several, several[0]]:
        preprocess(frame, own)
        preprocess(frame, other)
        fresh = run(image, frame)
        np.testing.assert_array_equal(own, fresh)
        np.testing.assert_array_equal(other, fresh)


def test_plans_are_bounded():
    preprocess = Preprocessor(ImageInput(name="images", size=Size(8, 8)), ())
    buffer = preprocess.allocate()
    for width in range(1, 30):
        preprocess(random_frame(width, PixelFormat.GRAY8, Size(width, 9), ColorSpec()), buffer)
    assert len(preprocess._plans) == 4


def test_preprocess_refuses_a_buffer_of_another_shape():
    preprocess = Preprocessor(ImageInput(name="images", size=Size(8, 6)), ())
    frame = random_frame(0, PixelFormat.GRAY8, Size(9, 9), ColorSpec())
    for buffer in (np.zeros((1, 3, 8, 6), np.float32), np.zeros((1, 3, 6, 8), np.float64), np.zeros((1, 3, 6, 16), np.float32)[..., ::2]):
        with pytest.raises(ValueError, match="'images': expected a C-contiguous buffer"):
            preprocess(frame, buffer)


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_preprocess_refuses_planes_of_another_size(pixel_format):
    preprocess = Preprocessor(ImageInput(name="images", size=Size(8, 6)), ())
    frame = replace(random_frame(0, pixel_format, Size(20, 10), ColorSpec()), size=Size(22, 12))
    with pytest.raises(ValueError, match="plane 0"):
        preprocess(frame, preprocess.allocate())


@pytest.mark.material
@pytest.mark.parametrize(("clip", "matrix"), [("busy_road/busy_road_1080p.mp4", Matrix.BT601), ("walking/walking.mp4", Matrix.BT709)])
def test_tensor_is_near_the_usual_chain_on_footage(material, clip, matrix):
    """FFmpeg's own conversion and cv2.resize: equal but for their rounding and for chroma, which FFmpeg repeats where this interpolates."""
    import av
    import cv2

    with av.open(str(material / "videos" / clip)) as container:
        picture = next(container.decode(video=0))
    planes = tuple(np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width] for p in picture.planes)
    frame = Frame(naive_image.stamp(), planes, PixelFormat.YUV420P, ColorSpec(matrix), Size(picture.width, picture.height))
    image = ImageInput(name="images", size=Size(416, 234), color="BGR", resize="stretch")
    ours = run(image, frame)
    bgr = cv2.resize(picture.to_ndarray(format="bgr24", src_colorspace=("ITU709" if matrix is Matrix.BT709 else "ITU601")), (416, 234))
    difference = np.abs(ours[0] - bgr.transpose(2, 0, 1))
    assert difference.mean() < 1.5
    assert np.quantile(difference, 0.99) < 4
    assert_close(ours, naive_image.tensor(frame, image), image)


@pytest.mark.parametrize("pixel_format", PixelFormat)
@pytest.mark.parametrize("case", ["mixed", "unaligned", "columns apart", "upside down"])
def test_preprocess_takes_planes_however_they_lie_in_memory(pixel_format, case):
    """Some writable and some not, at odd addresses, not contiguous within a row, rows backwards."""
    frame = random_frame(3, pixel_format, Size(31, 17), ColorSpec())
    expected = run(ImageInput(name="images", size=Size(16, 12)), frame)
    planes = []
    for index, plane in enumerate(frame.planes):
        if case == "mixed":
            other = np.array(plane) if index == 0 else plane
        elif case == "unaligned":
            memory = np.zeros(plane.nbytes + 1, np.uint8)
            other = memory[1:].view(plane.dtype).reshape(plane.shape)
            other[...] = plane
        elif case == "columns apart":
            other = np.zeros((plane.shape[0], 2 * plane.shape[1], *plane.shape[2:]), plane.dtype)[:, ::2]
            other[...] = plane
        else:
            other = np.ascontiguousarray(plane[::-1])[::-1]
        planes.append(other)
    np.testing.assert_array_equal(run(ImageInput(name="images", size=Size(16, 12)), replace(frame, planes=tuple(planes))), expected)
