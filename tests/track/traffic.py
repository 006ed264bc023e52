"""A made-up road with known truth: vehicles in lanes seen in perspective, and a detector that misses, wobbles, flickers and sees ghosts.

y = 0    far, boxes small         lanes run up and down the picture; a vehicle goes with its own speed, in its own sizes a second,
  │  ▯ ▯   ▯                      and its box grows as it comes nearer. Whatever is in front hides what is behind it.
  ▼ ▭  ▭    ▭
y = 600  near, boxes large        The truth of a line is exact: who passed it between the first frame and the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.types import Detections, Size, Stamp

SIZE = Size(960, 600)
LABELS = ("car", "truck", "bus", "person")
CAR, TRUCK, BUS, PERSON = range(4)


@dataclass(frozen=True, kw_only=True)
class Detector:
    """How bad the detector is."""

    miss: float = 0.1  # boxes that are not there at all
    faint: float = 0.15  # boxes with a low score
    wobble: float = 0.03  # of a side
    flicker: float = 0.1  # wrong labels
    ghosts: float = 0.3  # boxes of nothing, a frame
    hidden: float = 0.6  # covered share above which nothing is seen
    twins: float = 0.0  # objects of which a second box with another label is reported


@dataclass(frozen=True, kw_only=True)
class Road:
    """What drives. Distances along the road are in sizes: a vehicle at y px is `scale(y)` px large."""

    lanes: tuple[int, ...] = (1, 1, -1, -1)  # 1: down the picture
    per_minute: float = 20.0  # vehicles a lane
    speed: tuple[float, float] = (1.0, 3.0)  # sizes/s
    seconds: float = 30.0


def scale(y: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Size in px of a vehicle whose centre is at y."""
    return np.asarray(25.0 + 0.12 * np.asarray(y))


@dataclass(frozen=True)
class Vehicle:
    lane: int
    way: int
    start_s: float
    speed: float
    label: int
    aspect: float

    def y(self, t: float) -> float:
        """dy/dt = ± speed · scale(y): an exponential, since scale is linear in y."""
        a, b = 25.0, 0.12
        y0 = -40.0 if self.way > 0 else SIZE.height + 40.0
        return float((scale(y0) * np.exp(self.way * self.speed * b * (t - self.start_s)) - a) / b)

    def box(self, t: float, lanes: int) -> NDArray[np.float64]:
        y = self.y(t)
        side = float(scale(y))
        spread = 0.35 + 0.65 * (y / SIZE.height)
        x = SIZE.width / 2 + (self.lane - (lanes - 1) / 2) * 210 * spread
        w, h = side * self.aspect, side / self.aspect
        return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


class Traffic:
    """One road, one seed. `frames` may be asked for again with another rate or detector: the same vehicles come."""

    def __init__(self, seed: int, road: Road | None = None) -> None:
        self.road = road or Road()
        self.seed = seed
        random = np.random.default_rng(seed)
        self.vehicles: list[Vehicle] = []
        for lane, way in enumerate(self.road.lanes):
            t, speed = -40.0, float(random.uniform(*self.road.speed))  # one speed a lane: nobody drives through the one in front
            while t < self.road.seconds:
                t += max(2.5 / speed, float(random.exponential(60 / self.road.per_minute)))
                label = CAR if random.random() < 0.8 else TRUCK
                self.vehicles.append(Vehicle(lane, way, t, speed, label, 1.0 if label == CAR else 1.1))

    def truth(self, y: float, first_s: float, last_s: float) -> tuple[int, int]:
        """Down and up through y between two instants."""
        passed = [v.way for v in self.vehicles if (v.y(first_s) - y) * (v.y(last_s) - y) < 0]
        return passed.count(1), passed.count(-1)

    def times(self, fps: float, drops: float = 0.0, jitter: float = 0.0) -> list[float]:
        """Instants of the frames: evenly, or late by up to `jitter` intervals, some dropped."""
        random = np.random.default_rng(self.seed + 1)
        count = int(self.road.seconds * fps)
        late = random.uniform(0, jitter, count) if jitter else np.zeros(count)
        kept = random.random(count) >= drops
        kept[0] = True
        return [(i + late[i]) / fps for i in range(count) if kept[i]]

    def frames(self, times: list[float], detector: Detector) -> Iterator[Detections]:
        random = np.random.default_rng(self.seed + 2)
        for seq, t in enumerate(times):
            yield self._frame(Stamp("road", seq, round(t * 1e9), round(t * 1e9)), t, detector, random)

    def _frame(self, stamp: Stamp, t: float, detector: Detector, random: np.random.Generator) -> Detections:
        lanes = len(self.road.lanes)
        rows: list[tuple[NDArray[np.float64], float, int]] = []
        present = sorted(((v.box(t, lanes), v) for v in self.vehicles if -40 < v.y(t) < SIZE.height + 40), key=lambda pair: -pair[0][3])
        nearer: list[NDArray[np.float64]] = []
        for box, vehicle in present:
            hidden = max((_covered(box, other) for other in nearer), default=0.0)
            nearer.append(box)
            if random.random() < detector.miss or hidden > detector.hidden:
                continue
            rows += self._readings(box, vehicle, detector, random)
        for _ in range(random.poisson(detector.ghosts)):
            place = random.uniform((0, 0), SIZE)
            side = float(scale(place[1])) * random.uniform(0.7, 1.3) / 2
            rows.append((np.array([*(place - side), *(place + side)]), random.uniform(0.1, 0.5), CAR))
        rows = [(np.clip(box, 0, [*SIZE, *SIZE]), score, label) for box, score, label in rows]
        rows = [row for row in rows if row[0][2] - row[0][0] > 4 and row[0][3] - row[0][1] > 4]
        rows.sort(key=lambda row: -row[1])
        xyxy = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        return Detections(stamp, xyxy, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int16))

    def _readings(
        self, box: NDArray[np.float64], vehicle: Vehicle, detector: Detector, random: np.random.Generator
    ) -> list[tuple[NDArray[np.float64], float, int]]:
        sides = np.tile(box[2:] - box[:2], 2)
        seen = box + random.normal(0, detector.wobble, 4) * sides
        score = random.uniform(0.1, 0.3) if random.random() < detector.faint else random.uniform(0.3, 0.95)
        label = 1 - vehicle.label if random.random() < detector.flicker else vehicle.label
        readings = [(seen, score, label)]
        if random.random() < detector.twins:  # the same body again: its lower two thirds, read as something else
            twin = box + random.normal(0, detector.wobble, 4) * sides
            twin[1] += 0.33 * (box[3] - box[1])
            readings.append((twin, 0.8 * score, 1 - label))
        return readings


def _covered(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    return float(np.clip(high - low, 0, None).prod() / (box[2:] - box[:2]).prod())


PERFECT = Detector(miss=0.0, faint=0.0, wobble=0.0, flicker=0.0, ghosts=0.0, hidden=1.0)
USUAL = Detector()
TWINS = replace(USUAL, twins=0.7)
