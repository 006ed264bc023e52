"""Pixels: the planes of a decoded picture become a model's tensor in one pass. Plain NumPy twin: tests/naive_image.py.

For each row of the tensor everything after the first step stays in the nearest cache:

    plane rows, as decoded     ├──── upper ───┤  ├──── lower ───┤    read once, contiguous
    blended down               ├───── float32 row ─────┤             upper · (1 − w) + lower · w
    blended across             ├── line ──┤                          at the tensor's columns: the only indexed step
    mixed                      ├── R ──┤├── G ──┤├── B ──┤           colour, normalisation and clip: an affine map and two limits

Down before across, because contiguous rows become vector instructions and fewer samples are left for the indexed step. Each loop has
few pointers, because LLVM vectorises only as many as it can check for overlap. Where a picture shrinks to an odd fraction (1080p to 640)
weights are 0 and half of the reading falls away.

One explicit signature a pair of dtypes: compiled at import, or read from Numba's cache. Arithmetic is float32, and no value is rounded on
the way: within 0.001 level of double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import float32, int64, njit, types, uint8, uint16, uint32
from numba.extending import intrinsic
from numpy.typing import NDArray

Samples = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
Rows = tuple[NDArray[np.uint32], NDArray[np.float32]]
Columns = tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.int64]]


def _in(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is only read (a writable one fits too)."""
    return types.Array(dtype, ndim, "C", readonly=True)


def _signature(sample: Any, value: Any) -> Any:
    return types.void(
        types.UniTuple(_in(sample, 1), 3),
        _in(int64, 2),
        types.Tuple((_in(uint32, 3), _in(float32, 2))),
        types.Tuple((_in(uint32, 2), _in(float32, 2), _in(int64, 2))),
        _in(float32, 2),
        value[:, :, ::1],
        types.UniTuple(int64, 2),
    )


