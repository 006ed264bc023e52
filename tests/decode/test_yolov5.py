"""YOLOv5: what shapes and numbers tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.decode.ports import Port
from edge_runtime.decode.yolov5 import Yolov5Decoder
from edge_runtime.types import Size
from tests.contracts import heads

pytestmark = pytest.mark.heavy

SIZE = Size(640, 640)


def port(*shape: Any, dtype: str = "float32") -> Port:
    return Port("output", dtype, shape)


@pytest.mark.parametrize(
    ("size", "shape", "classes"),
    [
        (SIZE, (1, 25200, 85), 80),
        (Size(1280, 1280), (1, 102000, 85), 80),  # P6
        (Size(640, 384), (1, 15120, 6), 1),
        (SIZE, (1, 8400, 85), 80),  # YOLOv6, YOLOX decoded in the graph
        (Size(416, 416), (1, 2535, 85), 80),  # YOLOv3-tiny: two strides
    ],
)
def test_classes_are_read_from_the_shape(size: Size, shape: tuple[int, ...], classes: int) -> None:
    assert Yolov5Decoder.classes_in(size, [port(*shape)]) == classes


def test_maps_beside_the_head_are_passed_over() -> None:
    maps = [port(1, 3, side, side, 85) for side in (80, 40, 20)]
    assert Yolov5Decoder.classes_in(SIZE, [port(1, 25200, 85), *maps]) == 80
    with pytest.raises(ValueError, match="maps with 85 columns were expected"):
        Yolov5Decoder.classes_in(SIZE, [port(1, 25200, 85), port(1, 3, 80, 80, 84)])


@pytest.mark.parametrize(
    ("size", "ports", "why"),
    [
        (SIZE, [port(1, 25201, 85)], "25200"),
        (SIZE, [port(1, 25200, 5)], "5 \\+ classes"),
        (SIZE, [port(1, "anchors", 85)], "25200"),
        (SIZE, [port(1, 25200, 117), port(1, 32, 160, 160)], "one output"),  # segmentation
        (Size(650, 640), [port(1, 25200, 85)], "some anchors was expected for 650×640"),
    ],
)
def test_another_shape_is_refused_saying_why(size: Size, ports: list[Port], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Yolov5Decoder.classes_in(size, ports)


def head() -> NDArray[np.float32]:
    (made,) = heads.yolov5_random(np.random.default_rng(3))
    return made


@pytest.mark.parametrize(
    ("columns", "change", "why"),
    [
        (slice(0, 2), lambda it: it / 96, "not in pixels"),
        (slice(0, 2), lambda it: it * 0 + 0.5, "not in pixels"),
        (slice(2, 4), lambda it: np.log(it / 40 + 1e-6), "sizes below 0"),
        (slice(4, 9), lambda it: it * 8 - 4, "sigmoid"),
    ],
)
def test_numbers_of_another_kind_are_refused(columns: slice, change: Any, why: str) -> None:
    raw = head()
    Yolov5Decoder.require_raw(heads.SIZE, [raw])
    raw[..., columns] = change(raw[..., columns])
    with pytest.raises(ValueError, match=why):
        Yolov5Decoder.require_raw(heads.SIZE, [raw])
