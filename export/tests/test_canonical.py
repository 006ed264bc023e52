"""Folding against running the graph unfolded; order against graphs whose parts were shuffled."""

from __future__ import annotations

import random

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_export.canonical import fold_normalisation, put_in_order


def graph_with(tail: list[onnx.NodeProto], constants: dict[str, np.ndarray], group: int = 1) -> onnx.ModelProto:
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (4, 4 // group, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["conv"], kernel_shape=[3, 3], group=group), *tail]
    stored = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in {"w": weight, **constants}.items()]
    put = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 4, 6, 6]), ("y", [1, 4, 4, 4]))]
    return helper.make_model(helper.make_graph(nodes, "g", put[:1], put[1:], stored), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto) -> np.ndarray:
    name = model.graph.input[0].name
    tensor = np.random.default_rng(4).normal(0, 1, (1, 4, 6, 6)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {name: tensor})[0]


PER_CHANNEL = np.array([0.5, 2.0, -1.0, 3.0]).reshape(1, 4, 1, 1)
NORM = {"scale": [1.0, 2.0, 3.0, 0.1], "offset": [0.0, 1.0, -1.0, 5.0], "mean": [0.3, 0.1, -2.0, 0.0], "variance": [1.0, 0.2, 4.0, 0.01]}


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize(
    ("tail", "constants", "folded"),
    [
        ([helper.make_node("Mul", ["conv", "a"], ["y"])], {"a": PER_CHANNEL}, 1),
        ([helper.make_node("Add", ["a", "conv"], ["y"])], {"a": PER_CHANNEL[0]}, 1),
        ([helper.make_node("Mul", ["conv", "a"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])], {"a": PER_CHANNEL, "b": PER_CHANNEL + 1}, 2),
        (
            [helper.make_node("BatchNormalization", ["conv", *NORM], ["y"], epsilon=1e-3)],
            {name: np.array(values) for name, values in NORM.items()},
            1,
        ),
    ],
)
def test_fold_keeps_the_numbers(tail: list[onnx.NodeProto], constants: dict[str, np.ndarray], folded: int, group: int) -> None:
    model = graph_with(tail, constants, group)
    before = run(model)
    assert fold_normalisation(model.graph) == folded
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert np.abs(run(model) - before).max() < 1e-4


@pytest.mark.parametrize(
    ("tail", "constants"),
    [
        ([helper.make_node("Mul", ["conv", "a"], ["y"])], {"a": np.arange(4.0)}),  # along the width, not the channels
        ([helper.make_node("Mul", ["conv", "a"], ["m"]), helper.make_node("Add", ["m", "conv"], ["y"])], {"a": PER_CHANNEL}),  # used twice
        ([helper.make_node("Relu", ["conv"], ["m"]), helper.make_node("Mul", ["m", "a"], ["y"])], {"a": PER_CHANNEL}),
        ([helper.make_node("Mul", ["conv", "conv"], ["y"])], {}),
    ],
)
def test_fold_leaves_what_cannot_be_folded(tail: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> None:
    model = graph_with(tail, constants)
    before = model.SerializeToString(deterministic=True)
    assert fold_normalisation(model.graph) == 0
    assert model.SerializeToString(deterministic=True) == before


def test_order_does_not_depend_on_how_the_graph_was_written() -> None:
    tail = [
        helper.make_node("Relu", ["conv"], ["r"]),
        helper.make_node("Mul", ["r", "a"], ["m"]),
        helper.make_node("Sigmoid", ["conv"], ["s"]),
        helper.make_node("Add", ["m", "s"], ["y"]),
        helper.make_node("Tanh", ["r"], ["nobody"]),
    ]
    made = set()
    for seed in range(6):
        model = graph_with(tail, {"a": PER_CHANNEL, "unused": PER_CHANNEL})
        before = run(model)
        graph = model.graph
        rng = random.Random(seed)
        for field in (graph.initializer, graph.node[0].attribute):
            mixed = rng.sample(list(field), len(field))
            del field[:]
            field.extend(mixed)
        head, *rest = list(graph.node)
        del graph.node[:]
        graph.node.extend([head, *(rest[index] for index in rng.choice([(0, 1, 2, 3, 4), (2, 0, 4, 1, 3)]))])
        put_in_order(graph, {"x": "images", "y": "output"})
        assert np.array_equal(run(model), before)
        assert "Tanh" not in {node.op_type for node in graph.node}
        assert len(graph.initializer) == 2
        made.add(model.SerializeToString(deterministic=True))
    assert len(made) == 1


def test_order_refuses_graphs_inside_graphs() -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["conv"], ["z"])], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    model = graph_with([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], {"c": np.array(True)})
    with pytest.raises(ValueError, match="graph of its own"):
        put_in_order(model.graph, {"x": "images", "y": "output"})
