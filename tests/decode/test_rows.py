"""Families whose graph chooses itself: what their shapes and numbers tell, and what a label without a name does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.decode import family_of, make_decoder
from edge_runtime.decode.ports import Port
from edge_runtime.errors import BundleError
from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.anatomy import examine
from edge_runtime.infer.bundle import load_bundle, verify_golden
from edge_runtime.infer.engine import Engine, EnginePlan
from edge_runtime.types import Size
from tests.contracts import heads
from tests.contracts.test_decoder_contract import FLOOR, manifest
from tests.decode.recast import CASTS, Recast
from tests.infer.tiny import tiny_yolox, write_labels

pytestmark = pytest.mark.heavy

SIZE = Size(640, 640)
ARRANGED = {"efficient-nms": heads.efficient_nms_rows, "yolov10": heads.yolov10_rows, "yolov7-nms": heads.yolov7_nms_rows}

families = pytest.mark.parametrize("family", sorted(ARRANGED))


@families
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda box, score, label: (box / 96, score, label), "fractions"),
        (lambda box, score, label: (box[:, [2, 3, 0, 1]], score, label), "second corner"),
        (lambda box, score, label: (box, score * 4, label), "scores outside"),
        (lambda box, score, label: (box, score - 0.5, label), "scores outside"),
    ],
)
def test_rows_of_another_kind_are_refused(family: str, changed: Any, why: str) -> None:
    rows = heads.random_rows(np.random.default_rng(2), 30)
    family_of(family).require_raw(heads.SIZE, ARRANGED[family](*rows))
    with pytest.raises(ValueError, match=why):
        family_of(family).require_raw(heads.SIZE, ARRANGED[family](*changed(*rows)))


@families
def test_few_boxes_turned_inside_out_are_borne(family: str) -> None:
    """What a head without bounds likes least, on noise."""
    box, score, label = heads.random_rows(np.random.default_rng(2), 30)
    box[-2:] = box[-2:, [2, 3, 0, 1]]
    family_of(family).require_raw(heads.SIZE, ARRANGED[family](box, score, label))


@families
def test_no_rows_say_nothing_against_a_family(family: str) -> None:
    family_of(family).require_raw(heads.SIZE, heads.EXAMPLES[family].nothing())


@families
def test_label_without_a_name_is_refused_but_where_nobody_looks(family: str) -> None:
    decoder: Any = make_decoder(manifest(family), FLOOR, None)
    box = (10, 10, 30, 30)
    assert len(decoder.candidates(heads.EXAMPLES[family].saying([(box, FLOOR / 2, 17)])).score) == 0
    with pytest.raises(ValueError, match="class 17 of a model whose labels are 4"):
        decoder.candidates(heads.EXAMPLES[family].saying([(box, 0.9, 17)]))


def test_classes_that_are_no_whole_numbers_are_refused() -> None:
    box, score, label = heads.random_rows(np.random.default_rng(2), 30)
    with pytest.raises(ValueError, match="no whole numbers"):
        family_of("yolov10").require_raw(heads.SIZE, heads.yolov10_rows(box, score, label + 0.5))


def test_rows_of_yolov10_are_few() -> None:
    family_of("yolov10").classes_in(SIZE, [Port("output0", "float32", (1, 300, 6))])
    family_of("yolov10").classes_in(SIZE, [Port("output0", "float32", (1, "rows", 6))])
    with pytest.raises(ValueError, match="at most 1000"):
        family_of("yolov10").classes_in(SIZE, [Port("output0", "float32", (1, 25200, 6))])  # YOLOv5 with one class


def test_rows_of_another_picture_are_refused() -> None:
    (rows,) = heads.yolov7_nms_rows(*heads.random_rows(np.random.default_rng(2), 30))
    rows[3, 0] = 1
    with pytest.raises(ValueError, match="another picture"):
        family_of("yolov7-nms").require_raw(heads.SIZE, [rows])


@pytest.mark.parametrize("count", [-1, 41])
def test_more_places_filled_than_there_are_is_refused(count: int) -> None:
    outputs = heads.efficient_nms_rows(*heads.random_rows(np.random.default_rng(2), 30))
    outputs[0][...] = count
    with pytest.raises(ValueError, match="of 40 places filled"):
        family_of("efficient-nms").require_raw(heads.SIZE, outputs)


def test_outputs_may_come_in_any_order() -> None:
    outputs = heads.efficient_nms_rows(*heads.random_rows(np.random.default_rng(2), 30))
    decoder: Any = make_decoder(manifest("efficient-nms"), FLOOR, None)
    expected = decoder.candidates(outputs)
    for order in ([3, 2, 1, 0], [1, 3, 0, 2]):
        turned = [outputs[index] for index in order]
        np.testing.assert_array_equal(decoder.candidates(turned).xyxy, expected.xyxy)
        family_of("efficient-nms").require_raw(heads.SIZE, turned)


def test_places_must_be_as_many_for_all() -> None:
    ports = heads.EXAMPLES["efficient-nms"].ports(heads.efficient_nms_rows(*heads.random_rows(np.random.default_rng(2), 30)))
    with pytest.raises(ValueError, match="as many places"):
        family_of("efficient-nms").classes_in(SIZE, [*ports[:3], Port("det_classes", "int32", (1, 39))])
    decoder: Any = make_decoder(manifest("efficient-nms"), FLOOR, None)
    with pytest.raises(ValueError, match="as many boxes"):
        decoder.candidates([np.array([[1]], np.int32), np.zeros((1, 3, 4), np.float32), np.zeros((1, 3), np.float32), np.zeros((1, 2), np.int32)])


def test_number_of_rows_stays_open_when_the_batch_is_fixed(tmp_path: Path) -> None:
    """What zeros give, none, would be declared otherwise."""
    file = tmp_path / "recast.onnx"
    file.write_bytes(CASTS["yolov7-nms"](Recast(tiny_yolox(batch="N"))).SerializeToString())
    with pytest.raises(BundleError, match="it does not say how many classes"):
        adopt(file, tmp_path / "out")
    out = adopt(file, tmp_path / "out", Choices(labels=str(write_labels(tmp_path))))
    anatomy = examine(out / "model.onnx")
    assert (anatomy.inputs[0].shape, anatomy.outputs[0].shape) == ((1, 3, 64, 64), ("found", 7))
    bundle = load_bundle(out)
    assert bundle.manifest.thresholds.iou == 1.0
    engine = Engine(bundle.model_path, bundle.manifest, EnginePlan())
    engine.open()  # warms up on zeros, which have no rows
    try:
        assert verify_golden(bundle, engine) <= 1e-4
    finally:
        engine.close(5)
