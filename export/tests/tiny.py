"""A real detector of our own, untrained and tiny: every layer kind that our networks have, a hundred thousand multiplications, no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = ("person", "bicycle", "car")
WIDTH, HEIGHT = 96, 64

ABOUT = """\
[model]
name = "tiny"
version = "0.1.0"
family = "yolox"
licence = "Apache-2.0"
source = "made by a test"
labels = ["person", "bicycle", "car"]

[input]
color = "BGR"
resize = "letterbox"
align = "top-left"
pad = 114
scale = 0.00392156862745098
mean = [0.1, 0.2, 0.3]
std = [0.5, 0.6, 0.7]

[thresholds]
score = 0.3
iou = 0.45
"""


def build() -> Any:
    """A Keras model [1, 64, 96, 3] -> [1, 126, 8], in the form that the `yolox` family decodes. Seeded; batch norms as after a training."""
    from edge_export.framework import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    picture = keras.Input((HEIGHT, WIDTH, 3), name="images")
    x, levels = picture, []
    for index, channels in enumerate((4, 4, 8, 8, 8)):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(channels, 3, 2, "valid", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        levels = [*levels, x] if index >= 2 else levels
    larger = layers.UpSampling2D(2)(levels[2])
    levels[1] = layers.Add()([levels[1], larger])
    rows = []
    for level in levels:
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(level)
        y = layers.Activation("silu")(layers.BatchNormalization()(y))
        box = layers.Conv2D(4, 1)(y)
        seen = layers.Conv2D(1 + len(LABELS), 1, activation="sigmoid")(y)
        rows.append(layers.Reshape((-1, 5 + len(LABELS)))(layers.Concatenate()([box, seen])))
    model = keras.Model(picture, layers.Concatenate(axis=1)(rows))
    rng = np.random.default_rng(6)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.5, 2, count), rng.normal(0, 0.5, count), rng.normal(0, 0.3, count), rng.uniform(0.1, 1, count)])
    return model


def save(folder: Path) -> Path:
    """The detector as a .keras file."""
    file = folder / "tiny.keras"
    build().save(file)
    return file


def pictures(count: int = 4) -> list[tuple[str, NDArray[np.uint8]]]:
    """Blocks of colour, in sizes that fit the network's shape and sizes that do not."""
    rng = np.random.default_rng(8)
    made = []
    for index, (height, width) in zip(range(count), ((64, 96), (90, 160), (121, 97), (48, 200), (200, 300)), strict=False):
        blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        made.append((f"blocks {index}", np.ascontiguousarray(blocks.repeat(8, 0).repeat(8, 1)[:height, :width])))
    return made
