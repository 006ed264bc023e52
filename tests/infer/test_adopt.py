"""Adopting: what is inferred, repaired, proven and written, and what a person must say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import BundleError
from edge_runtime.infer.adopt import SHIPPED_LABELS, Choices, adopt, noise, repaired
from edge_runtime.infer.anatomy import examine
from edge_runtime.infer.bundle import load_bundle, verify_golden
from edge_runtime.infer.engine import Engine, EnginePlan
from edge_runtime.manifest import Golden, ImageInput, Thresholds
from edge_runtime.types import Size
from tests.infer.tiny import LABELS, tiny_yolox, write_labels, write_model


def adopted(tmp_path: Path, model: onnx.ModelProto | None = None, **choices: object) -> Path:
    file = write_model(tmp_path, model)
    return adopt(file, tmp_path / "out", Choices(**{"labels": str(write_labels(tmp_path)), **choices}))  # type: ignore[arg-type]


def test_sound_file_is_kept_byte_for_byte(tmp_path: Path) -> None:
    out = adopted(tmp_path)
    assert (out / "model.onnx").read_bytes() == (tmp_path / "tiny.onnx").read_bytes()
    assert sorted(each.name for each in out.iterdir()) == ["MODEL_CARD.md", "golden.npz", "labels.txt", "manifest.toml", "model.onnx"]


def test_manifest_says_what_was_found_and_what_was_told(tmp_path: Path) -> None:
    manifest = load_bundle(adopted(tmp_path, name="street", version="2.1", licence="MIT", source="https://example.org")).manifest
    assert manifest.identity == "street@2.1"
    assert (manifest.task, manifest.family, manifest.licence, manifest.source) == ("detect", "yolox", "MIT", "https://example.org")
    assert manifest.inputs == (ImageInput(name="images", size=Size(64, 64), color="BGR", resize="letterbox", align="top-left", pad=114),)
    assert manifest.labels == LABELS
    assert manifest.golden == Golden()
    assert manifest.thresholds == Thresholds()
    assert manifest.sha256 == hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest()


def test_name_comes_from_the_file(tmp_path: Path) -> None:
    file = write_model(tmp_path, name="My Tiny_YOLOX.v2.onnx")
    bundle = load_bundle(adopt(file, tmp_path / "out", Choices(labels=str(write_labels(tmp_path)))))
    assert bundle.manifest.name == "my-tiny-yolox-v2"


def test_card_tells_known_from_assumed(tmp_path: Path) -> None:
    card = (adopted(tmp_path) / "MODEL_CARD.md").read_text()
    for words in (
        "car, bus, person, bicycle",
        "BGR, letterboxed to the top-left and padded with 114",
        "says nothing about",
        "licence and source too",
    ):
        assert words in card
    told = (adopted(tmp_path, licence="MIT", source="x", force=True) / "MODEL_CARD.md").read_text()
    assert "licence and source too" not in told


def test_golden_is_met_by_the_engine(tmp_path: Path) -> None:
    bundle = load_bundle(adopted(tmp_path))
    engine = Engine(bundle.model_path, bundle.manifest, EnginePlan())
    engine.open()
    try:
        assert verify_golden(bundle, engine) <= 1e-6
    finally:
        engine.close(5)


def test_golden_input_is_the_same_everywhere() -> None:
    image = ImageInput(name="x", size=Size(40, 24))
    data = noise(image)
    assert data.shape == (1, 3, 24, 40)
    assert data.dtype == np.float32
    assert hashlib.sha256(data.tobytes()).hexdigest() == hashlib.sha256(noise(image).tobytes()).hexdigest()
    assert (data[0, :, 0, 0] == data[0, :, 15, 15]).all()
    assert len(np.unique(data)) > 6
    scaled = noise(ImageInput(name="x", size=Size(40, 24), layout="NHWC", scale=2.0, mean=(1, 2, 3), std=(2, 2, 2)))
    np.testing.assert_allclose(scaled[0].transpose(2, 0, 1), (data[0] * 2 - np.array([1, 2, 3]).reshape(3, 1, 1)) / 2)


def test_initializers_among_the_inputs_are_repaired(tmp_path: Path) -> None:
    model = tiny_yolox()
    for weight in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
    assert len(examine(write_model(tmp_path, model)).repairs) == 3
    out = adopted(tmp_path, model)
    anatomy = examine(out / "model.onnx")
    assert anatomy.repairs == ()
    assert [value.name for value in anatomy.inputs] == ["images"]


def test_open_batch_is_fixed(tmp_path: Path) -> None:
    out = adopted(tmp_path, tiny_yolox(batch="N"))
    anatomy = examine(out / "model.onnx")
    assert (anatomy.inputs[0].shape, anatomy.outputs[0].shape) == ((1, 3, 64, 64), (1, 84, 9))


def test_open_size_must_be_told_and_is_fixed(tmp_path: Path) -> None:
    model = tiny_yolox(width="w", height="h", batch="N")
    with pytest.raises(BundleError, match="--size WxH"):
        adopted(tmp_path, model)
    out = adopted(tmp_path, model, size=Size(96, 64))
    anatomy = examine(out / "model.onnx")
    assert (anatomy.inputs[0].shape, anatomy.outputs[0].shape) == ((1, 3, 64, 96), (1, 126, 9))
    assert load_bundle(out).manifest.inputs[0].size == Size(96, 64)


def test_output_whose_size_is_open_for_no_reason_is_fixed(tmp_path: Path) -> None:
    """Exporters leave sizes open that follow from the input's."""
    model = tiny_yolox()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "anchors"
    assert examine(adopted(tmp_path, model) / "model.onnx").outputs[0].shape == (1, 84, 9)


