"""When and where vehicles and people come. Gaps are those of a Poisson process; a street that is full makes them wait outside."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from edge_runtime.sources.sim.fleet import Person, between, born
from edge_runtime.sources.sim.network import Entry, Network, Route, Walk
from edge_runtime.sources.sim.vehicle import Vehicle
from edge_runtime.sources.sim.walker import Walker

_CROWD = 10  # on their way to one crossing, at most: its corners hold no more
_LONG = ("bus", "truck")  # they go straight on


class Arrivals:
    """Those of one entry."""

    def __init__(self, entry: Entry, network: Network, seed: int, density: float) -> None:
        self._draw = Random(f"{seed}/{entry.lane}")
        self._mean_s = 60.0 / (entry.per_minute * density)
        self._entry = entry
        routes = [(number, route) for number, route in enumerate(network.routes) if route.lane == entry.lane]
        self._straight = [pair for pair in routes if pair[1].turn == 0]
        self._turns = [pair for pair in routes if pair[1].turn != 0]
        self._lane = [number for number, _ in routes]
        self._due_s = self._mean_s * self._draw.random() * 0.5
        self._next: tuple[Person, int, Route] | None = None

    def admit(self, on: Sequence[list[Vehicle]], now_s: float, next_id: int) -> int:
        if now_s < self._due_s:
            return next_id
        if self._next is None:
            self._next = self._born(next_id)
            next_id += 1
        person, number, route = self._next
        speed = route.limit_mps * person.pace
        last = min((on[other][-1] for other in self._lane if on[other]), key=lambda vehicle: vehicle.tail_m, default=None)
        if last is not None:
            room = last.tail_m
            if room < 3.0 + last.speed_mps * 0.8:
                return next_id
            speed = min(speed, last.speed_mps + room * 0.25)
        on[number].append(Vehicle(person, number, route, 0.0, speed))
        self._next = None
        self._due_s = now_s + exponential(self._draw, self._mean_s)
        return next_id

    def _born(self, number: int) -> tuple[Person, int, Route]:
        draw = self._draw
        (kind,) = draw.choices([kind for kind, _ in self._entry.kinds], [weight for _, weight in self._entry.kinds])
        turns = bool(self._turns) and draw.random() < self._entry.turning and kind not in _LONG
        ways = self._turns if turns or not self._straight else self._straight
        return (born(draw, number, kind), *ways[draw.randrange(len(ways))])


class PeopleArrivals:
    """One walk: who comes next, and when. Some come in twos, side by side."""

    def __init__(self, number: int, walk: Walk, seed: int, density: float) -> None:
        self._walk = walk
        self._draw = Random(f"{seed}/walk {number}")
        self._mean_s = 60.0 * 1.2 / (walk.per_minute * density)  # a fifth are twos
        self._due_s = self._mean_s * self._draw.random()

    def admit(self, everybody: list[Walker], now_s: float, next_id: int) -> int:
        if now_s < self._due_s:
            return next_id
        draw, room = self._draw, self._walk.room_m
        first = born(draw, next_id, "pedestrian")
        two = draw.random() < 0.2
        side = -between(draw, (0.4, room) if not two else (0.35, room - 0.8))
        rest_s = between(draw, (4.0, 25.0)) if self._walk.rest_m and draw.random() < 0.5 else 0.0
        comers = [Walker(first, self._walk, side, rest_s)]
        if two:
            friend = born(draw, next_id + 1, "pedestrian")
            comers.append(Walker(_alike(friend, first.pace), self._walk, side - 0.8, rest_s))
        self._due_s = now_s + exponential(draw, self._mean_s)
        gates = self._walk.gates
        crowd = (
            sum(other.gate == 0 and bool(other.walk.gates) and other.walk.gates[0].crossing == gates[0].crossing for other in everybody)
            if gates
            else 0
        )
        if crowd >= _CROWD:
            return next_id  # it is seen from afar that too many wait
        if any((comer.x - other.x) ** 2 + (comer.y - other.y) ** 2 < 1.0 for comer in comers for other in everybody):
            return next_id  # no room: they go another way
        everybody += comers
        return next_id + len(comers)


def _alike(person: Person, pace: float) -> Person:
    """Friends walk at one pace."""
    return Person(person.id, person.kind, person.length_m, person.width_m, person.height_m, person.style, pace, person.aside)


def exponential(draw: Random, mean_s: float) -> float:
    """An exponential gap: von Neumann's comparison method (1951), which needs no logarithm."""
    whole = 0
    while True:
        first = last = draw.random()
        count = 1
        while (following := draw.random()) < last:
            last = following
            count += 1
        if count % 2 == 1:
            return mean_s * min(whole + first, 4.0)
        whole += 1
