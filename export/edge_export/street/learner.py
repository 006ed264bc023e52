"""What learns: the network in bfloat16, its optimiser, and the running average of its weights in float32.

A batch is split into two halves that run side by side, one thread each: batch norm and ReLU have no threads of their own worth having, and two
halves keep two cores busy where two threads inside each operation do not (measured: 1.7 times as many pictures a second).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_export.errors import ExportError
from edge_export.street.feed import Batch
from edge_export.street.losses import DetectionLoss
from edge_export.street.network import build_network
from edge_export.street.recipe import Recipe

HALVES = 2
STEEPEST = 10.0  # norm of a gradient


class Learner:
    """Weights and where they stand in the recipe: `phase` and `step`. One of them a process: it sets TensorFlow's threads."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":
            raise ExportError(f"training needs Keras on TensorFlow, not on {keras.backend.backend()}: unset KERAS_BACKEND")
        _set_threads()
        keras.utils.set_random_seed(seed)
        self.seed = seed
        self.phase = 0
        self.step = 0
        self._recipe = recipe
        self._age = tf.Variable(0.0, trainable=False)  # steps that the average has seen
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            self._network = build_network(recipe.architecture, probabilities=False)
        finally:
            keras.config.set_dtype_policy("float32")
        self.averaged = build_network(recipe.architecture)
        self.averaged.set_weights(self._network.get_weights())
        self._optimizer = keras.optimizers.AdamW(1e-3, weight_decay=recipe.weight_decay, global_clipnorm=STEEPEST)
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(self._network.trainable_variables)
        self._loss = DetectionLoss(recipe.architecture)
        self._step = tf.function(self._learn)
        self._view = tf.function(lambda images: self.averaged(tf.cast(images, tf.float32) / 255.0, training=False), reduce_retracing=True)

    def learn(self, batch: Batch, rate: float) -> float:
        """One step. Returns the loss; raises ExportError when it is not finite."""
        import tensorflow as tf

        self._optimizer.learning_rate.assign(rate)
        arrays = (batch.images, batch.boxes, batch.labels, batch.ignored)
        loss = float(self._step(*(tf.constant(array) for array in arrays)))
        if not np.isfinite(loss):
            name = self._recipe.phases[self.phase].name
            raise ExportError(f"step {self.step} of phase {name}: a loss of {loss}: lower the recipe's rate, then resume")
        self.step += 1
        return loss

    def look(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The averaged network's rows [B, A, 5 + C] of pictures [B, h, w, 3] BGR."""
        return np.asarray(self._view(images))

    def _learn(self, *arrays: Any) -> Any:
        import tensorflow as tf

        weights = self._network.trainable_variables
        with tf.GradientTape() as tape:
            losses = []
            for images, *objects in zip(*(tf.split(array, HALVES) for array in arrays), strict=True):
                rows = self._network(tf.cast(images, tf.float32) / 255.0, training=True)
                losses.append(self._loss(rows, *objects))
            loss = tf.add_n(losses) / HALVES
        self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self._age.assign_add(1.0)
        keep = tf.minimum(self._recipe.ema, (1.0 + self._age) / (10.0 + self._age))
        for mean, now in zip(self.averaged.variables, self._network.variables, strict=True):
            mean.assign(mean * keep + now * (1.0 - keep))
        return loss

    def save(self, path: Path) -> None:
        """Everything that `restore` needs, written whole or not at all."""
        scratch = path.with_name(f".part.{path.name}")
        kept: dict[str, Any] = {
            f"{name}{index}": np.asarray(variable) for name, variables in self._state().items() for index, variable in enumerate(variables)
        }
        np.savez(scratch, at=np.array([self.seed, self.phase, self.step]), age=np.asarray(self._age), **kept)
        scratch.replace(path)

    def restore(self, path: Path) -> None:
        """Goes on where `save` was called, with the seed of then. Raises ExportError."""
        with np.load(path) as kept:
            for name, variables in self._state().items():
                for index, variable in enumerate(variables):
                    found = kept.get(f"{name}{index}")
                    if found is None or found.shape != tuple(variable.shape):
                        raise ExportError(f"{path}: it is of another architecture than the recipe's: name another --out")
                    variable.assign(found)
            self._age.assign(kept["age"])
            self.seed, self.phase, self.step = (int(each) for each in kept["at"])
        if self.phase >= len(self._recipe.phases) or self.step > self._recipe.phases[self.phase].steps:
            raise ExportError(f"{path}: it is at step {self.step} of phase {self.phase + 1}, which the recipe does not have: name another --out")

    def _state(self) -> dict[str, list[Any]]:
        return {"weight": self._network.variables, "mean": self.averaged.variables, "optimiser": self._optimizer.variables}


def _set_threads() -> None:
    """One thread for each half. Where TensorFlow runs already it keeps those it has: slower, no worse."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(HALVES)
