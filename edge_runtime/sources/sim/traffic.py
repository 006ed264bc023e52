"""Vehicles and bicycles: each follows whoever leads it, obeys its light, and enters what it shares with others only when that is free.

A zone (see `conflicts.py`) belongs to whoever is committed to it and has not left it; who could still stop waits before it. So bodies never meet,
whatever the others do. Everybody decides five times a second, one after the other, and keeps that acceleration in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from edge_runtime.sources.sim.arrivals import Arrivals
from edge_runtime.sources.sim.conflicts import Meetings, Zone
from edge_runtime.sources.sim.fleet import STEP_S
from edge_runtime.sources.sim.network import Network, Route
from edge_runtime.sources.sim.street import RoadUser
from edge_runtime.sources.sim.vehicle import HARD_MPS2, Vehicle, following, seen, wished

_FIRM_MPS2 = 3.0  # at most, to stop at an amber light or before a zone
_STAND_M = 0.4  # before a place where it has to stop
_FORESIGHT_M = 24.0  # beyond where it may have to brake: the longest zone and the longest body
_GAP_S = 1.0  # between leaving a zone and the arrival of who has priority
_PATIENCE_S = 8.0  # then it takes its turn among those who have priority

Pedestrian = tuple[float, float]  # where across a crossing, and how fast towards higher numbers


class Traffic:
    """All vehicles of one world."""

    def __init__(self, network: Network, known: Sequence[Meetings], seed: int, density: float) -> None:
        """`known`: the meetings of the network's routes."""
        self._routes = network.routes
        self._meetings = known
        self._on: list[list[Vehicle]] = [[] for _ in network.routes]  # foremost first
        self._sources = [Arrivals(entry, network, seed, density) for entry in network.entries]
        self._colors: Mapping[str, str] = {}
        self._on_foot: Sequence[Sequence[Pedestrian]] = [() for _ in network.crossings]

    def __len__(self) -> int:
        return sum(len(line) for line in self._on)

    def decide(self, colors: Mapping[str, str], on_foot: Sequence[Sequence[Pedestrian]]) -> None:
        """Everybody looks and settles on an acceleration. `on_foot`: by crossing, who is on it or about to step on it."""
        self._colors, self._on_foot = colors, on_foot
        for line in self._on:
            for place, vehicle in enumerate(line):
                self._settle(vehicle, line[place - 1] if place else None)

    def move(self, now_s: float, next_id: int) -> int:
        """One step on; who has arrived is gone, who has come stands at its entry. The next free id."""
        for number, line in enumerate(self._on):
            for vehicle in line:
                vehicle.front_m, vehicle.speed_mps = vehicle.later(STEP_S)
            while line and line[0].tail_m > self._routes[number].path.length_m:
                line.pop(0)
        for source in self._sources:
            next_id = source.admit(self._on, now_s, next_id)
        return next_id

    def taken(self, crossing: int) -> list[tuple[float, float]]:
        """Where vehicles hold a crossing, or have waited so long to leave the junction that people let them: where, how far to either side."""
        held = []
        for number, met in enumerate(self._meetings):
            for zone in met.zones:
                if (
                    zone.on_foot
                    and zone.other == crossing
                    and (_held(self._on[number], zone.enter_m, zone.leave_m) or any(_asks(vehicle, zone) for vehicle in self._on[number]))
                ):
                    held.append((zone.at, zone.reach_m))
        return held

    def arrivals(self, crossing: int) -> list[tuple[float, float, float]]:
        """Who comes towards a crossing: the place across it, how far to either side, and the seconds until then."""
        coming = []
        for number, met in enumerate(self._meetings):
            for zone in met.zones:
                if zone.on_foot and zone.other == crossing:
                    for vehicle in self._on[number]:
                        if vehicle.tail_m < zone.leave_m:
                            left = max(0.0, zone.enter_m - vehicle.front_m)
                            coming.append((zone.at, zone.reach_m, left / max(vehicle.speed_mps, 1.0)))
        return coming

    def users(self, dt: float) -> list[RoadUser]:
        """Everybody, `dt` after the last decision."""
        return [seen(vehicle, dt) for line in self._on for vehicle in line]

    # -- deciding -----------------------------------------------------------------------------------------------------------

    def _settle(self, vehicle: Vehicle, ahead: Vehicle | None) -> None:
        breed, speed = vehicle.breed, vehicle.speed_mps
        wish = wished(vehicle)
        ratio = speed / wish
        free = breed.gain_mps2 * (1.0 - ratio * ratio * ratio * ratio)
        chosen = max(free, -2.5)
        gap, pace = self._leader(vehicle, ahead)
        if gap < 90.0:
            chosen = min(chosen, following(breed, free, speed, gap, pace, breed.space_m))
        horizon = vehicle.front_m + speed * speed / 4.0 + speed * 0.6 + 4.0
        stop = self._stop(vehicle, horizon, (vehicle.front_m + gap, pace))
        if stop is not None and stop < horizon:
            left = stop - vehicle.front_m
            chosen = min(chosen, following(breed, free, speed, left, 0.0, _STAND_M))
            if speed * speed > 4.0 * left:  # 2 m/s² no longer suffice
                chosen = min(chosen, -speed * speed / (2.0 * max(left - 0.05, 0.05)))
        vehicle.acceleration = max(chosen, -HARD_MPS2)
        after = max(0.0, speed + max(vehicle.acceleration, 0.0) * STEP_S)
        committed = vehicle.front_m + after * STEP_S + after * after / (2.0 * _FIRM_MPS2) + 0.3
        vehicle.committed_m = self._reach(vehicle, committed, stop)
        vehicle.waited_s = vehicle.waited_s + STEP_S if speed < 0.5 else 0.0

    def _reach(self, vehicle: Vehicle, committed: float, stop: float | None) -> float:
        """As far as it is committed: who enters what has to be kept clear is committed to all that it has to pass to leave it again."""
        limit = committed + _FORESIGHT_M if stop is None else stop
        committed = min(committed, limit)
        tail, until = vehicle.tail_m, 0.0
        for zone in self._meetings[vehicle.number].zones:
            if zone.enter_m >= max(committed, min(until, limit)):
                break
            committed = max(committed, zone.enter_m + 0.01)
            if zone.keep_clear and zone.leave_m > tail:
                until = max(until, zone.leave_m + vehicle.person.length_m + 0.5)
        return max(vehicle.front_m, committed)

    def _leader(self, vehicle: Vehicle, ahead: Vehicle | None) -> tuple[float, float]:
        """The gap to the nearest tail ahead, and how fast it moves."""
        front = vehicle.front_m
        gap, pace = (1e9, 0.0) if ahead is None else (ahead.tail_m - front, ahead.speed_mps)
        met = self._meetings[vehicle.number]
        for other, until in met.parts:
            for rival in reversed(self._on[other]):
                if rival.front_m > front or (rival.front_m == front and rival.person.id < vehicle.person.id):
                    if rival.tail_m < until and rival.tail_m - front < gap:
                        gap, pace = rival.tail_m - front, rival.speed_mps
                    break
        for other, begin, theirs in met.joins:
            for rival in reversed(self._on[other]):
                place = rival.front_m - theirs
                if place > 0.0 and place + begin > front:
                    if place + begin - rival.person.length_m - front < gap:
                        gap, pace = place + begin - rival.person.length_m - front, rival.speed_mps
                    break
        return gap, pace

    def _stop(self, vehicle: Vehicle, horizon: float, leader: tuple[float, float]) -> float | None:
        """How far along it has to stop, if it has to within the horizon or soon after. `leader`: where the tail ahead is, and its speed."""
        route = vehicle.route
        zones = self._meetings[vehicle.number].zones
        if route.signal and vehicle.committed_m <= route.stop_m < horizon and not (self._may_pass(vehicle) and self._emptied(route, zones)):
            return route.stop_m
        tail = vehicle.tail_m
        for index, zone in enumerate(zones):
            if zone.enter_m >= horizon + _FORESIGHT_M:
                break
            if zone.leave_m <= tail or zone.enter_m < vehicle.committed_m:
                continue
            if _full(vehicle, zone, leader) or self._barred(vehicle, zone):
                return _before(vehicle, zones, index)
        return None

    def _may_pass(self, vehicle: Vehicle) -> bool:
        color = self._colors[vehicle.route.signal]
        if color == "amber":
            left = vehicle.route.stop_m - vehicle.front_m
            return vehicle.speed_mps * vehicle.speed_mps > 2.0 * _FIRM_MPS2 * max(left, 0.0)
        return color == "green"

    def _emptied(self, route: Route, zones: Sequence[Zone]) -> bool:
        """Whether those who had green before are out of the way, vehicles and people: who came to a stop among them would hold them up in turn."""
        for zone in zones:
            if zone.on_foot:
                if not route.turn and self._walked(zone, 2.0):
                    return False
            elif not zone.keep_clear:
                for rival in self._on[zone.other]:
                    if rival.committed_m > rival.route.stop_m and rival.tail_m < zone.their_leave_m:
                        return False
        return True

    def _barred(self, vehicle: Vehicle, zone: Zone) -> bool:
        way = zone.leave_m + vehicle.person.length_m - vehicle.front_m
        clear_s = way / vehicle.speed_mps if vehicle.speed_mps > 4.0 else sqrt(way / 0.6)
        if zone.on_foot:
            return self._walked(zone, 0.0 if _insists(vehicle) else clear_s)
        if zone.other == vehicle.number:
            return False
        if _held(self._on[zone.other], zone.their_enter_m, zone.their_leave_m):
            return True
        if not zone.yields or vehicle.waited_s > _PATIENCE_S:
            return False
        return any(self._comes(rival, zone, clear_s + _GAP_S) for rival in self._on[zone.other])

    def _comes(self, rival: Vehicle, zone: Zone, within_s: float) -> bool:
        """Whether someone with priority will be in the zone before then."""
        left = zone.their_enter_m - rival.front_m
        if left < 0.0 or left > 70.0:
            return False
        route = rival.route
        if route.signal and rival.committed_m <= route.stop_m and self._colors[route.signal] != "green":
            return False
        return left < rival.speed_mps * within_s + 0.5 * within_s * within_s * (1.0 if rival.speed_mps < 4.0 else 0.0)

    def _walked(self, zone: Zone, within_s: float) -> bool:
        """Whether anybody is on foot where the route crosses, or will be before the vehicle has gone."""
        for at, speed in self._on_foot[zone.other]:
            away = at - zone.at
            if -zone.reach_m < away < zone.reach_m:
                return True
            left = -away - zone.reach_m if away < 0.0 else away - zone.reach_m
            if speed * away < 0.0 and left < abs(speed) * within_s:
                return True
        return False


