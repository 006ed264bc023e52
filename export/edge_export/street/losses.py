"""What the network is told after each step: who is responsible for which object, and how wrong it was.

Assignment is SimOTA (Ge et al. 2021, YOLOX §2.2):

    candidates   of each level the 5 × 5 cells around the object's centre; those outside its box only when none is inside
    cost         class cross-entropy + 3 · (−log IoU)                      how far an anchor is from being right
    k            the sum of an object's ten best overlaps, 1 at least       how many anchors it deserves
    match        its k cheapest candidates; an anchor wanted by several goes to the cheapest for it

Only the 75 candidates of an object are ever looked at, not all anchors: a thirtieth of the work, which else costs more than the network.
Anchors inside ignored regions that match nothing have no objectness loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_export.street.recipe import LABELS, STRIDES, Architecture

REACH = 2  # cells on each side of the centre's
TOP = 10
FAR = 1e5
WEIGHTS = {"box": 5.0, "object": 1.0, "class": 1.0}


class DetectionLoss:
    """Callable: raw rows [B, A, 5 + C] (logits), boxes [B, M, 4] px of the input, labels [B, M] int32 (C = padding), ignored [B, A] bool."""

    def __init__(self, plan: Architecture) -> None:
        import tensorflow as tf

        cells, strides = [], []
        for stride in STRIDES:
            y, x = np.mgrid[: plan.height // stride, : plan.width // stride]
            cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
            strides.append(np.full(x.size, stride))
        self._grid = tf.constant(np.concatenate(cells), tf.float32)
        self._stride = tf.constant(np.concatenate(strides)[:, None], tf.float32)
        self._centre = (self._grid + 0.5) * self._stride
        self._plan = plan

    def decode(self, rows: Any) -> Any:
        """Boxes x1 y1 x2 y2 [B, A, 4] in pixels of the input."""
        import tensorflow as tf

        centre = (rows[..., :2] + self._grid) * self._stride
        half = tf.exp(tf.clip_by_value(rows[..., 2:4], -6.0, 5.0)) * self._stride / 2
        return tf.concat([centre - half, centre + half], axis=-1)

    def __call__(self, rows: Any, boxes: Any, labels: Any, ignored: Any) -> Any:
        """The mean loss of a batch, a scalar."""
        import tensorflow as tf

        at = self.decode(rows)
        match = self.assign(tf.stop_gradient(at), tf.stop_gradient(rows), boxes, labels)
        where = tf.where(match >= 0)
        count = tf.maximum(tf.cast(tf.shape(where)[0], tf.float32), 1.0)
        owner = tf.stack([where[:, 0], tf.cast(tf.gather_nd(match, where), tf.int64)], axis=1)

        target, found = tf.gather_nd(boxes, owner), tf.gather_nd(at, where)
        box = tf.reduce_sum(1 - generalised_iou(found, target))
        overlap = tf.stop_gradient(_iou(found, target))
        wanted = tf.one_hot(tf.gather_nd(labels, owner), len(LABELS)) * overlap[:, None]
        kinds = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(wanted, tf.gather_nd(rows, where)[:, 5:]))
        positive = tf.cast(match >= 0, tf.float32)
        judged = tf.cast((match >= 0) | ~ignored, tf.float32)
        objects = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(positive, rows[..., 4]) * judged)
        return (WEIGHTS["box"] * box + WEIGHTS["class"] * kinds + WEIGHTS["object"] * objects) / count

    def assign(self, at: Any, rows: Any, boxes: Any, labels: Any) -> Any:
        """For each anchor [B, A] int32 the object it answers for, −1 for none. `at` are the decoded boxes of `rows`."""
        import tensorflow as tf

        index, exists = self._candidates(boxes)
        real = (labels < len(LABELS))[..., None]
        inside = self._inside(index, boxes) & exists
        possible = tf.where(tf.reduce_any(inside, axis=2, keepdims=True), inside, exists) & real

        overlap = tf.where(possible, _iou(boxes[:, :, None], tf.gather(at, index, batch_dims=1)), 0.0)  # [B, M, K]
        candidates = tf.gather(rows, index, batch_dims=1)
        probability = tf.sqrt(tf.sigmoid(candidates[..., 5:]) * tf.sigmoid(candidates[..., 4:5]))
        right = tf.one_hot(labels, len(LABELS))[:, :, None]
        agreement = right * tf.math.log(probability + 1e-6) + (1 - right) * tf.math.log(1 - probability + 1e-6)
        cost = -tf.reduce_sum(agreement, axis=3) - 3 * tf.math.log(overlap + 1e-6) + tf.where(possible, 0.0, FAR)

        share = tf.reduce_sum(tf.math.top_k(overlap, TOP, sorted=False).values, axis=2)
        k = tf.clip_by_value(tf.cast(share, tf.int32), 1, TOP)
        limit = tf.gather(-tf.math.top_k(-cost, TOP).values, k - 1, batch_dims=2)
        return self._settle(index, tf.where((cost <= limit[..., None]) & possible, cost, 2 * FAR))

    def _settle(self, index: Any, cost: Any) -> Any:
        """Each anchor to the object that it costs least, of those that want it (others cost 2 · FAR)."""
        import tensorflow as tf

        batch, anchors = tf.shape(index)[0], tf.shape(self._grid)[0]
        flat = index + (tf.range(batch) * anchors)[:, None, None]
        cheapest = tf.math.unsorted_segment_min(tf.reshape(cost, [-1]), tf.reshape(flat, [-1]), batch * anchors)
        won = (cost < FAR) & (cost <= tf.gather(cheapest, flat))
        owner = tf.where(won, tf.range(tf.shape(index)[1])[None, :, None], -1)
        match = tf.math.unsorted_segment_max(tf.reshape(owner, [-1]), tf.reshape(flat, [-1]), batch * anchors)
        return tf.reshape(tf.maximum(match, -1), [batch, anchors])

    def _candidates(self, boxes: Any) -> tuple[Any, Any]:
        """Anchors around each object's centre: indices [B, M, K] int32, and which of them exist (lie within the picture)."""
        import tensorflow as tf

        middle = (boxes[..., :2] + boxes[..., 2:]) / 2
        around = np.stack(np.meshgrid(*[np.arange(-REACH, REACH + 1)] * 2), axis=-1).reshape(-1, 2)
        indices, exist, first = [], [], 0
        for stride in STRIDES:
            wide, high = self._plan.width // stride, self._plan.height // stride
            cell = tf.cast(tf.floor(middle / stride), tf.int32)[:, :, None] + tf.constant(around, tf.int32)
            x, y = cell[..., 0], cell[..., 1]
            exist.append((x >= 0) & (x < wide) & (y >= 0) & (y < high))
            indices.append(first + tf.clip_by_value(y, 0, high - 1) * wide + tf.clip_by_value(x, 0, wide - 1))
            first += wide * high
        return tf.concat(indices, axis=2), tf.concat(exist, axis=2)

    def _inside(self, index: Any, boxes: Any) -> Any:
        """[B, M, K]: which candidates' centres lie in their object's box."""
        import tensorflow as tf

        at = tf.gather(self._centre, index)
        low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
        return tf.reduce_all((at > low) & (at < high), axis=3)


def _iou(a: Any, b: Any) -> Any:
    import tensorflow as tf

    both, union, _ = _areas(tf, a, b)
    return both / union


def generalised_iou(a: Any, b: Any) -> Any:
    """Rezatofighi et al. 2019: overlap less the share of the smallest box around both that neither fills; (−1, 1]."""
    import tensorflow as tf

    both, union, around = _areas(tf, a, b)
    return both / union - (around - union) / around


def _areas(tf: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Intersection, union, and the box around both."""
    width = tf.maximum(tf.minimum(a[..., 2], b[..., 2]) - tf.maximum(a[..., 0], b[..., 0]), 0.0)
    height = tf.maximum(tf.minimum(a[..., 3], b[..., 3]) - tf.maximum(a[..., 1], b[..., 1]), 0.0)
    both = width * height
    size_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    size_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    wide = tf.maximum(a[..., 2], b[..., 2]) - tf.minimum(a[..., 0], b[..., 0])
    high = tf.maximum(a[..., 3], b[..., 3]) - tf.minimum(a[..., 1], b[..., 1])
    return both, tf.maximum(size_a + size_b - both, 1e-6), tf.maximum(wide * high, 1e-6)