def test_another_size_than_the_file_s_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="export it for that size"):
        adopted(tmp_path, size=Size(96, 64))


def test_labels_must_be_told_and_must_match(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="tells 4 classes apart: name them with --labels"):
        adopted(tmp_path, labels=None)
    with pytest.raises(BundleError, match="coco80: 80 labels for a model that tells 4"):
        adopted(tmp_path, labels="coco80")
    with pytest.raises(BundleError, match=r"absent\.txt: cannot be read"):
        adopted(tmp_path, labels="absent.txt")


def test_eighty_classes_are_coco_s_unless_told_otherwise(tmp_path: Path) -> None:
    labels = load_bundle(adopted(tmp_path, tiny_yolox(classes=80), labels=None)).manifest.labels
    assert (len(labels), len(set(labels)), labels[0], labels[2], labels[5], labels[79]) == (80, 80, "person", "car", "bus", "toothbrush")
    assert SHIPPED_LABELS["coco80"].is_file()


def test_numbers_tell_families_of_the_same_shape_apart(tmp_path: Path) -> None:
    """A YOLOX head that was decoded in the graph already is one of YOLOv5's."""
    fitting = [guess.family for guess in examine(write_model(tmp_path, tiny_yolox(decoded=True))).guesses if not guess.why_not]
    assert fitting == ["yolov5", "yolox"]
    assert load_bundle(adopted(tmp_path, tiny_yolox(decoded=True))).manifest.family == "yolov5"
    assert load_bundle(adopted(tmp_path, tiny_yolox(), force=True)).manifest.family == "yolox"
    with pytest.raises(BundleError, match=r"its shapes are those of yolox, its numbers are not: .*decode_in_inference"):
        adopted(tmp_path, tiny_yolox(decoded=True), family="yolox", force=True)


def test_head_without_a_sigmoid_is_refused_by_every_family_that_it_looks_like(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"those of yolov5, its numbers are not: .*sigmoid.*those of yolox, its numbers are not: .*sigmoid"):
        adopted(tmp_path, tiny_yolox(sigmoid=False))


def test_unknown_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"--family ssd2000: known are .*yolox"):
        adopted(tmp_path, family="ssd2000")


def test_file_of_no_family_says_why_for_each(tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("anchors", TensorProto.FLOAT, [1, 84, 9]))
    model.graph.output.append(helper.make_tensor_value_info("all", TensorProto.FLOAT, [1, 9, 84]))
    with pytest.raises(BundleError, match=r"no model that this runtime can decode: .*yolox: one output"):
        adopted(tmp_path, model)


def test_file_with_two_inputs_is_refused(tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(BundleError, match=r"2 inputs \(images, more\)"):
        adopted(tmp_path, model)


def test_unsafe_file_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = tiny_yolox()
    model.training_info.add()
    with pytest.raises(BundleError, match="a training graph"):
        adopted(tmp_path, model)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["names.txt", "tiny.onnx"]


def test_model_that_draws_random_numbers_is_refused(tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.node[-1].output[0] = "calm"
    model.graph.node.append(helper.make_node("RandomUniformLike", ["calm"], ["noise"]))
    model.graph.node.append(helper.make_node("Mul", ["calm", "noise"], ["output"]))
    with pytest.raises(BundleError, match="two runs on the same input differ"):
        adopted(tmp_path, model)
    assert not (tmp_path / "out").exists()


def test_existing_bundle_is_replaced_only_by_force(tmp_path: Path) -> None:
    first = adopted(tmp_path, version="1.0")
    with pytest.raises(BundleError, match="exists already"):
        adopted(tmp_path, version="2.0")
    assert load_bundle(first).manifest.version == "1.0"
    assert load_bundle(adopted(tmp_path, version="2.0", force=True)).manifest.version == "2.0"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["names.txt", "out", "tiny.onnx"]


def test_folder_that_is_no_bundle_is_not_replaced_even_by_force(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.jpg").write_text("")
    with pytest.raises(BundleError, match="not even with --force"):
        adopted(tmp_path, force=True)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(("key", "value"), [("name", "Two Words"), ("name", "../up"), ("version", "one two"), ("version", "")])
def test_name_and_version_are_checked_first(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(BundleError, match=f"--{key} '{value}': expected text like".replace("..", r"\.\.")):
        adopted(tmp_path, **{key: value})


@pytest.mark.material
def test_old_nanodet_export_can_be_repaired(material: Path) -> None:
    file = material / "models" / "nanodet" / "object_detection_nanodet_2022nov.onnx"
    data, anatomy = repaired(file.read_bytes(), file.name)
    assert anatomy.repairs == ()
    assert len(data) < file.stat().st_size
    import onnxruntime

    picture = np.random.default_rng(0).normal(0, 1, (1, 3, 416, 416)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    before, after = (onnxruntime.InferenceSession(each, options).run(None, {"input.1": picture}) for each in (file.read_bytes(), data))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.material
def test_published_yolox_is_adopted_without_a_word(material: Path, tmp_path: Path) -> None:
    file = material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"
    manifest = load_bundle(adopt(file, tmp_path / "yolox-nano")).manifest
    assert manifest.identity == "yolox-nano-416x416@1.0.0"
    assert (manifest.family, len(manifest.labels), manifest.inputs[0].size) == ("yolox", 80, Size(416, 416))
    assert manifest.sha256.startswith("695e750a")
