"""Sessions: only what was asked for, only what fits its manifest, nothing that spins."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer.bundle import Bundle
from edge_runtime.infer.session import PROVIDERS, checked_model, input_shape, open_session, require_providers
from edge_runtime.manifest import Manifest
from edge_runtime.types import Size
from tests.infer.tiny import tiny_yolox, write_model


def of(bundle: Bundle, model: Path, **changes: Any) -> Manifest:
    return replace(bundle.manifest, sha256=hashlib.sha256(model.read_bytes()).hexdigest(), **changes)


def test_session_runs_with_the_options_that_were_asked_for(bundle: Bundle) -> None:
    session = open_session(bundle.model_path, bundle.manifest, ("cpu",), 2)
    options = session.get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_open_batch_is_run_as_one(bundle: Bundle, tmp_path: Path) -> None:
    model = write_model(tmp_path, tiny_yolox(batch="N"))
    session = open_session(model, of(bundle, model), ("cpu",), 1)
    assert session.run(None, {"images": np.zeros((1, 3, 64, 64), np.float32)})[0].shape == (1, 84, 9)


@pytest.mark.parametrize("provider", sorted(set(PROVIDERS) - {"cpu"}))
def test_absent_provider_cannot_start(bundle: Bundle, provider: str) -> None:
    if PROVIDERS[provider] in onnxruntime.get_available_providers():
        session = open_session(bundle.model_path, bundle.manifest, (provider, "cpu"), 1)
        assert session.get_providers()[0] == PROVIDERS[provider]
        return
    with pytest.raises(CannotStart, match=rf"provider {provider}: not in the ONNX Runtime that is installed here \(it has .*cpu"):
        open_session(bundle.model_path, bundle.manifest, (provider, "cpu"), 1)


@pytest.mark.parametrize("providers", [(), ("gpu",), ("CPUExecutionProvider",)])
def test_unknown_provider_cannot_start(bundle: Bundle, providers: tuple[str, ...]) -> None:
    with pytest.raises(CannotStart, match="expected some of cpu, cuda"):
        open_session(bundle.model_path, bundle.manifest, providers, 1)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [(["A"], ["CPUExecutionProvider"]), (["A", "B"], ["B", "CPUExecutionProvider"]), (["A", "B"], ["B", "A"]), (["A"], ["A", "B"]), (["A"], [])],
)
def test_another_provider_than_asked_for_is_no_silent_fallback(wanted: list[str], got: list[str]) -> None:
    with pytest.raises(CannotStart, match="instead of"):
        require_providers(wanted, got)


@pytest.mark.parametrize("wanted", [["CPUExecutionProvider"], ["A", "CPUExecutionProvider"], ["A"]])
def test_the_processor_s_own_may_be_added(wanted: list[str]) -> None:
    require_providers(wanted, list(dict.fromkeys([*wanted, "CPUExecutionProvider"])))


def test_changed_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="it changed"):
        checked_model(write_model(tmp_path, tiny_yolox(classes=2)), bundle.manifest)


def test_unsafe_file_is_refused_before_anything_runs_it(bundle: Bundle, tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.node.append(helper.make_node("Run", ["images"], ["extra"], domain="com.evil"))
    file = write_model(tmp_path, model)
    with pytest.raises(BundleError, match=r"com\.evil::Run is not allowed"):
        open_session(file, of(bundle, file), ("cpu",), 1)


def test_file_that_onnx_runtime_refuses_is_the_bundle_s_fault(bundle: Bundle, tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.node[-1].input[0] = "nobody"
    file = write_model(tmp_path, model)
    with pytest.raises(BundleError, match=r"ONNX Runtime refuses the model: .*nobody"):
        open_session(file, of(bundle, file), ("cpu",), 1)


def misfit(bundle: Bundle, tmp_path: Path, model: Any = None, **changes: Any) -> str:
    file = write_model(tmp_path, model)
    with pytest.raises(BundleError, match=r"model\.onnx is not what manifest\.toml says") as caught:
        open_session(file, of(bundle, file, **changes), ("cpu",), 1)
    return str(caught.value)


def test_another_input_than_the_manifest_s_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    image = bundle.manifest.inputs[0]
    for wrong in (replace(image, name="picture"), replace(image, dtype="uint8"), replace(image, layout="NHWC")):
        assert "expected one input" in misfit(bundle, tmp_path, inputs=(wrong,))
    assert "found 'images' float32 [1, 3, 64, 64]" in misfit(bundle, tmp_path, inputs=(replace(image, size=Size(96, 64)),))


def test_another_number_of_labels_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    assert "tells 4 classes apart, labels.txt names 2" in misfit(bundle, tmp_path, labels=("car", "bus"))


def test_a_model_of_another_family_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.output.append(helper.make_tensor_value_info("anchors", TensorProto.FLOAT, [1, 84, 9]))
    assert 'it is no model of family "yolox": one output' in misfit(bundle, tmp_path, model)


def test_outputs_of_another_type_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    model = tiny_yolox()
    model.graph.node[-1].output[0] = "exact"
    model.graph.node.append(helper.make_node("Cast", ["exact"], ["output"], to=TensorProto.DOUBLE))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    assert "of float32 was expected, found float64 [1, 84, 9]" in misfit(bundle, tmp_path, model)


def test_input_shape_follows_the_layout(bundle: Bundle) -> None:
    image = replace(bundle.manifest.inputs[0], size=Size(96, 64))
    assert input_shape(image) == (1, 3, 64, 96)
    assert input_shape(replace(image, layout="NHWC")) == (1, 64, 96, 3)
