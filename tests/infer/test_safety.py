"""What a model file may contain: each rule with a real file that breaks it, and the real models that break none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge_runtime.errors import BundleError
from edge_runtime.infer import safety
from edge_runtime.infer.safety import open_shapes, parse_model, problems_in, require_safe
from tests.infer.tiny import constant, tiny_yolox

Change = Callable[[onnx.ModelProto], None]


def external(tensor: TensorProto, path: str = "/etc/passwd") -> TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", path
    return tensor


def external_weights(model: onnx.ModelProto) -> None:
    external(model.graph.initializer[0])


def external_entries_only(model: onnx.ModelProto) -> None:
    """Some readers look at the entries, some at the flag: either is refused."""
    external(model.graph.initializer[0]).ClearField("data_location")


def external_flag_only(model: onnx.ModelProto) -> None:
    del external(model.graph.initializer[0]).external_data[:]


def external_constant(model: onnx.ModelProto) -> None:
    tensor = external(constant("t", [1.0, 2.0], np.float32))
    model.graph.node.append(helper.make_node("Constant", [], ["secret"], value=tensor))


def branch(node: onnx.NodeProto | None = None, tensor: TensorProto | None = None) -> onnx.GraphProto:
    nodes = [node or helper.make_node("Constant", [], ["inner"], value=tensor)]
    return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)])


def inside_if(graph: onnx.GraphProto) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(constant("yes", True, np.bool_))
        model.graph.node.append(helper.make_node("If", ["yes"], ["picked"], then_branch=graph, else_branch=graph))

    return change


def function(model: onnx.ModelProto) -> None:
    inner = helper.make_node("Constant", [], ["y"], value=external(constant("t", [1.0], np.float32)))
    model.functions.append(helper.make_function("own", "Mine", [], ["y"], [inner], [helper.make_opsetid("", 13)]))


def operator(name: str, domain: str = "") -> Change:
    return lambda model: model.graph.node.append(helper.make_node(name, ["images"], ["extra"], domain=domain))


def loop(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["endless"], body=branch(tensor=constant("t", [1.0], np.float32))))


def training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def sparse(model: onnx.ModelProto) -> None:
    tensor = model.graph.sparse_initializer.add()
    tensor.values.CopyFrom(constant("v", [1.0], np.float32))
    tensor.indices.CopyFrom(constant("i", [3]))
    tensor.dims[:] = [9]


def huge_stored(model: onnx.ModelProto) -> None:
    """Four bytes that say that they are four terabytes."""
    tensor = TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20], raw_data=b"\0" * 4)
    model.graph.initializer.append(tensor)


def overflowing(model: onnx.ModelProto) -> None:
    """A product that is 0 in 64 bits."""
    model.graph.initializer.append(TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[1 << 32, 1 << 32, 4], raw_data=b""))


def negative(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[-5], raw_data=b""))


def huge_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1 << 30


def shaped(name: str, values: list[Any], dtype: Any = np.int64, *, place: int = 1) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(constant("wanted", values, dtype))
        model.graph.node.append(helper.make_node(name, [*["images"] * place, "wanted"], ["extra"]))

    return change


def shaped_by_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["wanted"], value_ints=[60_000, 60_000]))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["wanted"], ["extra"]))


def random(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("RandomNormal", [], ["extra"], shape=[60_000, 60_000]))


REFUSED: dict[str, tuple[Change, str]] = {
    "external weights": (external_weights, "is kept in another file"),
    "external by entries only": (external_entries_only, "is kept in another file"),
    "external by the flag only": (external_flag_only, "is kept in another file"),
    "external constant": (external_constant, "'t' is kept in another file"),
    "external in a branch": (inside_if(branch(tensor=external(constant("t", [1.0], np.float32)))), "'t' is kept in another file"),
    "external in a function": (function, "'t' is kept in another file"),
    "function": (function, "a function of its own (own::Mine)"),
    "somebody's operator": (operator("Run", "com.evil"), "com.evil::Run is not allowed"),
    "accelerator's blob": (operator("EPContext", "com.microsoft"), "com.microsoft::EPContext is not allowed"),
    "contrib that nobody looked at": (operator("BeamSearch", "com.microsoft"), "com.microsoft::BeamSearch is not allowed"),
    "operator in a branch": (inside_if(branch(helper.make_node("Run", [], ["inner"], domain="com.evil"))), "com.evil::Run is not allowed"),
    "endless": (loop, "ai.onnx::Loop is not allowed"),
    "training": (training, "a training graph"),
    "sparse": (sparse, "sparse tensors"),
    "huge tensor": (huge_stored, "'big' of [1048576, 1048576] is larger"),
    "overflowing tensor": (overflowing, "'big' of [4294967296, 4294967296, 4] is larger"),
    "negative tensor": (negative, "'big' has a negative size"),
    "huge input": (huge_input, "'images' of [1, 3, 1073741824, 64] is larger"),
    "expand": (shaped("Expand", [100, 3, 9000, 9000]), "Expand to [100, 3, 9000, 9000] is larger"),
    "tile": (shaped("Tile", [1, 1, 5000, 5000]), "Tile enlarges more than 64 times"),
    "resize by factors": (shaped("Resize", [1, 1, 999, 999], np.float32, place=2), "Resize enlarges more than 64 times"),
    "resize by nan": (shaped("Resize", [1, 1, np.nan, 1], np.float32, place=2), "Resize enlarges more than 64 times"),
    "resize to a size": (shaped("Resize", [1, 3, 90_000, 90_000], place=3), "Resize to [1, 3, 90000, 90000] is larger"),
    "constant of a shape": (shaped_by_constant, "ConstantOfShape to [60000, 60000] is larger"),
    "random of a shape": (random, "RandomNormal of [60000, 60000] is larger"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_in_a_model_is_refused(name: str) -> None:
    change, said = REFUSED[name]
    model = tiny_yolox()
    change(model)
    read = parse_model(model.SerializeToString(), "evil.onnx")
    assert any(said in problem for problem in problems_in(read)), problems_in(read)
    with pytest.raises(BundleError, match=r"evil\.onnx: refused: "):
        require_safe(read, "evil.onnx")


def test_plain_model_is_fine() -> None:
    model = tiny_yolox()
    assert problems_in(model) == []
    assert open_shapes(model) == []
    require_safe(model, "tiny.onnx")


def test_everything_is_reported_at_once_and_repetitions_once() -> None:
    model = tiny_yolox()
    for change in (training, sparse, operator("Run", "com.evil"), operator("Run", "com.evil")):
        change(model)
    assert sorted(problems_in(model)) == ["a training graph", "operator com.evil::Run is not allowed", "sparse tensors"]


def test_graphs_nested_too_deep_are_refused() -> None:
    graph = branch(tensor=constant("t", [1.0], np.float32))
    for _ in range(safety.MAX_DEPTH + 2):
        graph = branch(helper.make_node("If", ["yes"], ["inner"], then_branch=graph, else_branch=graph))
    model = tiny_yolox()
    inside_if(graph)(model)
    assert problems_in(model) == [f"graphs nested deeper than {safety.MAX_DEPTH}"]


def test_too_many_operators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "MAX_NODES", 10)
    assert problems_in(tiny_yolox()) == ["more than 10 operators"]


def test_open_sizes_are_refused_but_an_open_batch_is_not() -> None:
    assert open_shapes(tiny_yolox(batch="N")) == []
    assert open_shapes(tiny_yolox(width="width")) == [
        "input 'images' has an open size [1, 3, 64, width] (`edge-runtime models adopt --size WxH` fixes it)"
    ]


def test_initializer_that_a_caller_could_replace_is_refused() -> None:
    model = tiny_yolox()
    weight = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
    assert open_shapes(model) == [f"initializer {weight.name!r} is a graph input too (`edge-runtime models adopt` repairs that)"]


def test_input_that_is_no_tensor_is_refused() -> None:
    model = tiny_yolox()
    model.graph.input.append(helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None))
    assert open_shapes(model) == ["input 'list' is no tensor with a shape"]


@pytest.mark.parametrize("data", [b"", b"no model", b"\xff" * 100, onnx.ModelProto(ir_version=8).SerializeToString()])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"x\.onnx: no readable \.onnx file"):
        parse_model(data, "x.onnx")


GOOD = tiny_yolox().SerializeToString()


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=30), st.integers(0, len(GOOD)))
def test_damaged_bytes_are_refused_or_looked_at_but_never_crash(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    try:
        model = parse_model(bytes(data[:end]), "x.onnx")
    except BundleError:
        return
    problems_in(model)
    open_shapes(model)


@pytest.mark.material
def test_published_models_are_fine(material: Path) -> None:
    models = sorted((material / "models").glob("*/*.onnx"))
    assert len(models) >= 7
    for file in models:
        assert problems_in(parse_model(file.read_bytes(), file.name)) == [], file


def test_sizes_of_elements_are_those_of_onnx() -> None:
    for kind in range(1, TensorProto.BFLOAT16 + 1):
        if kind != TensorProto.STRING:
            expected = 2 if kind == TensorProto.BFLOAT16 else helper.tensor_dtype_to_np_dtype(kind).itemsize
            assert safety._element_bytes(kind) == expected, TensorProto.DataType.Name(kind)
