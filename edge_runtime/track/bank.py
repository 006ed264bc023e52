"""Every track of one camera, as arrays: row i of each is one track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from edge_runtime.track.kalman import to_xyxy

Array = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Bank:
    """Struct-of-arrays. Rows come by `append` and go by `keep`; nothing outside refers to a row across either."""

    id: NDArray[np.int64]  # 0: not believed yet
    position: Array  # (N, 2) centre, px
    velocity: Array  # (N, 2) px/s
    cov: Array  # (N, 2, 3) of position and velocity, px²
    size: Array  # (N, 2) ln w, ln h
    size_var: Array  # (N, 2)
    score: Array  # (N,) of the last sighting
    evidence: Array  # (N,) sum of the scores of all sightings
    hits: NDArray[np.int64]  # (N,) number of sightings
    frames: NDArray[np.int64]  # (N,) number of frames since the first of them, it included
    born_ns: NDArray[np.int64]  # (N,) first sighting
    seen_ns: NDArray[np.int64]  # (N,) last sighting
    rest: Array  # (N, 2) where it came to rest: the last place from which it has not gone far, px
    rest_ns: NDArray[np.int64]  # (N,) since when
    told: Array  # (N, 2) where it last told the flow memory of itself, px
    votes: Array  # (N, L) sum of scores by label

    @classmethod
    def new(cls, position: Array, size: Array, score: Array, now_ns: int, labels: int) -> Bank:
        """Rows for boxes seen for the first time; motion, uncertainty and votes are the caller's to fill."""
        count = len(score)
        return cls(
            id=np.zeros(count, np.int64),
            position=position.copy(),
            velocity=np.zeros((count, 2)),
            cov=np.zeros((count, 2, 3)),
            size=size.copy(),
            size_var=np.zeros((count, 2)),
            score=score.copy(),
            evidence=score.copy(),
            hits=np.ones(count, np.int64),
            frames=np.ones(count, np.int64),
            born_ns=np.full(count, now_ns, np.int64),
            seen_ns=np.full(count, now_ns, np.int64),
            rest=position.copy(),
            rest_ns=np.full(count, now_ns, np.int64),
            told=np.full((count, 2), np.inf),
            votes=np.zeros((count, labels)),
        )

    @classmethod
    def empty(cls) -> Bank:
        """No tracks."""
        return cls.new(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), 0, 1)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def scale(self) -> Array:
        """(N,) geometric mean of the sides, px: the yardstick of everything that is said in sizes."""
        mean: Array = np.exp(self.size.mean(axis=1))
        return mean

    @property
    def xyxy(self) -> Array:
        """(N, 4) boxes, px."""
        return to_xyxy(self.position, self.size)

    def widen(self, labels: int) -> None:
        """Make room to vote for `labels` labels."""
        if labels > self.votes.shape[1]:
            self.votes = np.pad(self.votes, ((0, 0), (0, labels - self.votes.shape[1])))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop every other row."""
        for column in fields(self):
            setattr(self, column.name, getattr(self, column.name)[rows])

    def append(self, other: Bank) -> None:
        """Add rows, as wide in `votes` as these."""
        for column in fields(self):
            setattr(self, column.name, np.concatenate([getattr(self, column.name), getattr(other, column.name)]))


def rows_where(mask: Sequence[bool] | NDArray[np.bool_]) -> NDArray[np.int64]:
    """The numbers of the rows that are true."""
    return np.flatnonzero(mask).astype(np.int64)