@intrinsic
def _prefetch(_typing: Any, samples: Any, index: Any) -> Any:
    """Ask for the cache line of samples[index] without waiting for it. No effect but speed; the index need not be in range."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.PointerType(ir.IntType(8)))
        flag = ir.IntType(32)
        wanted = builder.module.declare_intrinsic("llvm.prefetch", (address.type,), ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag]))
        builder.call(wanted, [address, flag(0), flag(3), flag(1)])  # to read, into the nearest cache, data
        return context.get_dummy_value()

    return types.void(samples, index), generate


@njit(nogil=True, error_model="numpy")
def _fetch_rows(samples: NDArray[Any], layout: NDArray[np.int64], pair: NDArray[np.uint32], weight: np.float32) -> None:
    """What the next row of the tensor will read: rows lie far apart, and no processor guesses where the next one begins."""
    count = layout[2]
    per_line = 64 // samples.itemsize
    for side in range(2 if weight > 0 else 1):
        first = pair[side] * layout[0] + layout[1]
        for j in range(first, first + count, per_line):
            _prefetch(samples, j)


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _blend_down(upper: NDArray[Any], lower: NDArray[Any], weight: np.float32, row: NDArray[np.float32]) -> None:
    if weight == 0:
        for j in range(row.shape[0]):
            row[j] = float32(upper[j])
    else:
        rest = float32(1) - weight
        for j in range(row.shape[0]):
            row[j] = float32(upper[j]) * rest + float32(lower[j]) * weight


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _blend_across(
    row: NDArray[np.float32], left: NDArray[np.uint32], weights: NDArray[np.float32], step: np.uint32, line: NDArray[np.float32]
) -> None:
    """`step` 0: every weight is 0. Planar rows have a loop of their own: a constant distance is worth a sixth of the time."""
    if step == 0:
        for j in range(line.shape[0]):
            line[j] = row[left[j]]
    elif step == 1:
        for j in range(line.shape[0]):
            near = row[left[j]]
            line[j] = near + (row[left[j] + uint32(1)] - near) * weights[j]
    else:
        for j in range(line.shape[0]):
            near = row[left[j]]
            line[j] = near + (row[left[j] + step] - near) * weights[j]


@njit(nogil=True, error_model="numpy")
def _pick(row: NDArray[Any], left: NDArray[np.uint32], line: NDArray[np.float32]) -> None:
    for j in range(line.shape[0]):
        line[j] = float32(row[left[j]])


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _mix(lines: NDArray[np.float32], matrix: NDArray[np.float32], out: NDArray[Any]) -> None:
    first, second, third = lines[0], lines[1], lines[2]
    m0, m1, m2, m3, low, high = matrix
    for j in range(out.shape[0]):
        value = m0 * first[j] + m1 * second[j] + m2 * third[j] + m3
        value = value if value > low else low
        out[j] = value if value < high else high


@njit(
    [_signature(uint8, float32), _signature(uint8, uint8), _signature(uint16, float32), _signature(uint16, uint8)],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def resample(
    planes: Samples,
    layout: NDArray[np.int64],
    rows: Rows,
    columns: Columns,
    matrix: NDArray[np.float32],
    out: NDArray[Any],
    corner: tuple[int, int],
) -> None:
    """Bilinear resize, colour conversion, normalisation and layout: planes -> out[:, top : top + h, left : left + w], (top, left) = corner.

    planes      three arrays of samples, each plane's rows one after the other with whatever lies between them
    layout      [3, 3] by plane: samples from row to row · first sample taken of a row · samples taken (0: the plane is not used)
    rows        [3, 2, h] by plane: upper and lower row; [3, h] the lower one's weight
    columns     [3, w] by component: the left sample, counted from the first one taken; [3, w] the right one's weight;
                [3, 2] its plane (−1: it is 0 everywhere) and the distance from left to right sample (0: no weight but 0)
    matrix      [3, 6] by channel of `out`: clip(m₀ · first + m₁ · second + m₂ · third + m₃, m₄, m₅) of the three components

    Normalisation is affine, so it folds into the colour matrix, and the clip of colours to 0–255 into its images. An integer `out` takes
    values without their fractions: whoever wants rounding adds a half to m₃, m₄ and m₅. Nothing is checked here: tables and arrays that
    do not fit together read and write wherever they point.
    """
    height, width = rows[1].shape[1], columns[1].shape[1]
    top, left = corner
    between = np.zeros(3, np.bool_)  # by plane: whether something lies between its columns
    for c in range(3):
        p, step = columns[2][c]
        if step > 0:
            between[p] = True
    blended = np.zeros((3, layout[:, 2].max() + columns[2][:, 1].max()), np.float32)
    lines = np.zeros((3, width), np.float32)
    for i in range(height):
        for p in range(3):
            count = layout[p, 2]
            weight = rows[1][p, i]
            if count > 0 and (weight > 0 or between[p]):
                upper = rows[0][p, 0, i] * layout[p, 0] + layout[p, 1]
                lower = rows[0][p, 1, i] * layout[p, 0] + layout[p, 1]
                _blend_down(planes[p][upper : upper + count], planes[p][lower : lower + count], weight, blended[p, :count])
        for c in range(3):
            if i + 1 < height:  # a plane before each component: all at once would only queue for the same few line buffers
                _fetch_rows(planes[c], layout[c], rows[0][c, :, i + 1], rows[1][c, i + 1])
            p, step = columns[2][c]
            if p < 0:
                continue
            if rows[1][p, i] > 0 or between[p]:
                _blend_across(blended[p], columns[0][c], columns[1][c], uint32(step), lines[c])
            else:
                only = rows[0][p, 0, i] * layout[p, 0] + layout[p, 1]
                _pick(planes[p][only : only + layout[p, 2]], columns[0][c], lines[c])
        for k in range(3):
            _mix(lines, matrix[k], out[k, top + i, left : left + width])
