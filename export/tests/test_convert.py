"""Conversion: the same numbers, nothing left to work out, the same bytes, and what a device refuses is refused here."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edge_export.convert import Conversion, convert
from edge_export.errors import ExportError
from edge_export.framework import Network, load_network
from edge_runtime.infer.anatomy import describe
from edge_runtime.infer.safety import parse_model
from edge_runtime.types import Size
from tests import tiny


@pytest.fixture(scope="module")
def made(network: Network) -> Conversion:
    return convert(network)


def run(data: bytes, tensor: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"images": tensor})[0]


def test_convert_computes_the_same(network: Network, made: Conversion) -> None:
    tensor = np.random.default_rng(1).normal(0, 1, (1, 3, tiny.HEIGHT, tiny.WIDTH)).astype(np.float32)
    answer = network(tensor)
    assert np.ptp(answer) > 0.5  # it says something
    assert np.abs(run(made.data, tensor) - answer).max() < 1e-4


def test_convert_leaves_nothing_that_can_be_worked_out_beforehand(made: Conversion) -> None:
    counts = Counter(made.operators)
    assert counts["Transpose"] == 3  # one a level, where its map becomes rows
    assert counts["Conv"] == 5 + 3 * 3
    assert counts["Resize"] == 1
    assert counts["Mul"] == 3  # silu's own
    allowed = {"Conv", "Relu", "Sigmoid", "Mul", "Add", "Resize", "Concat", "Transpose", "Reshape"}
    assert set(counts) <= allowed


def test_convert_writes_what_the_device_takes(made: Conversion) -> None:
    anatomy = describe(parse_model(made.data, "tiny"), "tiny", made.data)
    assert (anatomy.ir_version, anatomy.opsets) == (8, {"ai.onnx": 17})
    assert anatomy.producer.startswith("edge-export")
    assert [(each.name, each.shape) for each in anatomy.inputs] == [("images", (1, 3, tiny.HEIGHT, tiny.WIDTH))]
    assert [(each.name, each.shape) for each in anatomy.outputs] == [("output", (1, 126, 8))]
    assert (anatomy.unsafe, anatomy.repairs) == ((), ())
    assert made.size == Size(tiny.WIDTH, tiny.HEIGHT)
    assert made.classes == len(tiny.LABELS)


def test_convert_gives_the_same_bytes_again(network: Network, made: Conversion) -> None:
    assert convert(network).data == made.data


def test_convert_gives_the_same_bytes_in_another_process(keras_file: Path, made: Conversion, tmp_path: Path) -> None:
    out = tmp_path / "again.onnx"
    command = [sys.executable, "-m", "edge_export.cli", "convert", str(keras_file), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert out.read_bytes() == made.data


def test_convert_names_nothing_of_this_machine(made: Conversion) -> None:
    model = onnx.load_model_from_string(made.data)
    names = {name for node in model.graph.node for name in (node.name, *node.input, *node.output)}
    assert all(name in ("images", "output") or (name[0] in "ncv" and name[1:].isdecimal()) for name in names)
    assert not model.metadata_props


def test_convert_refuses_a_network_of_another_kind(tmp_path: Path) -> None:
    import keras

    picture = keras.Input((64, 96, 3))
    other = keras.Model(picture, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(picture)))
    other.save(tmp_path / "other.keras")
    with pytest.raises(ExportError, match=r"not of family yolox.*expected"):
        convert(load_network(tmp_path / "other.keras"))


def test_load_network_says_what_is_wrong(tmp_path: Path) -> None:
    import keras

    with pytest.raises(ExportError, match="no such file"):
        load_network(tmp_path / "absent.keras")
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    with pytest.raises(ExportError, match="Keras cannot read it"):
        load_network(tmp_path / "broken.keras")
    picture = keras.Input((None, None, 3))
    keras.Model(picture, keras.layers.Conv2D(2, 1)(picture)).save(tmp_path / "open.keras")
    with pytest.raises(ExportError, match="of a fixed size"):
        load_network(tmp_path / "open.keras")
