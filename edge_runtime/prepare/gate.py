"""Whether anything moves: frames of an empty street need no inference.

Luma is reduced to about 120 rows of cells. Each cell knows its background (a running mean) and its restlessness (a running mean
deviation: sensor noise, compression, leaves). A cell that is further from its background than both allow is lit; three lit cells within
3×3 are a motion, one or two are noise. Against background rather than against the previous frame, so that what creeps is seen too.

    luma ─► cells ─► minus background × brightness that all cells share (clouds, exposure) ─► lit ─► three in 3×3 ─► open

It errs on the side of open, because a gate that hides a car makes a count wrong, and one that stays open only costs what having none costs:

- open for the first second, and again when size, format or rotation change, after 20 s without frames, or when time runs backwards: the
  background is being learnt
- open for a second after the last motion, so that a tracker sees things come to rest
- open for one frame when it was shut for two seconds, whatever it sees
- most of the picture changed (a lamp, an exposure step, the camera was moved): open, and the background is learnt anew
- lit cells learn no restlessness, so that traffic does not make its own street blind, and take over as background only what stays the same
  from frame to frame, slowly: what stops is looked at for some ten seconds, what drives through leaves no trail

A camera that sways by half a cell keeps the edges of bright markings lit and its gate open: fix the pole, or leave the gate off.

The smallest thing that must open it stands upright, 1/25 of the picture's height and a third as wide: two by five cells. Time comes from
the stamps; same frames, same answers. It needs neither Numba nor a model, so that it can run beside the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.prepare.color import luma_scale
from edge_runtime.prepare.mask import hidden_pixels
from edge_runtime.prepare.planes import opencv, packed_luma
from edge_runtime.types import Frame, PixelFormat, Polygon, Size

_ROWS = 120
_HOLD_NS = 1_000_000_000
_REFRESH_NS = 2_000_000_000
_FORGOTTEN_NS = 20_000_000_000
_FLOOR = 3.0  # levels of 255 that a cell may be off without being lit
_RESTLESS = 3.5  # and so many of its mean deviations on top
_MOST_REACH = 16.0  # levels: however restless a cell, more than this lights it
_SAME = 8.0  # levels: a lit cell that changes less from one frame to the next is at rest
_BACKGROUND_S = 4.0  # time constants: unlit cells, lit cells, restlessness
_LIT_S = 12.0
_RESTLESS_S = 10.0
_CLUSTER = 3
_NEW_SCENE = 0.5  # of the visible cells
_Key = tuple[PixelFormat, Size, int]


@dataclass(slots=True)
class _Scene:
    """What is known of one view. Arrays are [rows, columns] of cells, float32 levels of 255; before turning."""

    visible: NDArray[np.bool_]
    samples: NDArray[np.intp]  # flat indices of visible cells from which the shared change is estimated
    background: NDArray[np.float32]
    deviation: NDArray[np.float32]
    last: NDArray[np.float32]
    seen_ns: int


class MotionGate:
    """One camera's gate. `mask` holds polygons in fractions of the upright picture; what it hides never opens the gate."""

    def __init__(self, mask: Sequence[Polygon]) -> None:
        self._cv2 = opencv()
        self._mask = tuple(tuple(polygon) for polygon in mask)
        self._key: _Key | None = None
        self._scene: _Scene | None = None
        self._hold_until_ns = 0
        self._opened_ns = 0

    def moving(self, frame: Frame) -> bool:
        """Whether this frame must be looked at. Frames come in the order of their stamps; planes are only read."""
        now_ns = frame.stamp.mono_ns
        key = (frame.format, frame.size, frame.rotation)
        cells = self._cells(frame)
        scene = self._scene
        if scene is None or key != self._key or not 0 <= now_ns - scene.seen_ns <= _FORGOTTEN_NS:
            self._key = key
            self._scene = self._learn(frame, cells)
            self._hold_until_ns = now_ns + _HOLD_NS
        elif self._moved(scene, cells, now_ns):
            self._hold_until_ns = now_ns + _HOLD_NS
        if now_ns <= self._hold_until_ns or now_ns - self._opened_ns >= _REFRESH_NS:
            self._opened_ns = now_ns
            return True
        return False

    def _moved(self, scene: _Scene, cells: NDArray[np.float32], now_ns: int) -> bool:
        off = self._cv2.absdiff(cells, scene.background * self._brightness(scene, cells))
        reach = np.minimum(scene.deviation * np.float32(_RESTLESS) + np.float32(_FLOOR), np.float32(_MOST_REACH))
        lit = (off > reach) & scene.visible
        count = int(np.count_nonzero(lit))
        passed_s = (now_ns - scene.seen_ns) / 1e9
        if count > _NEW_SCENE * np.count_nonzero(scene.visible):
            scene.background = cells.copy()
        else:
            self._adapt(scene, cells, off, lit, passed_s)
        scene.last = cells
        scene.seen_ns = now_ns
        return count >= _CLUSTER and self._clustered(lit)

    def _brightness(self, scene: _Scene, cells: NDArray[np.float32]) -> np.float32:
        """The middle one of the ratios to the background: an object, even a large one, is not in the middle."""
        now, before = cells.reshape(-1)[scene.samples], scene.background.reshape(-1)[scene.samples]
        ratios = (now + np.float32(1)) / (before + np.float32(1))  # black has no ratio
        middle = len(ratios) // 2
        return np.float32(np.partition(ratios, middle)[middle])

    def _clustered(self, lit: NDArray[np.bool_]) -> bool:
        near = self._cv2.boxFilter(lit.view(np.uint8), -1, (3, 3), normalize=False, borderType=self._cv2.BORDER_CONSTANT)
        return bool(near.max() >= _CLUSTER)

    def _adapt(self, scene: _Scene, cells: NDArray[np.float32], off: NDArray[np.float32], lit: NDArray[np.bool_], passed_s: float) -> None:
        unlit = (~lit).view(np.uint8)
        self._cv2.accumulateWeighted(cells, scene.background, _share(passed_s, _BACKGROUND_S), unlit)
        self._cv2.accumulateWeighted(off, scene.deviation, _share(passed_s, _RESTLESS_S), unlit)
        if lit.any():
            resting = lit & (self._cv2.absdiff(cells, scene.last) < _SAME)
            self._cv2.accumulateWeighted(cells, scene.background, _share(passed_s, _LIT_S), resting.view(np.uint8))

    def _learn(self, frame: Frame, cells: NDArray[np.float32]) -> _Scene:
        visible = np.ones(cells.shape, np.bool_)
        hidden = hidden_pixels(self._mask, frame.size, frame.rotation)
        if hidden is not None:
            touched = self._shrink(hidden.astype(np.float32), _grid(frame.size, frame.rotation))
            visible = touched == 0
        inside = np.flatnonzero(visible)
        samples = inside[:: max(1, len(inside) // 1000)] if len(inside) else np.zeros(1, np.intp)
        deviation = np.full(cells.shape, 1.0, np.float32)
        return _Scene(visible, samples, cells.copy(), deviation, cells, frame.stamp.mono_ns)

    def _cells(self, frame: Frame) -> NDArray[np.float32]:
        """Mean luma by cell, 0–255; a new array."""
        small = self._shrink(packed_luma(frame), _grid(frame.size, frame.rotation))
        if frame.format is PixelFormat.YUYV:
            small = small[:, :, 0]
        elif frame.format is PixelFormat.BGR24:
            small = self._cv2.cvtColor(small, self._cv2.COLOR_BGR2GRAY)
        cells: NDArray[np.float32] = small.astype(np.float32)
        if frame.format is PixelFormat.YUV420P10:
            cells *= np.float32(luma_scale(frame.format, frame.color))
        return cells

    def _shrink(self, plane: NDArray[Any], grid: Size) -> NDArray[Any]:
        """Bilinear to twice the grid (which leaves out much of a large picture), then the mean of 2×2: eight or more pixels a cell."""
        twice = (min(2 * grid.width, plane.shape[1]), min(2 * grid.height, plane.shape[0]))
        small = self._cv2.resize(plane, twice, interpolation=self._cv2.INTER_LINEAR)
        return np.asarray(self._cv2.resize(small, tuple(grid), interpolation=self._cv2.INTER_AREA))


def _share(passed_s: float, constant_s: float) -> float:
    """How much of a running mean the newest value makes up."""
    return -math.expm1(-passed_s / constant_s)


def _grid(size: Size, rotation: int) -> Size:
    """Cells across and down of the stored picture: square, about 120 from the top to the bottom of the upright one, none smaller than a pixel."""
    height = size.width if rotation in (90, 270) else size.height
    side = max(1.0, height / _ROWS)
    return Size(max(1, round(size.width / side)), max(1, round(size.height / side)))
