"""YOLOX: what shapes and numbers tell, and the whole way from a photograph to boxes, measured against people's labels."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.decode import make_decoder
from edge_runtime.decode.ports import Port
from edge_runtime.decode.yolox import YoloxDecoder, anchor_grid
from edge_runtime.evaluate.average_precision import average, curve, judge
from edge_runtime.infer.adopt import adopt
from edge_runtime.infer.bundle import Bundle, load_bundle
from edge_runtime.infer.session import open_session
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import Size
from tests import naive
from tests.decode.stills import as_bgr, photographs

SIZE = Size(416, 416)


def test_classes_are_read_from_the_shape() -> None:
    assert YoloxDecoder.classes_in(SIZE, [Port("output", "float32", (1, 3549, 85))]) == 80
    assert YoloxDecoder.classes_in(Size(320, 192), [Port("output", "float32", (1, 1260, 9))]) == 4


@pytest.mark.parametrize(
    ("size", "shape", "why"),
    [
        (SIZE, (1, 3548, 85), "3549"),
        (SIZE, (1, 3549, 5), "classes"),
        (SIZE, (2, 3549, 85), "classes"),
        (SIZE, (1, 3549, "?"), "classes"),
        (Size(400, 416), (1, 3414, 85), "multiple of 32"),
    ],
)
def test_another_shape_is_refused_saying_why(size: Size, shape: tuple[Any, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        YoloxDecoder.classes_in(size, [Port("output", "float32", shape)])


def raw_head(seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    raw = rng.normal(0.5, 1, (1, len(anchor_grid(SIZE)), 9)).astype(np.float32)
    raw[..., 4:] = rng.uniform(0, 1, raw[..., 4:].shape)
    return raw


def test_head_that_was_decoded_in_the_graph_is_refused() -> None:
    raw, grid = raw_head(), anchor_grid(SIZE)
    YoloxDecoder.require_raw(SIZE, [raw])
    raw[0, :, :2] = (raw[0, :, :2] + grid[:, :2]) * grid[:, 2:]
    raw[0, :, 2:4] = np.exp(raw[0, :, 2:4]) * grid[:, 2:]
    with pytest.raises(ValueError, match="family yolov5"):
        YoloxDecoder.require_raw(SIZE, [raw])


def test_head_without_its_sigmoid_is_refused() -> None:
    raw = raw_head()
    raw[..., 4:] = raw[..., 4:] * 8 - 4
    with pytest.raises(ValueError, match="sigmoid"):
        YoloxDecoder.require_raw(SIZE, [raw])


# -- the whole way, on photographs ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"
    return load_bundle(adopt(model, tmp_path_factory.mktemp("bundle") / "yolox-nano"))


Labelled = dict[int, NDArray[np.float32]]  # photograph -> boxes [N, 4]
Scored = dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]]  # photograph -> boxes and scores


def truth(material: Path, name: str) -> Labelled:
    labelled = json.loads((material / "stills" / "voc" / "gt_coco.json").read_text())
    wanted = next(each["id"] for each in labelled["categories"] if each["name"] == name)
    boxes: dict[int, list[list[float]]] = defaultdict(list)
    for each in labelled["annotations"]:
        if each["category_id"] == wanted:
            x, y, width, height = each["bbox"]
            boxes[each["image_id"]].append([x, y, x + width, y + height])
    return {image: np.array(rows, np.float32) for image, rows in boxes.items()}


def found(bundle: Bundle, material: Path, *, swapped: bool = False) -> dict[str, Scored]:
    """Detections by label and photograph; `swapped` shows the model red for blue."""
    manifest = bundle.manifest
    session = open_session(bundle.model_path, manifest, ("cpu",), 1)
    preprocess, decoder = Preprocessor(manifest.inputs[0], ()), make_decoder(manifest, 0.05, None)
    buffer = preprocess.allocate()
    out: dict[str, Scored] = defaultdict(dict)
    for image, picture in photographs(material):
        shown = as_bgr(np.ascontiguousarray(picture[..., ::-1]) if swapped else picture)
        geometry = preprocess(shown, buffer)
        seen = decoder.decode(session.run(None, {manifest.inputs[0].name: buffer}), shown.stamp, geometry)
        for index in np.unique(seen.label):
            rows = seen.label == index
            out[manifest.labels[index]][image] = seen.xyxy[rows], seen.score[rows]
    return out


def average_precision(scored: Scored, labelled: Labelled) -> float:
    """At an overlap of 0.5; objects of a photograph in which nothing was found count too."""
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    images = sorted({*scored, *labelled})
    return average(curve([judge(scored.get(image, none), labelled.get(image, none[0]), 0.5) for image in images]))


@pytest.mark.material
def test_photographs_are_seen_as_people_labelled_them(bundle: Bundle, material: Path) -> None:
    """A wrong letterbox, layout, grid or label order ends near zero. Loose floors: few boxes a label. Cars are left out: most of 14 are tiny.

    The colours are told by people, the one label with enough boxes (91): the same photographs with red for blue must be worse.
    """
    seen, swapped = found(bundle, material), found(bundle, material, swapped=True)
    for ours, theirs, floor in (("person", "person", 0.7), ("bicycle", "bicycle", 0.6), ("bus", "bus", 0.8), ("motorcycle", "motorbike", 0.8)):
        assert average_precision(seen[ours], truth(material, theirs)) > floor, ours
    people = truth(material, "person")
    assert average_precision(seen["person"], people) > average_precision(swapped["person"], people) + 0.02


@pytest.mark.material
def test_real_outputs_are_decoded_as_by_the_twin(bundle: Bundle, material: Path) -> None:
    manifest = bundle.manifest
    session = open_session(bundle.model_path, manifest, ("cpu",), 1)
    preprocess, decoder = Preprocessor(manifest.inputs[0], ()), make_decoder(manifest, 0.1, None)
    buffer, everything = preprocess.allocate(), np.ones(80, np.bool_)
    for _, picture in list(photographs(material))[:12]:
        shown = as_bgr(picture)
        geometry = preprocess(shown, buffer)
        outputs = session.run(None, {manifest.inputs[0].name: buffer})
        seen = decoder.decode(outputs, shown.stamp, geometry)
        xyxy, score, label = naive.decode_yolox(outputs[0][0], anchor_grid(SIZE), 0.1, everything)
        kept = naive.nms(xyxy, score, label, 0.45, 0.7)
        np.testing.assert_allclose(seen.xyxy, geometry.to_source(xyxy[kept]), rtol=1e-4, atol=1e-2)
        np.testing.assert_array_equal(seen.label, label[kept])
