"""NanoDet, PicoDet, FastestDet, SSD, YuNet and LPD-YuNet: what shapes and numbers tell. Their published models: test_material.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.decode import family_of, make_decoder
from edge_runtime.decode.lpd_yunet import priors
from edge_runtime.decode.ports import Port
from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.bundle import load_bundle
from edge_runtime.types import Size
from tests import naive
from tests.contracts import heads
from tests.decode.stills import FORMATS, STAMP, Walk
from tests.infer.tiny import LABELS, write_labels
from tests.naive_heads import TWINS

pytestmark = pytest.mark.heavy

FLOAT = "float32"


def pairs(rows: list[int], classes: int) -> list[Port]:
    return [Port(f"out{columns}-{each}", FLOAT, (1, each, columns)) for columns in (classes, 32) for each in rows]


@pytest.mark.parametrize("classes", [1, 4, 32, 80])
def test_classes_of_pairs_are_read_from_the_shapes_in_any_order(classes: int) -> None:
    three, four = pairs([2704, 676, 169], classes), pairs([2704, 676, 169, 49], classes)
    assert family_of("nanodet").classes_in(Size(416, 416), three) == classes
    assert family_of("picodet").classes_in(Size(416, 416), four) == classes
    if classes != 32:
        assert family_of("nanodet").classes_in(Size(416, 416), three[::-1]) == classes
        assert family_of("picodet").classes_in(Size(416, 416), four[1::2] + four[::2]) == classes


@pytest.mark.parametrize(
    ("family", "ports"),
    [
        ("nanodet", pairs([2704, 676, 169, 49], 80)),
        ("picodet", pairs([2704, 676, 169], 80)),
        ("nanodet", [*pairs([2704, 676, 169], 80)[:5], Port("x", FLOAT, (1, 169, 44))]),
        ("nanodet", [*pairs([2704, 676], 80), Port("x", FLOAT, (1, 169, 80)), Port("y", FLOAT, (1, 169, 31))]),
        ("nanodet", [Port("x", FLOAT, (1, 2704, 79)), *pairs([2704, 676, 169], 80)[1:]]),
        ("nanodet-plus", [Port("x", FLOAT, (1, 3598, 32))]),
        ("nanodet-plus", [Port("x", FLOAT, (1, 3598, "columns"))]),
        ("nanodet-plus", [Port("x", FLOAT, (1, 3549, 112))]),
        ("fastestdet", [Port("x", FLOAT, (1, 5, 26, 26))]),
        ("fastestdet", [Port("x", FLOAT, (1, 85, 13, 13))]),
        ("ssd", [Port("scores", FLOAT, (1, 4420, 1)), Port("boxes", FLOAT, (1, 4420, 4))]),
        ("ssd", [Port("scores", FLOAT, (1, 4420, "classes")), Port("boxes", FLOAT, (1, 4420, 4))]),
        ("lpd-yunet", [Port("loc", FLOAT, (4385, 14)), Port("conf", FLOAT, (4385, 2)), Port("iou", FLOAT, (4385, 1))]),  # of 320×240
    ],
)
def test_another_shape_is_refused(family: str, ports: list[Port]) -> None:
    with pytest.raises(ValueError, match="expected"):
        family_of(family).classes_in(Size(416, 416), ports)


def test_classes_of_one_output_are_what_the_sides_leave() -> None:
    assert family_of("nanodet-plus").classes_in(Size(416, 416), [Port("output", FLOAT, (1, 3598, 112))]) == 80
    assert family_of("fastestdet").classes_in(Size(352, 352), [Port("758", FLOAT, (1, 85, 22, 22))]) == 80


def changed(family: str, change: Any) -> heads.Outputs:
    outputs = heads.EXAMPLES[family].random(np.random.default_rng(5))
    family_of(family).require_raw(heads.SIZE, outputs)
    for index, each in enumerate(change(*outputs)):
        outputs[index] = np.asarray(each, np.float32)
    return outputs


@pytest.mark.parametrize(
    ("family", "change", "why"),
    [
        ("nanodet", lambda first, *rest: [first * 8 - 4], "sigmoid"),
        ("picodet", lambda *parts: [*parts[:4], *(np.abs(each) for each in parts[4:])], "never below 0"),
        ("nanodet-plus", lambda head: [head - 1], "sigmoid"),
        ("fastestdet", lambda head: [head * 4], "no probabilities"),
        ("ssd", lambda scores, boxes: [scores * 0.5], "add up to 1"),
        ("ssd", lambda scores, boxes: [scores, boxes[..., [2, 3, 0, 1]]], "second corner"),
        ("ssd", lambda scores, boxes: [scores, boxes * 96], "in pixels"),
        ("yunet", lambda first, *rest: [first * 8 - 4], "sigmoid"),
        ("yunet", lambda *parts: [*parts[:6], *(each + 40 for each in parts[6:9])], "in pixels"),
        ("lpd-yunet", lambda loc, conf, iou: [loc, conf * 3], "add up to 1"),
    ],
)
def test_numbers_of_another_kind_are_refused(family: str, change: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        family_of(family).require_raw(heads.SIZE, changed(family, change))


def test_priors_of_the_published_size_are_as_many_as_its_rows() -> None:
    found = priors(Size(320, 240))
    assert found.shape == (4385, 4)
    assert found[[0, 1, 3, -1]].tolist() == [[4, 4, 10, 10], [4, 4, 16, 16], [12, 4, 10, 10], [4.5 * 64, 2.5 * 64, 256, 256]]


# -- families of which no model is at hand: small ones of our own ----------------------------------------------------------------


def tiny_distribution(strides: tuple[int, ...], *, together: bool) -> onnx.ModelProto:
    """[1, 3, 64, 128] -> classes and sides of each stride, from averaged pixels."""
    rng, columns = np.random.default_rng(5), len(LABELS) + 32
    nodes, weights, ends = [], [numpy_helper.from_array(np.array([0, columns, -1]), "flat")], []
    for name, first, last in (("classes", 0, len(LABELS)), ("sides", len(LABELS), columns)):
        weights += [numpy_helper.from_array(np.array([value]), f"{name}.{part}") for part, value in (("from", first), ("to", last))]
    weights.append(numpy_helper.from_array(np.array([2]), "axis"))
    for stride in strides:
        weights.append(numpy_helper.from_array(rng.normal(0, 0.01, (columns, 3, 1, 1)).astype(np.float32), f"w{stride}"))
        nodes += [
            helper.make_node("AveragePool", ["image"], [f"pool{stride}"], kernel_shape=[stride, stride], strides=[stride, stride]),
            helper.make_node("Conv", [f"pool{stride}", f"w{stride}"], [f"map{stride}"]),
            helper.make_node("Reshape", [f"map{stride}", "flat"], [f"flat{stride}"]),
            helper.make_node("Transpose", [f"flat{stride}"], [f"rows{stride}"], perm=[0, 2, 1]),
            helper.make_node("Slice", [f"rows{stride}", "classes.from", "classes.to", "axis"], [f"logits{stride}"]),
            helper.make_node("Sigmoid", [f"logits{stride}"], [f"cls{stride}"]),
            helper.make_node("Slice", [f"rows{stride}", "sides.from", "sides.to", "axis"], [f"dis{stride}"]),
        ]
        rows = (64 // stride) * (128 // stride)
        ends += [(f"cls{stride}", [1, rows, len(LABELS)]), (f"dis{stride}", [1, rows, 32])]
    if together:
        nodes += [helper.make_node("Concat", [f"cls{stride}", f"dis{stride}"], [f"both{stride}"], axis=2) for stride in strides]
        nodes.append(helper.make_node("Concat", [f"both{stride}" for stride in strides], ["output"], axis=1))
        ends = [("output", [1, sum(shape[1] for _, shape in ends[::2]), columns])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 128])
    model = helper.make_model(helper.make_graph(nodes, "tiny", [image], outputs, weights), opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("family", ["nanodet", "nanodet-plus", "picodet"])
def test_small_model_is_adopted_and_decoded_as_by_the_twin(family: str, tmp_path: Path) -> None:
    strides = (8, 16, 32) if family == "nanodet" else (8, 16, 32, 64)
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_distribution(strides, together=family == "nanodet-plus").SerializeToString())
    walk = Walk(load_bundle(adopt(file, tmp_path / "out", Choices(labels=str(write_labels(tmp_path))))))
    assert walk.manifest.family == family
    decoder = make_decoder(walk.manifest, 0.5, None)
    picture = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8).repeat(30, 0).repeat(30, 1)
    for pixels in FORMATS.values():
        outputs, geometry = walk(pixels(picture))
        seen = decoder.decode(outputs, STAMP, geometry)
        levels = len(strides)
        arranged = outputs if family == "nanodet-plus" else [*outputs[::2], *outputs[1::2]]  # they come stride by stride
        assert len(arranged) in (1, 2 * levels)
        xyxy, score, label = TWINS[family](arranged, Size(128, 64), 0.5, np.ones(len(LABELS), np.bool_))
        kept = naive.nms(xyxy, score, label, walk.manifest.thresholds.iou, 0.7)
        expected = geometry.to_source(xyxy[kept])
        inside = (expected[:, 2] > expected[:, 0]) & (expected[:, 3] > expected[:, 1])
        assert inside.sum() > 3
        np.testing.assert_allclose(seen.xyxy, expected[inside], atol=1e-2)
        np.testing.assert_allclose(seen.score, score[kept][inside], atol=1e-5)
