"""Heads that say each side's distance as a distribution over bins (Li et al., Generalized Focal Loss, arXiv:2006.04388): NanoDet and PicoDet.

A cell says C class probabilities (the sigmoid is in the graph) and 4 · 8 numbers, for left, top, right and bottom:

    distance = stride · Σ k · softmax(numbers)_k      k = 0 … 7          box = centre − (left, top), centre + (right, bottom)

                     outputs                                        strides            centre of cell i
    nanodet          3 × [1, N, C] and 3 × [1, N, 32]               8 16 32            i · stride + (stride − 1) ÷ 2
    nanodet-plus     one, [1, ΣN, C + 32], classes first            8 16 32 64         i · stride
    picodet          4 × [1, N, C] and 4 × [1, N, 32]               8 16 32 64         (i + ½) · stride
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode.grids import cells, grids_of
from edge_runtime.decode.ports import Outputs, Port, Wanted, declared, places, printed
from edge_runtime.decode.suppress import Candidates, Suppression
from edge_runtime.manifest import ImageInput, Manifest, Thresholds
from edge_runtime.types import Detections, Geometry, Size, Stamp

BINS = 8
SIDES = 4 * BINS
IMAGENET_BGR, DEVIATION_BGR = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


class NanoDetDecoder:
    """Decodes a pair of outputs a stride; a subclass says which strides, and where a cell's centre is."""

    STRIDES: tuple[int, ...] = (8, 16, 32)

    def __init__(self, manifest: Manifest, floor: float, keep: NDArray[np.bool_], iou: float) -> None:
        from edge_runtime.kernels.heads import best_in_rows

        size = manifest.inputs[0].size
        self._best = best_in_rows
        self._outputs = Outputs(self.wanted(size, len(keep)))
        self._suppress = Suppression(iou)
        self._floor = floor
        self._keep = keep
        self._centre = np.concatenate(list(self.centres(size)))
        self._stride = np.repeat(np.array(self.STRIDES, np.float32), [cells(size, (stride,)) for stride in self.STRIDES])[:, None]
        self._row = np.empty(len(self._centre), np.int64)
        self._score = np.empty(len(self._centre), np.float32)
        self._label = np.empty(len(self._centre), np.int16)

    @classmethod
    def wanted(cls, size: Size, classes: int | None) -> list[Wanted]:
        """Classes of each stride, then sides of each stride: in this order where both have as many columns."""
        rows = [cells(size, (stride,)) for stride in cls.STRIDES]
        return [Wanted("float32", (1, each, columns)) for columns in (classes, SIDES) for each in rows]

    @classmethod
    def centres(cls, size: Size) -> Iterator[NDArray[np.float32]]:
        """Of each stride, tensor pixels."""
        for grid in grids_of(size, cls.STRIDES):
            yield grid.cells * np.float32(grid.stride) + np.float32((grid.stride - 1) / 2)

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        return self._suppress(self.candidates(outputs), stamp, geometry)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every cell that is good enough and wanted, finest stride first."""
        arranged = self._outputs(outputs)
        levels = len(self.STRIDES)
        found, before, sides = 0, 0, []
        for classes, distances in zip(arranged[:levels], arranged[levels:], strict=True):
            row = self._row[found:]
            more = self._best(classes[0], 0, -1, self._floor, self._keep, row, self._score[found:], self._label[found:])
            sides.append(distances[0, row[:more]])
            row[:more] += before
            found, before = found + more, before + classes.shape[1]
        return self._boxes(np.concatenate(sides), found)

    def _boxes(self, sides: NDArray[np.float32], found: int) -> Candidates:
        """Of the rows that were found, and their sides [found, 32]."""
        rows = self._row[:found]
        spread = sides.reshape(-1, 4, BINS)
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number gives no box
            share = np.exp(spread - spread.max(axis=2, keepdims=True))
            distance = (share @ np.arange(BINS, dtype=np.float32)) / share.sum(axis=2) * self._stride[rows]
        centre = self._centre[rows]
        return Candidates(np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1), self._score[:found], self._label[:found])

    @classmethod
    def classes_in(cls, size: Size, outputs: Sequence[Port]) -> int:
        """C of the outputs [1, N, C]. Raises ValueError, saying why, for a model of another kind."""
        order = places(outputs, cls._either(size, outputs))
        columns = {outputs[index].shape[2] for index in order[: len(cls.STRIDES)]}
        (classes,) = columns if len(columns) == 1 else (None,)
        if not isinstance(classes, int):
            raise ValueError(f"as many classes on each stride were expected, found {declared(outputs)}")
        return classes

    @classmethod
    def _either(cls, size: Size, outputs: Sequence[Port]) -> list[Wanted]:
        """What is wanted with as many classes as the outputs have that are no sides; all may have as many columns."""
        others = [port.shape[2] for port in outputs if len(port.shape) == 3 and port.shape[2] != SIDES]
        classes = next((each for each in others if isinstance(each, int)), None) if others else SIDES
        return cls.wanted(size, classes)

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR normalised as for ImageNet, letterboxed to the centre, the rest 0."""
        return ImageInput(name=name, size=size, color="BGR", resize="letterbox", align="center", pad=0, mean=IMAGENET_BGR, std=DEVIATION_BGR)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' demo does."""
        return Thresholds(score=0.35, iou=0.6)

    @classmethod
    def require_raw(cls, size: Size, outputs: Sequence[NDArray[Any]]) -> None:
        """Raises ValueError when classes are no probabilities, or sides are probabilities or distances already."""
        ports = [Port("", str(each.dtype), each.shape) for each in outputs]
        order = places(ports, cls._either(size, ports))
        levels = len(cls.STRIDES)
        require_distributions([outputs[index] for index in order[:levels]], [outputs[index] for index in order[levels:]])


