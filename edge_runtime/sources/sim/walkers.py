"""People on foot: along their walk, on its right-hand side, around one another, and over a crossing when they may.

             room_m  ┌ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
                        ●→        ●→  (the blocked one slows down, and moves aside: to the right of who comes, away from who goes ahead)
      middle ────────│────────────────────────│──── along the walk
                           ←●   ←●
                     └ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘

Nobody takes a step that brings two people nearer than `APART_M`; everybody decides five times a second and goes straight in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from edge_runtime.sources.sim.fleet import Person, between, born
from edge_runtime.sources.sim.network import Crossing, Gate, Network, Walk
from edge_runtime.sources.sim.street import RoadUser
from edge_runtime.sources.sim.traffic import STEP_S, Pedestrian, Traffic, exponential

APART_M = 0.72  # between two middles
_SIGHT_M = 2.4
_SIDE_M = 0.78  # who is farther to the side is not in the way
_SIDESTEP_MPS = 0.6
_RETURN_MPS = 0.15
_GAP_S = 1.2  # before who comes, where there is no light
_NEAR_M = 3.0  # from the kerb: about to cross


class Walker:
    """One person on a walk."""

    __slots__ = (
        "along_m",
        "gate",
        "heading",
        "next_x",
        "next_y",
        "number",
        "person",
        "prefers_m",
        "rest_s",
        "side_m",
        "speed_mps",
        "stand_m",
        "walk",
        "x",
        "y",
    )

    def __init__(self, person: Person, number: int, walk: Walk, side_m: float, rest_s: float) -> None:
        self.person = person
        self.number = number
        self.walk = walk
        self.along_m = 0.0
        self.side_m = self.prefers_m = side_m  # to the left is positive
        self.gate = 0  # the next one
        self.stand_m = 0.5 * person.aside  # before the place where the others stop
        self.rest_s = rest_s
        self.speed_mps = 0.0
        self.heading = walk.path.heading(0.0)
        self.x, self.y = self.next_x, self.next_y = self.place(0.0, side_m)

    def place(self, along_m: float, side_m: float) -> tuple[float, float]:
        x, y = self.walk.path.at(along_m)
        hx, hy = self.walk.path.heading(along_m)
        return x - hy * side_m, y + hx * side_m


class Walkers:
    """Everybody on foot in one world."""

    def __init__(self, network: Network, seed: int, density: float) -> None:
        self._crossings = network.crossings
        self._all: list[Walker] = []
        self._sources = [_Source(number, walk, seed, density) for number, walk in enumerate(network.walks)]
        self._colors: Mapping[str, str] = {}

    def __len__(self) -> int:
        return len(self._all)

    def crossing(self, colors: Mapping[str, str]) -> list[list[Pedestrian]]:
        """By crossing, who is on it or about to step on it."""
        found: list[list[Pedestrian]] = [[] for _ in self._crossings]
        for walker in self._all:
            gates = walker.walk.gates
            if walker.gate < len(gates) and _beckoned(gates[walker.gate], colors) and gates[walker.gate].stop_m - walker.along_m < _NEAR_M:
                gate = gates[walker.gate]
            elif walker.gate and walker.along_m < gates[walker.gate - 1].end_m:
                gate = gates[walker.gate - 1]
            else:
                continue
            found[gate.crossing].append(_across(self._crossings[gate.crossing], walker))
        return found

    def decide(self, colors: Mapping[str, str], traffic: Traffic) -> None:
        """Everybody settles on the next step. `traffic` has decided already."""
        self._colors = colors
        held = [traffic.taken(number) for number in range(len(self._crossings))]
        for walker in self._all:
            near = [
                other
                for other in self._all
                if -_SIGHT_M < other.x - walker.x < _SIGHT_M and -_SIGHT_M < other.y - walker.y < _SIGHT_M and other is not walker
            ]
            speed, aside = self._wish(walker, near)
            if not self._free(walker, held, traffic):
                speed = 0.0
            self._step(walker, near, speed, aside)

    def move(self, now_s: float, next_id: int) -> int:
        """One step on; who has arrived is gone, who has come is there. The next free id."""
        for walker in self._all:
            walker.x, walker.y = walker.next_x, walker.next_y
            walker.heading = walker.walk.path.heading(walker.along_m)
        self._all = [walker for walker in self._all if walker.along_m < walker.walk.path.length_m]
        for source in self._sources:
            next_id = source.admit(self._all, now_s, next_id)
        return next_id

    def users(self, dt: float) -> list[RoadUser]:
        """Everybody, `dt` after the last decision."""
        return [_seen(walker, dt) for walker in self._all]

    # -- deciding -----------------------------------------------------------------------------------------------------------

    def _wish(self, walker: Walker, near: Sequence[Walker]) -> tuple[float, float]:
        """How fast it would like to go, and how far to the side to move, m."""
        speed = walker.person.pace
        hx, hy = walker.heading
        blocked = 0.0
        for other in near:
            dx, dy = other.x - walker.x, other.y - walker.y
            ahead, side = dx * hx + dy * hy, dy * hx - dx * hy
            if ahead <= 0.05 or not -_SIDE_M < side < _SIDE_M:
                continue
            ox, oy = other.heading
            pace = other.speed_mps * (ox * hx + oy * hy)
            gap = ahead - APART_M
            oncoming = ox * hx + oy * hy < -0.3
            speed = min(speed, max(0.0, gap * 1.5 if oncoming else pace + gap))
            if oncoming:
                blocked = -1.0
            elif pace < walker.person.pace - 0.15 and blocked == 0.0:
                blocked = -1.0 if side > 0.0 else 1.0
        if blocked:
            return speed, blocked * _SIDESTEP_MPS * STEP_S
        back = walker.prefers_m - walker.side_m
        most = _RETURN_MPS * STEP_S
        return speed, max(-most, min(most, back))

    def _free(self, walker: Walker, held: Sequence[Sequence[tuple[float, float]]], traffic: Traffic) -> bool:
        """Whether lights and vehicles let it go on. Passing a gate is noted here."""
        gates = walker.walk.gates
        reach = walker.along_m + walker.person.pace * STEP_S
        if walker.walk.rest_m and walker.rest_s > 0.0 and reach > walker.walk.rest_m:
            walker.rest_s -= STEP_S
            return False
        if walker.gate < len(gates) and reach > gates[walker.gate].stop_m - walker.stand_m:
            gate = gates[walker.gate]
            if not (_allowed(gate, self._colors) and (gate.signal or _gap(walker, self._crossings[gate.crossing], traffic.arrivals(gate.crossing)))):
                return False
            walker.gate += 1
        if walker.gate and walker.along_m < gates[walker.gate - 1].end_m:
            number = gates[walker.gate - 1].crossing
            at, speed = _across(self._crossings[number], walker)
            for place, room in held[number]:
                away = (place - at) if speed > 0.0 else (at - place)
                if room <= away < room + 0.7:
                    return False
        return True

    def _step(self, walker: Walker, near: Sequence[Walker], speed: float, aside: float) -> None:
        """Takes the step, or as much of it as keeps its distance from everybody."""
        room = walker.walk.room_m
        side = max(-room, min(room, walker.side_m + aside))
        along = walker.along_m + speed * STEP_S
        for to_along, to_side in ((along, side), (along, walker.side_m), (walker.along_m, side)):
            x, y = walker.place(to_along, to_side)
            if all(_apart(walker, other, x, y) for other in near):
                walker.speed_mps = (to_along - walker.along_m) / STEP_S
                walker.along_m, walker.side_m, walker.next_x, walker.next_y = to_along, to_side, x, y
                return
        walker.speed_mps = 0.0
        walker.next_x, walker.next_y = walker.x, walker.y


def _apart(walker: Walker, other: Walker, x: float, y: float) -> bool:
    """Whether a step to there keeps the distance; one that is too near already may go away."""
    dx, dy = other.next_x - x, other.next_y - y
    after = dx * dx + dy * dy
    if after >= APART_M * APART_M:
        return True
    dx, dy = other.next_x - walker.x, other.next_y - walker.y
    return after > dx * dx + dy * dy


def _allowed(gate: Gate, colors: Mapping[str, str]) -> bool:
    return not gate.signal or colors[gate.signal] == "green"


def _beckoned(gate: Gate, colors: Mapping[str, str]) -> bool:
    """By a light. Where there is none, people do not step out before anybody."""
    return bool(gate.signal) and colors[gate.signal] == "green"


def _across(crossing: Crossing, walker: Walker) -> Pedestrian:
    if crossing.along_y:
        return walker.y, walker.person.pace if walker.heading[1] > 0.0 else -walker.person.pace
    return walker.x, walker.person.pace if walker.heading[0] > 0.0 else -walker.person.pace


def _gap(walker: Walker, crossing: Crossing, arrivals: Sequence[tuple[float, float, float]]) -> bool:
    """Whether it can be past everybody's way before they come."""
    at, speed = _across(crossing, walker)
    for place, room, seconds in arrivals:
        away = (place - at) if speed > 0.0 else (at - place)
        if away + room > 0.0 and seconds < (away + room) / walker.person.pace + _GAP_S:
            return False
    return True


