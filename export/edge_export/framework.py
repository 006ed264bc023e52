"""The training framework, met in one place: imported late, kept quiet, never asked to train here.

Keras 3 on TensorFlow. A network of the YOLOX kind takes [N, height, width, 3] float32 and gives [N, anchors, 5 + classes]
(edge_runtime/decode/yolox.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_runtime.types import Size


@dataclass(frozen=True, slots=True)
class Network:
    """A trained network as it was saved."""

    path: Path
    model: Any  # keras.Model
    size: Size

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The framework's own answer to a tensor [1, 3, height, width], the layout of the device."""
        return np.asarray(self.model(np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)), training=False), np.float32)

    @property
    def parameters(self) -> int:
        return int(self.model.count_params())


def import_tensorflow() -> Any:
    """TensorFlow without its lines about the processor; on the CPU, where the results are the same everywhere."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its rounding depends on the processor
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow

    return tensorflow


def load_network(path: Path) -> Network:
    """Raises ExportError for a file that is no Keras model, or whose input is no picture of a fixed size."""
    if not path.is_file():
        raise ExportError(f"{path}: no such file: expected a trained network (.keras), as `edge-export train` writes it")
    import_tensorflow()
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError) as error:
        raise ExportError(f"{path}: Keras cannot read it: {str(error).splitlines()[0]}; expected a .keras file saved by Keras 3") from error
    return Network(path, model, _picture_size(path, model))


def _picture_size(path: Path, model: Any) -> Size:
    shape = tuple(model.input_shape) if len(model.inputs) == 1 else ()
    if len(shape) != 4 or shape[3] != 3 or None in shape[1:]:
        found = shape or f"{len(model.inputs)} inputs"
        raise ExportError(f"{path}: input {found}: expected one picture [batch, height, width, 3] of a fixed size; build the network with one")
    return Size(int(shape[2]), int(shape[1]))
