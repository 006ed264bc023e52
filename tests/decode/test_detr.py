"""DETR and its successors: what shapes, names and numbers tell, and the second input that becomes a constant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_runtime.decode import family_of, make_decoder
from edge_runtime.decode.ports import Port
from edge_runtime.errors import BundleError
from edge_runtime.infer.adopt import Choices, adopt, repaired
from edge_runtime.infer.anatomy import examine
from edge_runtime.infer.bundle import load_bundle
from edge_runtime.types import Size
from tests.contracts import heads
from tests.contracts.test_decoder_contract import FLOOR, manifest
from tests.decode.recast import CASTS, Recast, as_detr
from tests.decode.stills import Walk, as_bgr
from tests.infer.tiny import tiny_yolox, write_labels

pytestmark = pytest.mark.heavy

SIZE = Size(640, 640)
BARE = ["detr", "rfdetr", "rtdetr-logits"]
ARRANGED: dict[str, Any] = {"detr": heads.detr_rows, "rfdetr": heads.rfdetr_rows, "rtdetr-logits": heads.rtdetr_logits_rows}


def ports(logits: tuple[Any, ...], boxes: tuple[Any, ...], names: tuple[str, str] = ("logits", "pred_boxes")) -> list[Port]:
    return [Port(names[0], "float32", logits), Port(names[1], "float32", boxes)]


@pytest.mark.parametrize(("family", "classes"), [("detr", 91), ("rtdetr-logits", 92)])
def test_shapes_of_softmax_and_sigmoid_are_the_same_and_mean_another_number_of_classes(family: str, classes: int) -> None:
    assert family_of(family).classes_in(SIZE, ports((1, 300, 92), (1, 300, 4))) == classes
    assert family_of(family).classes_in(SIZE, ports((1, 300, 92), (1, 300, 4))[::-1]) == classes


def test_rf_detr_is_known_by_its_names() -> None:
    theirs = [Port("dets", "float32", (1, 300, 4)), Port("labels", "float32", (1, 300, 91))]
    assert family_of("rfdetr").classes_in(SIZE, theirs) == 91
    for family in ("detr", "rtdetr-logits"):
        with pytest.raises(ValueError, match="RF-DETR's"):
            family_of(family).classes_in(SIZE, theirs)
    with pytest.raises(ValueError, match="named dets and labels"):
        family_of("rfdetr").classes_in(SIZE, ports((1, 300, 91), (1, 300, 4)))


@pytest.mark.parametrize("family", BARE)
@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 300, 91), (1, 299, 4)),
        ((1, 300, 91), (1, 300, 5)),
        ((1, 300, "classes"), (1, 300, 4)),
        ((300, 91), (300, 4)),
        ((2, 300, 91), (2, 300, 4)),
    ],
)
def test_another_shape_is_refused(family: str, shapes: Any) -> None:
    names = ("labels", "dets") if family == "rfdetr" else ("logits", "boxes")
    with pytest.raises(ValueError, match="expected"):
        family_of(family).classes_in(SIZE, ports(*shapes, names=names))


def test_four_columns_twice_are_told_apart_by_order_and_names_must_agree() -> None:
    four = (1, 100, 4)
    assert family_of("rtdetr-logits").classes_in(SIZE, ports(four, four)) == 4
    with pytest.raises(ValueError, match="scores before boxes were expected"):
        family_of("rtdetr-logits").classes_in(SIZE, ports(four, four, names=("pred_boxes", "logits")))
    box = (10, 20, 30, 44)
    for family in ("rtdetr-logits", "rfdetr"):  # of four labels, and each in its own order
        decoder: Any = make_decoder(manifest(family), FLOOR, None)
        np.testing.assert_allclose(decoder.candidates(heads.EXAMPLES[family].saying([(box, 0.9, 2)])).xyxy, [box], rtol=1e-5)


@pytest.mark.parametrize("family", BARE)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda logits, boxes: (logits, boxes * 96), "no fractions"),
        (lambda logits, boxes: (logits, boxes - 3), "no fractions"),
        (lambda logits, boxes: (1 / (1 + np.exp(-logits)), boxes), "probabilities already"),
        (lambda logits, boxes: (logits - logits + np.arange(logits.shape[2])[::-1] + 1, boxes), "without objects"),
    ],
)
def test_numbers_of_another_kind_are_refused(family: str, change: Any, why: str) -> None:
    outputs = ARRANGED[family](*heads.random_rows(np.random.default_rng(1), 30))
    family_of(family).require_raw(heads.SIZE, outputs)
    changed = [each.astype(np.float32) for each in change(*(outputs[::-1] if family == "rfdetr" else outputs))]
    with pytest.raises(ValueError, match=why):
        family_of(family).require_raw(heads.SIZE, changed[::-1] if family == "rfdetr" else changed)


def test_numbers_tell_softmax_from_sigmoid() -> None:
    rows = heads.random_rows(np.random.default_rng(1), 30)
    with pytest.raises(ValueError, match="most queries"):
        family_of("rtdetr-logits").require_raw(heads.SIZE, heads.detr_rows(*rows))
    with pytest.raises(ValueError, match="most queries"):
        family_of("detr").require_raw(heads.SIZE, heads.rtdetr_logits_rows(*rows))


def test_model_that_shapes_and_numbers_do_not_tell_needs_a_person(tmp_path: Path) -> None:
    """Its last column is the largest mostly, and below 0: "no object", or a label that is not likely."""
    file = tmp_path / "recast.onnx"
    file.write_bytes(as_detr(Recast(tiny_yolox()), no_object=-0.5).SerializeToString())
    labels = str(write_labels(tmp_path))
    with pytest.raises(BundleError, match="may be detr or rtdetr-logits: say which one with --family"):
        adopt(file, tmp_path / "out", Choices(labels=labels))
    assert load_bundle(adopt(file, tmp_path / "out", Choices(labels=labels, family="detr"))).manifest.family == "detr"


# -- the size as a second input ------------------------------------------------------------------------------------------------


@pytest.fixture
def with_sizes(tmp_path: Path) -> Path:
    file = tmp_path / "rtdetr.onnx"
    file.write_bytes(CASTS["rtdetr"](Recast(tiny_yolox(width=96))).SerializeToString())
    return file


def test_second_input_is_seen_and_said(with_sizes: Path) -> None:
    anatomy = examine(with_sizes)
    assert [value.name for value in anatomy.inputs] == ["images", "orig_target_sizes"]
    assert [guess.family for guess in anatomy.guesses if not guess.why_not] == ["rtdetr"]
    assert anatomy.repairs == ("input 'orig_target_sizes' can only be the tensor's own size",)


def test_second_input_becomes_the_tensor_s_size(with_sizes: Path, tmp_path: Path) -> None:
    """Not square: width and height in the wrong order would show. The same network with boxes in pixels says where they are."""
    plain = tmp_path / "yolov10.onnx"
    plain.write_bytes(CASTS["yolov10"](Recast(tiny_yolox(width=96))).SerializeToString())
    choices = Choices(labels=str(write_labels(tmp_path)))
    sized, pixels = (Walk(load_bundle(adopt(file, tmp_path / file.stem, choices))) for file in (with_sizes, plain))
    assert [value.name for value in examine(tmp_path / "rtdetr" / "model.onnx").inputs] == ["images"]
    frame = as_bgr(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    (labels, boxes, scores), _ = sized(frame)
    (rows,), _ = pixels(frame)
    np.testing.assert_allclose(boxes[0], rows[0, :, :4], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scores[0], rows[0, :, 4], rtol=1e-4)
    np.testing.assert_array_equal(labels[0], rows[0, :, 5])


def test_second_input_of_another_kind_is_refused(with_sizes: Path) -> None:
    model = onnx.load(with_sizes)
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 3
    with pytest.raises(BundleError, match=r"2 inputs \(images, orig_target_sizes\): expected one, a picture"):
        repaired(model.SerializeToString(), "x")


def test_as_many_labels_as_boxes_are_expected() -> None:
    rows = [Port("labels", "int64", (1, 300)), Port("boxes", "float32", (1, 299, 4)), Port("scores", "float32", (1, 300))]
    with pytest.raises(ValueError, match="as many queries"):
        family_of("rtdetr").classes_in(SIZE, rows)
    outputs = heads.rtdetr_rows(*heads.random_rows(np.random.default_rng(1), 30))
    decoder: Any = make_decoder(manifest("rtdetr"), FLOOR, None)
    with pytest.raises(ValueError, match="as many labels"):
        decoder.candidates([outputs[0][:, 1:], *outputs[1:]])
