"""Plain twins of what happens to pixels: double precision, one step at a time, nothing clever. And frames to try them on.

`tensor` states the model that the fast path is held to: bilinear at centres on each plane, then colour, then clip, then normalise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size, Stamp

Real = NDArray[np.float64]


def bilinear(plane: NDArray[Any], size: Size) -> Real:
    """The plane [h, w] stretched to `size`: centre to centre, edges repeated."""
    grid = np.asarray(plane, np.float64)
    for axis, wanted in ((0, size.height), (1, size.width)):
        have = grid.shape[axis]
        at = np.clip((np.arange(wanted) + 0.5) * have / wanted - 0.5, 0, have - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, have - 1)
        weight = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        grid = np.take(grid, low, axis) * (1 - weight) + np.take(grid, high, axis) * weight
    return grid


def samples(frame: Frame) -> tuple[Real, ...]:
    """The frame's samples on the 8-bit scale, not yet brought to one size: (Y, U, V), (B, G, R) or (Y,)."""
    planes = [np.asarray(plane, np.float64) for plane in frame.planes]
    width = frame.size.width
    if frame.format is PixelFormat.NV12:
        return planes[0], planes[1][:, :, 0], planes[1][:, :, 1]
    if frame.format is PixelFormat.YUYV:
        luma = np.stack([planes[0][:, :, 0], planes[0][:, :, 2]], axis=2).reshape(planes[0].shape[0], -1)[:, :width]
        return luma, planes[0][:, :, 1], planes[0][:, :, 3]
    if frame.format is PixelFormat.BGR24:
        return planes[0][:, :, 0], planes[0][:, :, 1], planes[0][:, :, 2]
    return tuple(planes)


def rgb(frame: Frame, planes: tuple[Real, ...]) -> Real:
    """[3, h, w]: R, G, B of samples that have one size, clipped to 0–255."""
    if frame.format is PixelFormat.BGR24:
        return np.stack(planes[::-1])
    white, grey, unit = 1.0, 128.0, 255.0
    if frame.format is PixelFormat.YUV420P10:
        white, grey = (4.0, 512.0) if not frame.color.full_range else (1023 / 255, 512.0)
    if frame.color.full_range:
        luma = planes[0] / white / unit
        swing = white * unit
    else:
        luma = (planes[0] / white - 16) / 219
        swing = white * 224
    if frame.format is PixelFormat.GRAY8:
        out = np.stack([luma, luma, luma])
    else:
        kr, kb = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722), Matrix.BT2020: (0.2627, 0.0593)}[frame.color.matrix]
        blueness = (planes[1] - grey) / swing
        redness = (planes[2] - grey) / swing
        red = luma + (2 - 2 * kr) * redness
        blue = luma + (2 - 2 * kb) * blueness
        green = (luma - kr * red - kb * blue) / (1 - kr - kb)
        out = np.stack([red, green, blue])
    return np.clip(out * 255, 0, 255)


def upright(picture: Real, rotation: int) -> Real:
    """[3, h, w] turned clockwise."""
    return np.rot90(picture, -(rotation // 90), axes=(1, 2))


def content(frame: Frame, image: ImageInput) -> tuple[Real, int, int]:
    """The upright picture [3, h, w] in R, G, B as it lies in the tensor, and its left and top there; not for crops."""
    wide, high = frame.upright
    width, height = image.size
    if image.resize == "letterbox":
        ratio = min(width / wide, height / high)
        width, height = (min(room, max(1, int(length * ratio + 0.5))) for room, length in ((width, wide), (height, high)))
    left, top = ((image.size.width - width) // 2, (image.size.height - height) // 2) if image.align == "center" else (0, 0)
    stored = Size(height, width) if frame.rotation in (90, 270) else Size(width, height)
    small = tuple(bilinear(plane, stored) for plane in samples(frame))
    return upright(rgb(frame, small), frame.rotation), left, top


def tensor(frame: Frame, image: ImageInput) -> Real:
    """[1, …] in the model's layout, not yet rounded to its dtype; not for crops."""
    picture, left, top = content(frame, image)
    canvas = np.full((3, image.size.height, image.size.width), float(image.pad))
    canvas[:, top : top + picture.shape[1], left : left + picture.shape[2]] = picture
    return laid_out(canvas, image)


def laid_out(canvas: Real, image: ImageInput) -> Real:
    """[3, h, w] of R, G, B pixels, normalised and in the model's order and layout."""
    ordered = canvas if image.color == "RGB" else canvas[::-1]
    value = np.stack([(ordered[k] * image.scale - image.mean[k]) / image.std[k] for k in range(3)])
    return (value if image.layout == "NCHW" else value.transpose(1, 2, 0))[None]


def resampled(planes: Any, layout: Any, rows: Any, columns: Any, matrix: Any) -> Real:
    """[3, h, w] of the kernel, an output sample at a time, straight from its docstring."""
    (upper_lower, down), (left, across, parts) = rows, columns
    height, width = down.shape[1], across.shape[1]
    out = np.zeros((3, height, width))
    for i in range(height):
        for j in range(width):
            component = [0.0, 0.0, 0.0]
            for c, (p, step) in enumerate(parts):
                if p < 0:
                    continue
                corners = []
                for side in (0, 1):
                    start = int(upper_lower[p, side, i]) * layout[p, 0] + layout[p, 1] + int(left[c, j])
                    near = float(planes[p][start])
                    far = float(planes[p][start + step]) if across[c, j] > 0 else 0.0
                    corners.append(near + (far - near) * float(across[c, j]) if across[c, j] > 0 else near)
                component[c] = corners[0] + (corners[1] - corners[0]) * float(down[p, i])
            for k in range(3):
                m = [float(each) for each in matrix[k]]
                out[k, i, j] = min(max(m[0] * component[0] + m[1] * component[1] + m[2] * component[2] + m[3], m[4]), m[5])
    return out


def covered(polygon: Any, size: Size) -> tuple[NDArray[np.bool_], Real]:
    """By pixel [h, w]: whether its centre is inside the polygon of fractions (even-odd), and how far it is from the nearest edge."""
    x, y = np.meshgrid(np.arange(size.width) + 0.5, np.arange(size.height) + 0.5)
    inside = np.zeros(x.shape, bool)
    distance = np.full(x.shape, np.inf)
    corners = [(fx * size.width, fy * size.height) for fx, fy in polygon]
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        with np.errstate(all="ignore"):  # edges without height or length divide by nothing, where nobody looks
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1 or 1.0))
            length = (x2 - x1) ** 2 + (y2 - y1) ** 2
            along = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / (length or 1.0), 0, 1)
        distance = np.minimum(distance, np.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1)))
    return inside, distance


