"""People on foot: along their walk, on its right-hand side, around one another, and over a crossing when they may.

             room_m  ┌ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
                        ●→        ●→  (the blocked one slows down, and moves aside: to the right of who comes, away from who goes ahead)
      middle ────────│────────────────────────│──── along the walk
                           ←●   ←●
                     └ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘

Nobody takes a step that brings two people nearer than they like (`APART_M`), or, when they are stuck, than they fit; who goes behind somebody keeps
the distance of single file, which grows with the speed. Everybody decides five times a second and goes straight in between. Who is stuck also takes
more room than the walk has, and tries one side after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.sources.sim.arrivals import PeopleArrivals
from edge_runtime.sources.sim.fleet import STEP_S
from edge_runtime.sources.sim.network import Crossing, Gate, Network
from edge_runtime.sources.sim.street import RoadUser
from edge_runtime.sources.sim.traffic import Pedestrian, Traffic
from edge_runtime.sources.sim.walker import SIDESTEP_MPS, STUCK_S, Walker, figure, stride

_TRY_S = 2.4  # one side, then the other
_BACK_S = 6.0  # then the younger of two who face each other steps back
_BACK_MPS = -0.5
_SIGHT_M = 2.4
_BESIDE_M = 0.06  # more to the side than apart: who is farther to the side is not in the way
_BEHIND_M = 0.4  # farther to the side than this nobody goes behind somebody
_FILE_M, _FILE_S = 0.36, 1.06  # in single file people take 0.36 m + 1.06 s · speed (Seyfried et al., J. Stat. Mech. P10002, 2005)
_RETURN_MPS = 0.15
_GAP_S = 1.2  # before who comes, where there is no light
_PATIENCE_S = 8.0  # then who has no light steps up to the kerb, and is let over
_QUEUE = 12  # as long as queues are; people who block each other in a ring would be one without an end
_BEFORE_M = 0.7  # from the way of a vehicle: there they stop for it
_KERBSIDE_M = 3.0  # so near to the kerb its way is waited for on the pavement
_NEAR_M = 3.0  # from the kerb: about to cross


class Walkers:
    """Everybody on foot in one world."""

    def __init__(self, network: Network, seed: int, density: float) -> None:
        self._crossings = network.crossings
        self._all: list[Walker] = []
        self._sources = [PeopleArrivals(number, walk, seed, density) for number, walk in enumerate(network.walks)]
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
            walker.queues = walker.queues if free else 1
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
        return [figure(walker, dt) for walker in self._all]

    # -- deciding -----------------------------------------------------------------------------------------------------------

    def _wish(self, walker: Walker, near: Sequence[Walker]) -> tuple[float, float]:
        """How fast it would like to go, and how far to the side to move, m."""
        speed, apart = walker.person.pace, walker.apart_m
        hx, hy = walker.heading
        blocked = 0.0
        walker.queues = 0
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
            if along > 0.4 and abs(side) < _BEHIND_M:
                speed = min(speed, max(0.0, (ahead - _FILE_M) / _FILE_S))
            if oncoming:
                blocked = -1.0
                if walker.stuck_s > _BACK_S and gap < 0.4 and walker.person.id > other.person.id:
                    speed = _BACK_MPS
            elif pace < walker.person.pace - 0.15 and blocked == 0.0:
                blocked = -1.0 if side > 0.0 else 1.0
                if along > 0.4 and gap < 1.0 and 0 < other.queues < _QUEUE:
                    walker.queues = other.queues + 1
        if blocked:
            if walker.stuck_s > STUCK_S and int(walker.stuck_s / _TRY_S) % 2:
                blocked = -blocked
            return speed, blocked * SIDESTEP_MPS * STEP_S
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
        along = walker.along_m + stride(walker, speed * STEP_S)
        for to_along, to_side in ((along, side), (along, walker.side_m), (walker.along_m, side)):
            x, y = walker.place(to_along, to_side)
            if all(_apart(walker, other, x, y) for other in near):
                walker.speed_mps = abs(speed) if to_along != walker.along_m else 0.0
                walker.along_m, walker.side_m, walker.next_x, walker.next_y = to_along, to_side, x, y
                return
        walker.speed_mps = 0.0
        walker.next_x, walker.next_y = walker.x, walker.y


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
