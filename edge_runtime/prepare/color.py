"""Colour as numbers: what a stream's ColorSpec means, folded with a model's normalisation into the matrix of `kernels.image.resample`.

    Y′CbCr -> R′G′B′, ITU-R BT.601-7 §2.5, BT.709-6 §3, BT.2020-2 table 4 (non-constant luminance), 8 bits:

        y = Y                       b = Cb − 128                  r = Cr − 128                     full range
        y = (Y − 16) · 255/219      b = (Cb − 128) · 255/224      r = (Cr − 128) · 255/224         limited range
        R = y + 2(1 − kr) r         B = y + 2(1 − kb) b           G = (y − kr R − kb B) / (1 − kr − kb)

Ten bits: everything four times as large, but full range spans 0–1023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.types import ColorSpec, Matrix, PixelFormat

_KR_KB = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722), Matrix.BT2020: (0.2627, 0.0593)}
_FLOAT16_LIMIT = 65504.0


def luma_scale(pixel_format: PixelFormat, color: ColorSpec) -> float:
    """What stored luma is multiplied by to be on the 8-bit scale."""
    if pixel_format is not PixelFormat.YUV420P10:
        return 1.0
    return 255 / 1023 if color.full_range else 1 / 4


def to_rgb(pixel_format: PixelFormat, color: ColorSpec) -> NDArray[np.float64]:
    """Matrix [3, 4]: R, G, B in 0–255 (unclipped) = the first three columns · (three stored components) + the last.

    Components are Y, U, V; of BGR24 B, G, R, which have no range; of GRAY8 Y alone, whose range is that of `color`.
    """
    if pixel_format is PixelFormat.BGR24:
        return np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]], np.float64)
    depth = luma_scale(pixel_format, color)
    luma, chroma, black = (depth, depth, 0.0) if color.full_range else (depth * 255 / 219, depth * 255 / 224, 16 * 255 / 219)
    if pixel_format is PixelFormat.GRAY8:
        return np.array([[luma, 0, 0, -black]] * 3, np.float64)
    middle = 512 if pixel_format is PixelFormat.YUV420P10 else 128
    kr, kb = _KR_KB[color.matrix]
    red, blue, green = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma, 1 - kr - kb
    matrix = np.array([[luma, 0, red, 0], [luma, -kb * blue / green, -kr * red / green, 0], [luma, blue, 0, 0]], np.float64)
    matrix[:, 3] = -black - middle * (matrix[:, 1] + matrix[:, 2])
    return matrix


def normalised(rgb: NDArray[np.float64], image: ImageInput) -> NDArray[np.float32]:
    """The kernel's matrix [3, 6] for this model: channels in its order, value = (clipped pixel · scale − mean) / std."""
    gain, bias = _affine(image)
    matrix = np.zeros((3, 6), np.float64)
    matrix[:, :4] = (rgb if image.color == "RGB" else rgb[::-1]) * gain[:, None]
    matrix[:, 3] += bias
    matrix[:, 4:] = np.sort(np.stack([pixel_values(image, 0), pixel_values(image, 255)], axis=1), axis=1)
    if image.dtype == "uint8":
        matrix[:, 3:] += 0.5  # the kernel cuts fractions off
    return np.ascontiguousarray(matrix, np.float32)


def pixel_values(image: ImageInput, pixel: int) -> NDArray[np.float64]:
    """What a grey `pixel` of 0–255 is in the tensor, by channel: within the limits of its dtype, and rounded where that is uint8."""
    gain, bias = _affine(image)
    values = pixel * gain + bias
    if image.dtype == "uint8":
        return np.asarray(np.floor(np.clip(values, 0, 255) + 0.5), np.float64)
    return np.clip(values, -_FLOAT16_LIMIT, _FLOAT16_LIMIT) if image.dtype == "float16" else values


def _affine(image: ImageInput) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain and bias by channel, of pixel · scale − mean, over std."""
    mean, std = np.asarray(image.mean, np.float64), np.asarray(image.std, np.float64)
    if not (np.isfinite([*mean, *std, image.scale]).all() and std.all()):
        raise ValueError(f"input {image.name!r}: scale {image.scale}, mean {image.mean}, std {image.std}: expected finite numbers and no std of 0")
    return image.scale / std, -mean / std