# -- frames --------------------------------------------------------------------------------------------------------------------


def stamp(seq: int = 0, mono_ns: int = 0) -> Stamp:
    return Stamp("test", seq, mono_ns, mono_ns)


def shapes(pixel_format: PixelFormat, size: Size) -> list[tuple[int, ...]]:
    """The planes' shapes, as PixelFormat says."""
    width, height = size
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    return {
        PixelFormat.YUV420P: [(height, width), (half_height, half_width), (half_height, half_width)],
        PixelFormat.YUV420P10: [(height, width), (half_height, half_width), (half_height, half_width)],
        PixelFormat.YUV422P: [(height, width), (height, half_width), (height, half_width)],
        PixelFormat.NV12: [(height, width), (half_height, half_width, 2)],
        PixelFormat.YUYV: [(height, half_width, 4)],
        PixelFormat.BGR24: [(height, width, 3)],
        PixelFormat.GRAY8: [(height, width)],
    }[pixel_format]


def padded_rows(plane: NDArray[Any], padding: int) -> NDArray[Any]:
    """The same samples with `padding` samples of rubbish after each row, read-only, as decoders give them."""
    length = int(np.prod(plane.shape[1:]))
    memory = np.full((plane.shape[0], length + padding), 77, plane.dtype)
    memory[:, :length] = plane.reshape(plane.shape[0], length)
    view = np.lib.stride_tricks.as_strided(memory, plane.shape, (memory.strides[0], *plane.strides[1:]))
    view.flags.writeable = False
    return view


def random_frame(seed: int, pixel_format: PixelFormat, size: Size, color: ColorSpec, *, rotation: int = 0, padding: int = 0) -> Frame:
    """Noise, saturated steps or a smooth scene, by seed; any sample value may come."""
    rng = np.random.default_rng(seed)
    top = 1023 if pixel_format is PixelFormat.YUV420P10 else 255
    planes = []
    for shape in shapes(pixel_format, size):
        kind = seed % 3
        if kind == 0:
            plane = rng.integers(0, top + 1, shape)
        elif kind == 1:
            plane = rng.integers(0, 2, shape) * top
        else:
            ramps = [np.linspace(0, 1, n).reshape([-1 if i == axis else 1 for i in range(len(shape))]) for axis, n in enumerate(shape)]
            plane = np.round(sum(ramps) / len(shape) * top)
        planes.append(padded_rows(np.asarray(plane).astype(np.uint16 if top > 255 else np.uint8), padding))
    return Frame(stamp(), tuple(planes), pixel_format, color, size, rotation)


sizes = st.builds(Size, st.integers(1, 90), st.integers(1, 70))
colors = st.builds(ColorSpec, st.sampled_from(Matrix), st.booleans())
frames = st.builds(
    random_frame,
    st.integers(0, 10_000),
    st.sampled_from(PixelFormat),
    sizes,
    colors,
    rotation=st.sampled_from([0, 90, 180, 270]),
    padding=st.sampled_from([0, 1, 13, 32]),
)
