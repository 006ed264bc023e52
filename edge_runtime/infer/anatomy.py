"""What is inside an .onnx file, for people and for adopting: read as data, nothing is run."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.decode import DECODERS, family_of
from edge_runtime.decode.ports import Port, as_batch_of_one
from edge_runtime.errors import BundleError
from edge_runtime.infer.modelfile import read_model
from edge_runtime.infer.safety import open_shapes, parse_model, problems_in, shape_of, walk
from edge_runtime.manifest import Layout
from edge_runtime.types import Json, Size


@dataclass(frozen=True, slots=True)
class Guess:
    """A family that the shapes fit, or why they do not. `classes` is None where they do not tell."""

    family: str
    classes: int | None
    why_not: str


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One model file. `parameters` counts stored numbers; `unsafe` is why this runtime would refuse it, `repairs` what adopting can mend."""

    file: str
    size_bytes: int
    sha256: str
    producer: str
    ir_version: int
    opsets: dict[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: dict[str, int]  # most frequent first
    parameters: int
    unsafe: tuple[str, ...]
    repairs: tuple[str, ...]
    guesses: tuple[Guess, ...]

    def as_json(self) -> Json:
        """As `--json` prints it."""
        return asdict(self)


def examine(path: Path) -> Anatomy:
    """Look at a model file. Raises BundleError when it cannot be read as one; an unsafe one is described like any other."""
    data = read_model(path)
    return describe(parse_model(data, str(path)), str(path), data)


def describe(model: Any, shown: str, data: bytes) -> Anatomy:
    """What stands in `model`, which was parsed from `data`."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(port_of(each) for each in model.graph.input if each.name not in stored)
    outputs = tuple(port_of(each) for each in model.graph.output)
    operators = Counter(f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type for node in walk(model.graph))
    return Anatomy(
        file=shown,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        producer=f"{model.producer_name} {model.producer_version}".strip() or "unknown",
        ir_version=model.ir_version,
        opsets={each.domain or "ai.onnx": each.version for each in model.opset_import},
        inputs=inputs,
        outputs=outputs,
        operators=dict(operators.most_common()),
        parameters=_parameters(model.graph),
        unsafe=tuple(problems_in(model)),
        repairs=(
            *_shortened(open_shapes(model)),
            *(f"input {each.name!r} can only be the tensor's own size" for each in inputs if is_target_size(each)),
        ),
        guesses=guess_families(inputs, outputs),
    )


def image_of(value: Port) -> tuple[Size, Layout]:
    """Size and layout of a picture's tensor. Raises BundleError when it is none, or its size is open."""
    shape = value.shape
    layout: Layout = "NHWC" if len(shape) == 4 and shape[3] == 3 else "NCHW"
    if len(shape) != 4 or shape[1 if layout == "NCHW" else 3] != 3:
        raise BundleError(f"input {value.name!r} {list(shape)}: expected a picture, [1, 3, height, width] or [1, height, width, 3]")
    height, width = shape[2:] if layout == "NCHW" else shape[1:3]
    if not isinstance(height, int) or not isinstance(width, int):
        raise BundleError(f"input {value.name!r} {list(shape)}: its size is open: say which one with --size WxH")
    return Size(width, height), layout


def is_target_size(value: Port) -> bool:
    """Whether an input says how large the picture was, for a graph that scales its boxes to that: [1, 2] whole numbers, width and height."""
    return value.dtype in ("int32", "int64") and len(value.shape) == 2 and value.shape[1] == 2


def guess_families(inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> tuple[Guess, ...]:
    """Every family of the table, and whether the shapes are its."""
    pictures = [each for each in inputs if not is_target_size(each)]
    try:
        if len(pictures) != 1:
            raise BundleError(f"{len(inputs)} inputs: expected one, a picture")
        size, _ = image_of(pictures[0])
    except BundleError as error:
        return tuple(Guess(family, None, str(error)) for family in DECODERS)
    guesses = []
    ports = [as_batch_of_one(each) for each in outputs]
    for family in DECODERS:
        try:
            guesses.append(Guess(family, family_of(family).classes_in(size, ports), ""))
        except ValueError as error:
            guesses.append(Guess(family, None, str(error)))
    return tuple(guesses)


def port_of(value: Any) -> Port:
    """An input or output of a graph."""
    import onnx

    shape = shape_of(value)
    kind = value.type.tensor_type.elem_type
    known = shape is not None and kind in onnx.TensorProto.DataType.values() and kind not in (0, onnx.TensorProto.STRING)
    return Port(value.name, onnx.helper.tensor_dtype_to_np_dtype(kind).name if known else "?", shape or ())


def _parameters(graph: Any) -> int:
    return sum(math.prod(tensor.dims) for tensor in graph.initializer)


def _shortened(problems: list[str]) -> tuple[str, ...]:
    """A file whose every weight is an input too says so once."""
    if len(problems) <= 3:
        return tuple(problems)
    return (*problems[:2], f"and {len(problems) - 2} more of this kind")
