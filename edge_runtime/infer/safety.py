"""What a model file may contain. An .onnx file is untrusted input: it is read here as data, before ONNX Runtime makes anything of it.

    refused                                    because
    links, devices, files over 512 MiB         modelfile.py
    tensors kept in other files, anywhere      they name paths of this machine
    operators off the list, EPContext          code or binary blobs for somebody's accelerator; contrib operators that nobody looked at
    functions, training graphs, sparse         never needed to run a detector; less looked at than the rest of the library
    Loop and Scan                              they can run for ever
    tensors and shapes over a budget           a few bytes can ask for all memory: declared shapes, stored tensors, constant shapes

Not watertight, and not meant alone: a shape that is computed while the model runs is seen by nobody here; the memory limit of the service is the
last guard. Everything wrong is reported at once. The file format is github.com/onnx/onnx, onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge_runtime.errors import BundleError

MAX_TENSOR_BYTES = 1 << 28
MAX_NODES = 50_000
MAX_DEPTH = 4  # graphs inside graphs
MAX_SCALE = 64.0  # by how much one operator may enlarge a side

STANDARD = ("", "ai.onnx")
FORBIDDEN = frozenset({"Loop", "Scan"})
MICROSOFT = frozenset(
    """BiasGelu ConvTransposeWithDynamicPads DequantizeLinear DynamicQuantizeMatMul FastGelu FusedConv FusedGemm FusedMatMul Gelu
    LayerNormalization MatMulInteger16 MatMulIntegerToFloat MatMulNBits MaxpoolWithMask NhwcMaxPool QLinearAdd QLinearAveragePool QLinearConcat
    QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QGemm
    QuantizeLinear QuickGelu SkipLayerNormalization""".split()  # noqa: SIM905 - words, not code
)
_LEARNING = frozenset(
    """ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer LabelEncoder LinearClassifier
    LinearRegressor Normalizer OneHotEncoder Scaler SVMClassifier SVMRegressor TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor
    ZipMap""".split()  # noqa: SIM905 - words, not code
)
DOMAINS = {"ai.onnx.ml": _LEARNING, "com.microsoft": MICROSOFT}

_SHAPERS = {"Reshape": (1,), "Expand": (1,), "ConstantOfShape": (0,), "Resize": (3,), "OneHot": (1,), "Range": (1,)}  # inputs that are shapes
_SCALERS = {"Tile": (1,), "Upsample": (1,), "Resize": (1, 2)}  # inputs that are factors
_MAX_SHAPE_ENTRIES = 16


def parse_model(data: bytes, shown: str) -> Any:
    """The bytes as an onnx.ModelProto. Nothing in it is looked at or run. Raises BundleError when they are no such thing."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise BundleError(f"{shown}: no readable .onnx file: {error}") from None
    if not model.HasField("graph") or not model.graph.node:
        raise BundleError(f"{shown}: no readable .onnx file: there is no graph in it")
    return model


def require_safe(model: Any, shown: str) -> None:
    """Raises BundleError, listing everything, when the model contains what it may not, or an input whose size is open."""
    problems = [*problems_in(model), *open_shapes(model)]
    if problems:
        raise BundleError(f"{shown}: refused: " + "; ".join(problems))


def problems_in(model: Any) -> list[str]:
    """What the model contains and may not, each as one phrase. Open shapes are not among it."""
    look = _Look()
    look.model(model)
    return list(look.problems)


def open_shapes(model: Any) -> list[str]:
    """Inputs and outputs that are no tensors or leave open more than the batch, and initializers that a caller could replace."""
    problems: list[str] = []
    stored = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in stored:
            problems.append(f"initializer {value.name!r} is a graph input too (`edge-runtime models adopt` repairs that)")
        elif (shape := shape_of(value)) is None:
            problems.append(f"input {value.name!r} is no tensor with a shape")
        elif any(not isinstance(side, int) for side in shape[1:]):
            problems.append(f"input {value.name!r} has an open size {printed(shape)} (`edge-runtime models adopt --size WxH` fixes it)")
    return problems


