"""The network: a small residual backbone, a pyramid that goes down and up again, and a head that two levels of meaning share.

    w×h×3 ─6×6/4─► w/4×h/4 ─stage─► w/8×h/8 ─stage─► w/16×h/16 ─stage, pool─► w/32×h/32
                                       │                 │                         │
                          top down:    P3 ◄───up, add─── P4 ◄───────up, add─────── P5          each: 1×1 to `neck` channels, 3×3
                          bottom up:   P3 ──3×3/2, add─► P4 ─────3×3/2, add──────► P5
                                       │                 │                         │
                                      head              head                      head ─► [1, wh/64 + wh/256 + wh/1024, 5 + 6]

Plain convolutions and ReLU: ONNX Runtime folds the batch norm and the ReLU of each into the convolution, and a multiple of 16 channels fills
its vector registers. The stem takes a quarter of the resolution in one step: what full resolution costs in training and on the device
buys more elsewhere. What comes out is what the runtime's `yolox` decoder reads: dx dy log(w) log(h) in cells, objectness and classes as
probabilities (sigmoids inside), rows of the finest stride first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edge_export.street.recipe import LABELS, STRIDES, Architecture

if TYPE_CHECKING:
    import keras

PRIOR = 0.01  # what objectness starts from, so that the first steps are not spent on unlearning thousands of false objects


def build_network(plan: Architecture, *, probabilities: bool = True) -> keras.Model:
    """The detector, [B, height, width, 3] BGR 0–1 → [B, A, 5 + C].

    With `probabilities` off objectness and classes stay logits, as training wants them.
    """
    import keras

    picture = keras.Input((plan.height, plan.width, 3), name="images")
    x = _conv(picture, plan.stem, 6, "stem", stride=4)
    levels = []
    for index, (channels, depth) in enumerate(zip(plan.stages, plan.depths, strict=True)):
        x = _conv(x, channels, 3, f"stage{index}_down", stride=2)
        for block in range(depth):
            x = _block(x, channels, f"stage{index}_{block}")
        levels.append(x)
    levels[-1] = _pool(x, plan.stages[-1], "pool")
    rows = [_head(level, plan, f"head{index}", probabilities) for index, level in enumerate(_pyramid(levels, plan.neck))]
    return keras.Model(picture, keras.layers.Concatenate(axis=1, dtype="float32", name="output")(rows), name="street")


def _conv(x: Any, channels: int, kernel: int, name: str, *, stride: int = 1) -> Any:
    """Convolution, batch norm, ReLU."""
    import keras

    x = keras.layers.Conv2D(channels, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _block(x: Any, channels: int, name: str) -> Any:
    import keras

    y = _conv(x, channels // 2, 1, f"{name}_narrow")
    y = _conv(y, channels, 3, f"{name}_wide")
    return keras.layers.Add(name=f"{name}_add")([x, y])


def _pool(x: Any, channels: int, name: str) -> Any:
    """Spatial pyramid pooling, the fast form of YOLOv5: each further 5×5 maximum sees twice as far."""
    import keras

    y = [_conv(x, channels // 2, 1, f"{name}_narrow")]
    for index in range(3):
        y.append(keras.layers.MaxPooling2D(5, 1, "same", name=f"{name}_max{index}")(y[-1]))
    return _conv(keras.layers.Concatenate(name=f"{name}_all")(y), channels, 1, f"{name}_wide")


def _pyramid(levels: list[Any], channels: int) -> list[Any]:
    """Down, then up again (Liu et al. 2018, Path Aggregation Network), adding where that concatenates: a third of the arithmetic."""
    import keras

    sides = [_conv(level, channels, 1, f"side{index}") for index, level in enumerate(levels)]
    for index in reversed(range(len(sides) - 1)):
        larger = keras.layers.UpSampling2D(2, name=f"larger{index}")(sides[index + 1])
        sides[index] = _conv(keras.layers.Add(name=f"down{index}")([sides[index], larger]), channels, 3, f"down{index}_mix")
    for index in range(1, len(sides)):
        smaller = _conv(sides[index - 1], channels, 3, f"up{index}_down", stride=2)
        sides[index] = _conv(keras.layers.Add(name=f"up{index}")([sides[index], smaller]), channels, 3, f"up{index}_mix")
    return sides


def _head(x: Any, plan: Architecture, name: str, probabilities: bool) -> Any:
    """Box and objectness from one branch, classes from another (Ge et al. 2021, YOLOX)."""
    import keras

    def last(y: Any, filters: int, what: str, bias: float) -> Any:
        initial = keras.initializers.Constant(bias)
        small = keras.initializers.RandomNormal(stddev=0.01)
        cells = keras.layers.Conv2D(filters, 1, bias_initializer=initial, kernel_initializer=small, dtype="float32", name=f"{name}_{what}")(y)
        return keras.layers.Reshape((-1, filters), dtype="float32", name=f"{name}_{what}_rows")(cells)

    where = _conv(x, plan.head, 3, f"{name}_where")
    what = _conv(x, plan.head, 3, f"{name}_what")
    box, seen = last(where, 4, "box", 0.0), last(where, 1, "object", float(_logit(PRIOR)))
    kind = last(what, len(LABELS), "class", 0.0)
    squash = "sigmoid" if probabilities else "linear"  # a layer in either case: both networks list their weights in one order
    seen = keras.layers.Activation(squash, dtype="float32", name=f"{name}_object_squash")(seen)
    kind = keras.layers.Activation(squash, dtype="float32", name=f"{name}_class_squash")(kind)
    return keras.layers.Concatenate(dtype="float32", name=f"{name}_rows")([box, seen, kind])


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def anchors(plan: Architecture) -> int:
    """Rows of the output: Σ over strides of (width ÷ stride) · (height ÷ stride)."""
    return sum((plan.width // stride) * (plan.height // stride) for stride in STRIDES)