def _held(line: Sequence[Vehicle], enter_m: float, leave_m: float) -> bool:
    return any(rival.committed_m > enter_m and rival.tail_m < leave_m for rival in line)


def _full(vehicle: Vehicle, zone: Zone, leader: tuple[float, float]) -> bool:
    """Whether it would have to stop within: on a crossing behind who stands, and where nobody may stop behind who might."""
    tail, pace = leader
    if zone.on_foot:
        tail += 0.0 if pace < 1.5 else 1e9
    elif zone.other == vehicle.number:
        tail += pace * pace / (2.0 * _FIRM_MPS2)
    else:
        return False
    return tail - zone.leave_m < vehicle.person.length_m + vehicle.breed.space_m


def _insists(vehicle: Vehicle) -> bool:
    """Stuck beyond its stop line, where it is in everybody's way."""
    return bool(vehicle.route.signal) and vehicle.waited_s > _PATIENCE_S and vehicle.committed_m > vehicle.route.stop_m


def _asks(vehicle: Vehicle, zone: Zone) -> bool:
    return _insists(vehicle) and 0.0 < zone.enter_m - vehicle.front_m < 16.0


def _before(vehicle: Vehicle, zones: Sequence[Zone], index: int) -> float:
    """Where to stop for zone `index`: not within one before it that has to be kept clear."""
    stop = zones[index].enter_m
    for zone in reversed(zones[:index]):
        if zone.keep_clear and zone.enter_m >= vehicle.committed_m and zone.leave_m + vehicle.person.length_m + 0.5 > stop:
            stop = min(stop, zone.enter_m)
    return stop
