"""A Keras network becomes an ONNX file that the device takes: fixed sizes, pictures as NCHW, nothing left in it that can be worked out beforehand.

    .keras ─► tf2onnx: opset 17, pictures as NCHW ─► canonical.py ─► shapes checked ─► the device's own safety check ─► .onnx

Keras computes in NHWC, ONNX Runtime's processor kernels in NCHW. tf2onnx moves the transposition to the input, where it is dropped because the
device already writes its tensor as NCHW; what is left is one small transposition where a head's map becomes rows.

The same network gives the same bytes.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_export import __version__
from edge_export.canonical import fold_normalisation, put_in_order
from edge_export.errors import ExportError
from edge_export.framework import Network, import_tensorflow
from edge_runtime.decode import family_of
from edge_runtime.decode.ports import Port
from edge_runtime.infer.safety import parse_model, require_safe
from edge_runtime.types import Size

OPSET = 17
IR_VERSION = 8  # what belongs to opset 17; every ONNX Runtime from 1.13 on reads it
INPUT, OUTPUT = "images", "output"
PRODUCER = "edge-export"


@dataclass(frozen=True, slots=True)
class Conversion:
    """An ONNX model and what is in it."""

    data: bytes
    size: Size
    classes: int | None  # None: its family cannot tell from the shapes
    operators: Mapping[str, int]  # most frequent first
    parameters: int

    @property
    def described(self) -> str:
        kinds = ", ".join(f"{count} {name}" for name, count in self.operators.items())
        return f"{len(self.data):,} bytes, {self.parameters:,} stored numbers, {sum(self.operators.values())} operators: {kinds}"


def convert(network: Network, family: str = "yolox") -> Conversion:
    """Raises ExportError when the network cannot be converted, or is none of `family`; BundleError when the device would refuse the file."""
    shown = str(network.path)
    model = _from_keras(network)
    fold_normalisation(model.graph)
    try:
        put_in_order(model.graph, {model.graph.input[0].name: INPUT, model.graph.output[0].name: OUTPUT})
    except ValueError as error:
        raise ExportError(f"{shown}: {error}: build the network without conditions and loops") from None
    _stamp(model)
    model = _checked(model, shown)
    del model.graph.value_info[:]
    data: bytes = model.SerializeToString(deterministic=True)
    require_safe(parse_model(data, shown), shown)
    shape = tuple(side.dim_value for side in model.graph.output[0].type.tensor_type.shape.dim)
    try:
        classes = family_of(family).classes_in(network.size, [Port(OUTPUT, "float32", shape)])
    except ValueError as error:
        raise ExportError(f"{shown}: not of family {family}: {error}; build its head as edge_runtime/decode/{family}.py says") from None
    operators = Counter(node.op_type for node in model.graph.node)
    return Conversion(data, network.size, classes, dict(operators.most_common()), _stored(model))


def _from_keras(network: Network) -> Any:
    """tf2onnx's graph, input [1, 3, h, w]. `from_function`, because `from_keras` fails for some Sequential models (KeyError: keras_tensor_N)."""
    tensorflow = import_tensorflow()
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    width, height = network.size
    keras_model = _with_resizes(network.model)
    signature = (tensorflow.TensorSpec((1, height, width, 3), tensorflow.float32, name=INPUT),)

    def answer(images: Any) -> Any:
        return tensorflow.identity(keras_model(images, training=False), name=OUTPUT)

    try:
        function = tensorflow.function(answer, input_signature=signature)
        model, external = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET, inputs_as_nchw=[f"{INPUT}:0"])
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ExportError(f"{network.path}: tf2onnx cannot convert it: {error}; keep to layers that ONNX opset {OPSET} has") from error
    if external:
        raise ExportError(f"{network.path}: its weights do not fit into one file: expected less than 512 MiB")
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise ExportError(f"{network.path}: {len(model.graph.input)} inputs and {len(model.graph.output)} outputs: expected one of each")
    return model


def _with_resizes(model: Any) -> Any:
    """The same network with each nearest UpSampling2D as one resize: Keras repeats rows and columns, which becomes eight operators in ONNX."""
    import keras

    tensorflow = import_tensorflow()

    class NearestResize(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
        """Each pixel `factor` times, both ways."""

        def __init__(self, factor: tuple[int, int], **rest: Any) -> None:
            super().__init__(**rest)
            self._factor = factor

        def call(self, maps: Any) -> Any:
            size = [side * factor for side, factor in zip(maps.shape[1:3], self._factor, strict=True)]
            return tensorflow.raw_ops.ResizeNearestNeighbor(images=maps, size=size, align_corners=False, half_pixel_centers=False)

    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest" and layer.data_format == "channels_last":
            return NearestResize(tuple(layer.size), name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _checked(model: Any, shown: str) -> Any:
    """The same with every shape written down. Raises ExportError when it is no valid ONNX."""
    import onnx

    try:
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{shown}: what tf2onnx made of it is no valid ONNX: {error}") from error


def _stamp(model: Any) -> None:
    import onnx

    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    del model.metadata_props[:]
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PRODUCER, __version__
    model.domain, model.doc_string, model.graph.name, model.graph.doc_string = "", "", "network", ""
    model.model_version = 0


def _stored(model: Any) -> int:
    return sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