class PicoDetDecoder(NanoDetDecoder):
    """Four strides, and centres in the middle of their cells."""

    STRIDES = (8, 16, 32, 64)

    @classmethod
    def centres(cls, size: Size) -> Iterator[NDArray[np.float32]]:
        for grid in grids_of(size, cls.STRIDES):
            yield grid.centres

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """RGB normalised as for ImageNet, stretched."""
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return ImageInput(name=name, size=size, color="RGB", resize="stretch", scale=1 / 255, mean=mean, std=std)

    @staticmethod
    def usual_thresholds() -> Thresholds:
        """What its authors' configs say."""
        return Thresholds(score=0.4, iou=0.6)


class NanoDetPlusDecoder(NanoDetDecoder):
    """One output with all cells, classes and sides side by side."""

    STRIDES = (8, 16, 32, 64)

    @classmethod
    def wanted(cls, size: Size, classes: int | None) -> list[Wanted]:
        return [Wanted("float32", (1, cells(size, cls.STRIDES), None if classes is None else classes + SIDES))]

    @classmethod
    def centres(cls, size: Size) -> Iterator[NDArray[np.float32]]:
        for grid in grids_of(size, cls.STRIDES):
            yield grid.cells * np.float32(grid.stride)

    def candidates(self, outputs: Sequence[NDArray[Any]]) -> Candidates:
        """Every cell that is good enough and wanted, finest stride first."""
        (head,) = self._outputs(outputs)
        found = self._best(head[0], 0, -1, self._floor, self._keep, self._row, self._score, self._label)
        return self._boxes(head[0, self._row[:found], len(self._keep) :], found)

    @classmethod
    def classes_in(cls, size: Size, outputs: Sequence[Port]) -> int:
        """C of the one output [1, N, C + 32]. Raises ValueError, saying why, for a model of another kind."""
        places(outputs, cls.wanted(size, None))
        columns = outputs[0].shape[2]
        if not isinstance(columns, int) or columns <= SIDES:
            raise ValueError(f"classes and {SIDES} columns for the sides were expected, found {printed(outputs[0].shape)}")
        return columns - SIDES

    @staticmethod
    def usual_input(name: str, size: Size) -> ImageInput:
        """BGR normalised as for ImageNet, stretched."""
        return ImageInput(name=name, size=size, color="BGR", resize="stretch", mean=IMAGENET_BGR, std=DEVIATION_BGR)

    @classmethod
    def require_raw(cls, size: Size, outputs: Sequence[NDArray[Any]]) -> None:  # noqa: ARG003 - the shape was looked at
        """Raises ValueError when classes are no probabilities, or sides are probabilities or distances already."""
        require_distributions([outputs[0][..., :-SIDES]], [outputs[0][..., -SIDES:]])


def require_distributions(classes: Sequence[NDArray[Any]], sides: Sequence[NDArray[Any]]) -> None:
    """Raises ValueError when these are no probabilities and no numbers before their softmax."""
    if not all(np.isfinite(each).all() for each in (*classes, *sides)):
        raise ValueError("outputs that are not finite")
    if min(each.min() for each in classes) < 0 or max(each.max() for each in classes) > 1:
        raise ValueError("classes outside 0–1: the sigmoid is not in the graph")
    if min(each.min() for each in sides) >= 0:
        raise ValueError("sides that are never below 0: their softmax is in the graph already, or they are something else")
