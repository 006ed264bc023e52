"""An ONNX graph in one form only: normalisation folded into convolutions, operators in one order, numbered names, nothing of this machine.

    Conv ─► BatchNormalization                      Conv'         w' = w · s      b' = b · s + t
    Conv ─► Mul s ─► Add t           ─►
                                                    s, t: one number a channel

tf2onnx folds most of it itself, but leaves depthwise convolutions followed by a Mul and an Add, and writes operators, attributes and constants in an
order that changes from run to run. Two conversions of one network must give the same bytes: the checksum in a manifest is what a device checks.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]


def fold_normalisation(graph: Any) -> int:
    """Fold what follows a convolution, one affine operator at a time; the answer is how many went. Works on the graph in place."""
    folded = 0
    while _fold_one(graph):
        folded += 1
    return folded


def _fold_one(graph: Any) -> bool:
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    makers = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        conv, gain, bias = _after_convolution(node, makers, constants)
        if conv is None or uses[conv.output[0]] != 1 or conv.input[1] not in constants:
            continue
        weight = numpy_helper.to_array(constants[conv.input[1]])
        channels = weight.shape[0]
        if gain.size not in (1, channels) or bias.size not in (1, channels):
            continue
        before = numpy_helper.to_array(constants[conv.input[2]]) if len(conv.input) > 2 and conv.input[2] else np.zeros(channels, np.float32)
        wide = np.broadcast_to(gain.reshape(-1), (channels,)).astype(np.float64)
        new_weight = weight.astype(np.float64) * wide.reshape(-1, *[1] * (weight.ndim - 1))
        new_bias = before.astype(np.float64) * wide + np.broadcast_to(bias.reshape(-1), (channels,))
        stem = node.output[0]
        graph.initializer.append(numpy_helper.from_array(new_weight.astype(np.float32), f"{stem}/weight"))
        graph.initializer.append(numpy_helper.from_array(new_bias.astype(np.float32), f"{stem}/bias"))
        conv.input[:] = [conv.input[0], f"{stem}/weight", f"{stem}/bias"]
        conv.output[0] = stem
        graph.node.remove(node)
        return True
    return False


def _after_convolution(node: Any, makers: dict[str, Any], constants: dict[str, Any]) -> tuple[Any, Real, Real]:
    """The convolution that `node` follows, and what it multiplies and adds, a channel each; (None, …) where it is nothing of the kind."""
    from onnx import numpy_helper

    nothing = (None, np.ones(1, np.float32), np.zeros(1, np.float32))
    if node.op_type == "BatchNormalization" and all(name in constants for name in node.input[1:5]) and len(node.output) == 1:
        scale, offset, mean, variance = (numpy_helper.to_array(constants[name]).astype(np.float64) for name in node.input[1:5])
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        gain = scale / np.sqrt(variance + epsilon)
        source, wide = node.input[0], (gain.astype(np.float32), (offset - mean * gain).astype(np.float32))
    elif node.op_type in ("Mul", "Add") and len(constant := [name for name in node.input if name in constants]) == 1:
        value = numpy_helper.to_array(constants[constant[0]])
        if value.size != 1 and not (value.ndim in (3, 4) and value.shape[-3] == value.size):  # [C, 1, 1] or [1, C, 1, 1]
            return nothing
        source = next(name for name in node.input if name not in constants)
        wide = (value, nothing[2]) if node.op_type == "Mul" else (nothing[1], value)
    else:
        return nothing
    conv = makers.get(source)
    return (conv, *wide) if conv is not None and conv.op_type == "Conv" else nothing


def put_in_order(graph: Any, names: dict[str, str]) -> None:
    """Operators as a walk back from the outputs meets them, what nobody uses left out, names numbered (`c0` constants, `v0` values, `n0` operators).

    `names` says what the inputs and outputs are called. Raises ValueError for graphs inside graphs.
    """
    ordered = _reached(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    used = list(dict.fromkeys(name for node in ordered for name in node.input if name in constants))
    names = dict(names)
    for index, name in enumerate(used):
        names[name] = f"c{index}"
    for index, name in enumerate(name for node in ordered for name in node.output if name):
        names.setdefault(name, f"v{index}")
    kept = [constants[name] for name in used]
    for index, node in enumerate(ordered):
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] if name else "" for name in node.output]
        node.name, node.doc_string = f"n{index}", ""
        attributes = sorted((each for each in node.attribute if each.name != "auto_pad" or each.s != b"NOTSET"), key=lambda each: str(each.name))
        del node.attribute[:]
        node.attribute.extend(attributes)
    for tensor in (*kept, *graph.input, *graph.output):
        tensor.name, tensor.doc_string = names[tensor.name], ""
    for field, values in ((graph.node, ordered), (graph.initializer, kept)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]  # ONNX Runtime works shapes out again; here they would only make the file larger


def _reached(graph: Any) -> list[Any]:
    """Every operator that an output rests on, each after those that it rests on itself."""
    makers = {name: node for node in graph.node for name in node.output if name}
    done: dict[int, Any] = {}
    pending = [(makers[value.name], False) for value in reversed(graph.output)]
    while pending:
        node, ready = pending.pop()
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ValueError(f"operator {node.op_type} holds a graph of its own")
        if id(node) in done:
            continue
        if ready:
            done[id(node)] = node
            continue
        pending.append((node, True))
        pending += [(makers[name], False) for name in reversed(node.input) if name in makers and id(makers[name]) not in done]
    return list(done.values())
