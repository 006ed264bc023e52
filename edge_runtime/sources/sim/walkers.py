"""People on foot: along their walk, on its right-hand side, around one another, and over a crossing when they may.

             room_m  ┌ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
                        ●→        ●→  (the blocked one slows down, and moves aside: to the right of who comes, away from who goes ahead)
      middle ────────│────────────────────────│──── along the walk
                           ←●   ←●
                     └ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘

Nobody takes a step that brings two people nearer than they like (`APART_M`), or, when they are stuck, than they fit; everybody decides five times a
second and goes straight in between. Who is stuck also takes more room than the walk has, and tries one side after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from random import Random

from edge_runtime.sources.sim.arrivals import exponential
from edge_runtime.sources.sim.fleet import Person, between, born
from edge_runtime.sources.sim.network import Crossing, Gate, Network, Walk
from edge_runtime.sources.sim.street import RoadUser
from edge_runtime.sources.sim.traffic import STEP_S, Pedestrian, Traffic

APART_M = 0.74  # between two middles
SQUEEZED_M = 0.62  # when stuck: shoulder to shoulder
_STUCK_S = 1.2
_STUCK_ROOM_M = 0.7  # beside the walk
_TRY_S = 2.4  # one side, then the other
_LEFT_M = -0.25  # as far to the left as they go, unless they are stuck
_BACK_S = 6.0  # then the younger of two who face each other steps back
_BACK_MPS = -0.5
_SIGHT_M = 2.4
_BESIDE_M = 0.06  # more to the side than apart: who is farther to the side is not in the way
_SIDESTEP_MPS = 0.6
_RETURN_MPS = 0.15
_GAP_S = 1.2  # before who comes, where there is no light
_PATIENCE_S = 8.0  # then who has no light steps up to the kerb, and is let over
_BEFORE_M = 0.7  # from the way of a vehicle: there they stop for it
_KERBSIDE_M = 3.0  # so near to the kerb its way is waited for on the pavement
_CROWD = 10  # on their way to one crossing with a light, at most: its corners hold no more
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
        "queues",
        "rest_s",
        "side_m",
        "speed_mps",
        "stand_m",
        "stuck_s",
        "waited_s",
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
        self.queues = False  # at a gate, or behind who does
        self.stuck_s = 0.0
        self.waited_s = 0.0  # at a gate
        self.heading = walk.path.heading(0.0)
        self.x, self.y = self.next_x, self.next_y = self.place(0.0, side_m)

    @property
    def apart_m(self) -> float:
        return APART_M if self.stuck_s < _STUCK_S else SQUEEZED_M

    def reach(self, side_m: float) -> float:
        """As near to a side as it may go now, without a leap."""
        room = self.walk.room_m
        low, high = (-room, _LEFT_M) if self.stuck_s < _STUCK_S else (-room - _STUCK_ROOM_M, room)
        most = _SIDESTEP_MPS * STEP_S
        return max(self.side_m - most, min(self.side_m + most, max(low, min(high, side_m))))

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
            if walker.gate < len(gates) and _beckoned(walker, gates[walker.gate], colors) and gates[walker.gate].stop_m - walker.along_m < _NEAR_M:
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
            free = self._free(walker, held, traffic)
            self._step(walker, near, speed if free else 0.0, aside)
            walker.queues = walker.queues or not free
            stuck = walker.speed_mps < 0.15 and not walker.queues
            walker.stuck_s = walker.stuck_s + STEP_S if stuck else max(0.0, walker.stuck_s - STEP_S * 0.5)

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
        speed, apart = walker.person.pace, walker.apart_m
        hx, hy = walker.heading
        blocked = 0.0
        walker.queues = False
        for other in near:
            dx, dy = other.x - walker.x, other.y - walker.y
            ahead, side = dx * hx + dy * hy, dy * hx - dx * hy
            if ahead <= 0.05 or not -apart - _BESIDE_M < side < apart + _BESIDE_M:
                continue
            along = other.heading[0] * hx + other.heading[1] * hy
            if -0.4 < along < 0.4 and side > 0.1:
                continue  # from the left: it waits
            pace, gap = other.speed_mps * along, ahead - apart
            oncoming = along < -0.3
            speed = min(speed, max(0.0, gap * 1.5 if oncoming else pace + gap))
            if oncoming:
                blocked = -1.0
                if walker.stuck_s > _BACK_S and gap < 0.4 and walker.person.id > other.person.id:
                    speed = _BACK_MPS
            elif pace < walker.person.pace - 0.15 and blocked == 0.0:
                blocked = -1.0 if side > 0.0 else 1.0
                walker.queues = walker.queues or (other.queues and along > 0.4 and gap < 1.0)
        if blocked:
            if walker.stuck_s > _STUCK_S and int(walker.stuck_s / _TRY_S) % 2:
                blocked = -blocked
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
            if not self._may_cross(walker, gates[walker.gate], held, traffic):
                walker.waited_s += STEP_S
                return False
            walker.waited_s = 0.0
            walker.gate += 1
        if walker.gate and walker.along_m < gates[walker.gate - 1].end_m:
            return not self._blocked(walker, gates[walker.gate - 1].crossing, held, _BEFORE_M)
        return True

    def _blocked(self, walker: Walker, crossing: int, held: Sequence[Sequence[tuple[float, float]]], within_m: float) -> bool:
        """Whether a vehicle has what lies just ahead. Who is in its way already goes on."""
        at, speed = _across(self._crossings[crossing], walker)
        return any(room <= ((place - at) if speed > 0.0 else (at - place)) < room + within_m for place, room in held[crossing])

    def _may_cross(self, walker: Walker, gate: Gate, held: Sequence[Sequence[tuple[float, float]]], traffic: Traffic) -> bool:
        if gate.signal:
            return self._colors[gate.signal] == "green" and not self._blocked(walker, gate.crossing, held, _KERBSIDE_M)
        if walker.waited_s > _PATIENCE_S:
            return not held[gate.crossing]
        return _gap(walker, self._crossings[gate.crossing], traffic.arrivals(gate.crossing))

    def _step(self, walker: Walker, near: Sequence[Walker], speed: float, aside: float) -> None:
        """Takes the step, or as much of it as keeps its distance from everybody."""
        side = walker.reach(walker.side_m + aside)
        along = walker.along_m + _stride(walker, speed * STEP_S)
        for to_along, to_side in ((along, side), (along, walker.side_m), (walker.along_m, side)):
            x, y = walker.place(to_along, to_side)
            if all(_apart(walker, other, x, y) for other in near):
                walker.speed_mps = abs(speed) if to_along != walker.along_m else 0.0
                walker.along_m, walker.side_m, walker.next_x, walker.next_y = to_along, to_side, x, y
                return
        walker.speed_mps = 0.0
        walker.next_x, walker.next_y = walker.x, walker.y


def _stride(walker: Walker, length_m: float) -> float:
    """How far along the walk a step takes: less than its length on the outer side of a bend."""
    if length_m <= 0.0:
        return length_m
    x, y = walker.place(walker.along_m + length_m, walker.side_m)
    dx, dy = x - walker.x, y - walker.y
    went = sqrt(dx * dx + dy * dy)
    return length_m if went <= length_m else length_m * (length_m / went)


def _apart(walker: Walker, other: Walker, x: float, y: float) -> bool:
    """Whether a step to there keeps the distance; one that is too near already may go away."""
    dx, dy = other.next_x - x, other.next_y - y
    after = dx * dx + dy * dy
    if after >= walker.apart_m * walker.apart_m:
        return True
    dx, dy = other.next_x - walker.x, other.next_y - walker.y
    return after > dx * dx + dy * dy


def _beckoned(walker: Walker, gate: Gate, colors: Mapping[str, str]) -> bool:
    """By a light. Where there is none, people do not step out before anybody, unless nobody has let them over for long."""
    return colors[gate.signal] == "green" if gate.signal else walker.waited_s > _PATIENCE_S


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
        two = draw.random() < 0.2
        side = -between(draw, (0.4, room) if not two else (0.35, room - 0.8))
        rest_s = between(draw, (4.0, 25.0)) if self._walk.rest_m and draw.random() < 0.5 else 0.0
        comers = [Walker(first, self._number, self._walk, side, rest_s)]
        if two:
            friend = born(draw, next_id + 1, "pedestrian")
            comers.append(Walker(_alike(friend, first.pace), self._number, self._walk, side - 0.8, rest_s))
        self._due_s = now_s + exponential(draw, self._mean_s)
        gates = self._walk.gates
        crowd = (
            sum(other.gate == 0 and bool(other.walk.gates) and other.walk.gates[0].signal == gates[0].signal for other in everybody) if gates else 0
        )
        if crowd >= _CROWD and gates[0].signal:
            return next_id  # it is seen from afar that too many wait at the light
        if any((comer.x - other.x) ** 2 + (comer.y - other.y) ** 2 < 1.0 for comer in comers for other in everybody):
            return next_id  # no room: they go another way
        everybody += comers
        return next_id + len(comers)


def _alike(person: Person, pace: float) -> Person:
    """Friends walk at one pace."""
    return Person(person.id, person.kind, person.length_m, person.width_m, person.height_m, person.style, pace, person.aside)