def _seen(walker: Walker, dt: float) -> RoadUser:
    person, part = walker.person, dt / STEP_S
    return RoadUser(
        person.id,
        person.kind,
        walker.x + part * (walker.next_x - walker.x),
        walker.y + part * (walker.next_y - walker.y),
        walker.heading,
        walker.speed_mps,
        person.length_m,
        person.width_m,
        person.height_m,
        person.style,
        walker.along_m - walker.speed_mps * (STEP_S - dt),
    )


class _Source:
    """One walk: who comes next, and when. Some come in twos, side by side."""

    def __init__(self, number: int, walk: Walk, seed: int, density: float) -> None:
        self._number = number
        self._walk = walk
        self._draw = Random(f"{seed}/walk {number}")
        self._mean_s = 60.0 * 1.2 / (walk.per_minute * density)  # a fifth are twos
        self._due_s = self._mean_s * self._draw.random()

    def admit(self, everybody: list[Walker], now_s: float, next_id: int) -> int:
        if now_s < self._due_s:
            return next_id
        draw, room = self._draw, self._walk.room_m
        first = born(draw, next_id, "pedestrian")
        side = -between(draw, (0.1, room))
        two = draw.random() < 0.2
        rest_s = between(draw, (4.0, 25.0)) if self._walk.rest_m and draw.random() < 0.5 else 0.0
        comers = [Walker(first, self._number, self._walk, side, rest_s)]
        if two:
            friend = born(draw, next_id + 1, "pedestrian")
            beside = side + 0.8 if side + 0.8 < room else side - 0.8
            comers.append(Walker(_alike(friend, first.pace), self._number, self._walk, beside, rest_s))
        self._due_s = now_s + exponential(draw, self._mean_s)
        if any((comer.x - other.x) ** 2 + (comer.y - other.y) ** 2 < 1.0 for comer in comers for other in everybody):
            return next_id  # no room: they go another way
        everybody += comers
        return next_id + len(comers)


def _alike(person: Person, pace: float) -> Person:
    """Friends walk at one pace."""
    return Person(person.id, person.kind, person.length_m, person.width_m, person.height_m, person.style, pace, person.aside)
