"""What the scene has taught: how things that were here before moved. It says where an object seen only once will be next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_IMAGINED = 0.25  # samples: what is believed without memory weighs a quarter of one neighbour seen
_REACH = 1.0  # sizes: how far a sample speaks for its surroundings. One size is about half a lane, so the next lane hardly has a say


class FlowMemory:
    """A bounded memory of (place, size, velocity) samples of confirmed tracks; the oldest give way.

    The prior for a new object is the Bayesian mean and variance of the samples around it, each weighted by nearness, together
    with a fraction of an imagined sample "around standing still, give or take `spread`": with no memory that is all there is, and one
    neighbour outweighs it.

        ▢→    ▢→        ?: seen once, no velocity of its own.      Several neighbours agree: small variance, the next frame's box is
           ▢→  ?  ▢→       They say "to the right, this fast"      looked for there. They disagree (a queue starting): large variance
    """

    def __init__(self, capacity: int, spread: float) -> None:
        """`spread`: standard deviation of an unknown object's velocity along one axis, in its own sizes a second."""
        self._place = np.zeros((capacity, 2))
        self._size = np.ones(capacity)
        self._velocity = np.zeros((capacity, 2))
        self._count = 0
        self._next = 0
        self._spread = spread

    def clear(self) -> None:
        """Forget: the scene changed."""
        self._count = self._next = 0

    def add(self, place: Array, size: Array, velocity: Array) -> None:
        """Samples: place [K, 2] px, size [K] px (geometric mean of the sides), velocity [K, 2] px/s."""
        capacity = len(self._size)
        count = min(len(size), capacity)
        rows = (self._next + np.arange(count)) % capacity
        self._place[rows] = place[:count]
        self._size[rows] = size[:count]
        self._velocity[rows] = velocity[:count]
        self._next = int(self._next + count) % capacity
        self._count = min(capacity, self._count + count)

    def prior(self, place: Array, size: Array) -> tuple[Array, Array]:
        """Mean [K, 2] px/s and variance [K, 2] px²/s² of the velocity of an object first seen at place [K, 2] with size [K]."""
        unknown = (self._spread * size[:, None]) ** 2
        n = self._count
        away = (self._place[None, :n] - place[:, None]) / (_REACH * size[:, None, None])
        scale = np.log(self._size[None, :n] / size[:, None])  # a pedestrian says little about a bus: one e-fold counts as one reach
        weight = np.exp(-0.5 * ((away**2).sum(axis=2) + scale**2))
        total = weight.sum(axis=1, keepdims=True) + _IMAGINED
        mean = weight @ self._velocity[:n] / total
        second = (weight @ self._velocity[:n] ** 2 + _IMAGINED * unknown) / total
        return mean, second - mean**2
