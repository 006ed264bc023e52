"""YOLOv8: what shapes and numbers tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_runtime.decode.ports import Port
from edge_runtime.decode.yolov8 import Yolov8Decoder
from edge_runtime.types import Size
from tests.contracts import heads

pytestmark = pytest.mark.heavy

SIZE = Size(640, 640)


def port(*shape: Any, dtype: str = "float32") -> Port:
    return Port("output0", dtype, shape)


@pytest.mark.parametrize(
    ("size", "shape", "classes"),
    [
        (SIZE, (1, 84, 8400), 80),
        (Size(640, 384), (1, 5, 5040), 1),
        (Size(1280, 1280), (1, 84, 34000), 80),  # P6
        (SIZE, (1, 84, 34000), 80),  # P2
    ],
)
def test_classes_are_read_from_the_shape(size: Size, shape: tuple[int, ...], classes: int) -> None:
    assert Yolov8Decoder.classes_in(size, [port(*shape)]) == classes


@pytest.mark.parametrize(
    ("size", "ports", "why"),
    [
        (SIZE, [port(1, 84, 8401)], "8400"),
        (SIZE, [port(1, 4, 8400)], "4 \\+ classes"),
        (SIZE, [port(1, 8400, 84)], "8400"),
        (SIZE, [port(1, 84, "anchors")], "8400"),
        (SIZE, [port(1, 116, 8400), port(1, 32, 160, 160)], "one output"),  # segmentation
        (Size(650, 640), [port(1, 84, 8400)], "some anchors was expected for 650×640"),
    ],
)
def test_another_shape_is_refused_saying_why(size: Size, ports: list[Port], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Yolov8Decoder.classes_in(size, ports)


@pytest.mark.parametrize(
    ("rows", "change", "why"),
    [
        (slice(0, 2), lambda it: it / 96, "not in pixels"),
        (slice(2, 4), lambda it: np.log(it / 40 + 1e-6), "sizes below 0"),
        (slice(4, 8), lambda it: it * 8 - 4, "sigmoid"),
    ],
)
def test_numbers_of_another_kind_are_refused(rows: slice, change: Any, why: str) -> None:
    (raw,) = heads.yolov8_random(np.random.default_rng(3))
    Yolov8Decoder.require_raw(heads.SIZE, [raw])
    raw[:, rows] = change(raw[:, rows])
    with pytest.raises(ValueError, match=why):
        Yolov8Decoder.require_raw(heads.SIZE, [raw])