def shape_of(value: Any) -> tuple[int | str, ...] | None:
    """The declared shape: a name or "?" where a dimension is open. None for what is no tensor, or has no shape."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else side.dim_param or "?" for side in value.type.tensor_type.shape.dim
    )


def printed(shape: Sequence[int | str]) -> str:
    """[1, 3, height, 416]"""
    return f"[{', '.join(str(side) for side in shape)}]"


class _Look:
    """One look at one model. Problems are keyed by their text: what repeats a thousand times is said once."""

    def __init__(self) -> None:
        self.problems: dict[str, None] = {}
        self._nodes = 0
        self._shapes: dict[str, list[tuple[float, ...]]] = {}  # small constants by name (inner graphs may repeat one): shapes, factors

    def model(self, model: Any) -> None:
        if model.training_info:
            self._add("a training graph")
        for function in model.functions:
            self._add(f"a function of its own ({function.domain or 'ai.onnx'}::{function.name})")
            self._each_node(function.node, 1)
            self._attributes(function.attribute_proto, 1)
        self._graph(model.graph, 0)

    def _add(self, problem: str) -> None:
        self.problems[problem] = None

    def _graph(self, graph: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._add(f"graphs nested deeper than {MAX_DEPTH}")
            return
        if graph.sparse_initializer:
            self._add("sparse tensors")
            for sparse in graph.sparse_initializer:
                self._tensors((sparse.values, sparse.indices))
        self._tensors(graph.initializer)
        for value in (*graph.input, *graph.output, *graph.value_info):
            self._declared(value)
        self._each_node(graph.node, depth)

    def _each_node(self, nodes: Iterable[Any], depth: int) -> None:
        for node in nodes:
            self._nodes += 1
            if self._nodes > MAX_NODES:
                self._add(f"more than {MAX_NODES:,} operators")
                return
            self._operator(node)
            self._attributes(node.attribute, depth)
            self._enlarging(node)

    def _operator(self, node: Any) -> None:
        allowed = node.op_type not in FORBIDDEN if node.domain in STANDARD else node.op_type in DOMAINS.get(node.domain, ())
        if not allowed:
            self._add(f"operator {node.domain or 'ai.onnx'}::{node.op_type} is not allowed")

    def _attributes(self, attributes: Iterable[Any], depth: int) -> None:
        for attribute in attributes:
            self._tensors((*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors))
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                self._add("sparse tensors")
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    self._tensors((sparse.values, sparse.indices))
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                self._graph(graph, depth + 1)

    def _tensors(self, tensors: Iterable[Any]) -> None:
        for tensor in tensors:
            if tensor.external_data or tensor.data_location == 1:  # TensorProto.EXTERNAL
                self._add(f"tensor {tensor.name!r} is kept in another file")
            self._size(tensor.dims, tensor.data_type, f"tensor {tensor.name!r}")
            values = _small(tensor)
            if values is not None and tensor.name:
                self._shapes.setdefault(tensor.name, []).append(values)

    def _declared(self, value: Any) -> None:
        """An input, output or intermediate with a declared shape; what is open counts as 1."""
        kind = value.type.tensor_type
        sides = [side.dim_value for side in kind.shape.dim if side.HasField("dim_value")]
        self._size(sides, kind.elem_type, f"{value.name!r}")

    def _size(self, sides: Sequence[int], data_type: int, what: str) -> None:
        if any(side < 0 for side in sides):
            self._add(f"{what} has a negative size {printed(sides)}")
        elif math.prod(sides) * _element_bytes(data_type) > MAX_TENSOR_BYTES:
            self._add(f"{what} of {printed(sides)} is larger than {MAX_TENSOR_BYTES >> 20} MiB")

    def _enlarging(self, node: Any) -> None:
        """Constant shapes and factors that make little into much."""
        if node.op_type == "Constant" and node.output:
            values = next((_constant(attribute) for attribute in node.attribute if _constant(attribute) is not None), None)
            if values is not None:
                self._shapes.setdefault(node.output[0], []).append(values)
        for wanted in self._constants(node, _SHAPERS):
            if math.prod(abs(side) for side in wanted if side) * 4 > MAX_TENSOR_BYTES:
                self._add(f"{node.op_type} to {printed([int(side) for side in wanted])} is larger than {MAX_TENSOR_BYTES >> 20} MiB")
        for factors in self._constants(node, _SCALERS):
            if any(not abs(factor) <= MAX_SCALE for factor in factors):
                self._add(f"{node.op_type} enlarges more than {MAX_SCALE:g} times")
        if node.op_type.startswith("Random"):
            sides = next((attribute.ints for attribute in node.attribute if attribute.name == "shape"), ())
            self._size(sides, 1, node.op_type)

    def _constants(self, node: Any, places: Mapping[str, Sequence[int]]) -> list[tuple[float, ...]]:
        """Every constant that may stand at one of the operator's `places`."""
        names = [node.input[index] for index in places.get(node.op_type, ()) if index < len(node.input)]
        return [values for name in names for values in self._shapes.get(name, ())]


def _small(tensor: Any) -> tuple[float, ...] | None:
    """The numbers of a tensor short enough to be a shape or a list of factors."""
    from onnx import numpy_helper

    if math.prod(tensor.dims) > _MAX_SHAPE_ENTRIES or len(tensor.dims) > 1 or tensor.data_type not in (1, 6, 7) or tensor.external_data:
        return None
    try:
        return tuple(float(value) for value in numpy_helper.to_array(tensor).ravel())
    except (ValueError, TypeError):  # sizes and bytes disagree: ONNX Runtime refuses it as well
        return None


def _constant(attribute: Any) -> tuple[float, ...] | None:
    if attribute.name == "value" and attribute.HasField("t"):
        return _small(attribute.t)
    if attribute.name in ("value_ints", "value_floats") and len(values := attribute.ints or attribute.floats) <= _MAX_SHAPE_ENTRIES:
        return tuple(float(value) for value in values)
    return None


def _element_bytes(data_type: int) -> int:
    """Bytes of one element (TensorProto.DataType); what is packed tighter counts as 1."""
    return {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}.get(data_type, 1)


def walk(graph: Any) -> Iterator[Any]:
    """Every operator, those of graphs inside graphs too."""
    pending = [graph]
    while pending:
        for node in pending.pop().node:
            yield node
            for attribute in node.attribute:
                pending.extend((*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs))
