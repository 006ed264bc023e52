"""Where two routes meet, found once per network from how far apart they run.

part    of one lane: whoever is ahead leads, until its tail is past `until_m`, where the routes are far enough apart
join    to one exit: from `from_m` on (`their_m` of the other) whoever is ahead leads
cross   neither: a zone, [enter_m, leave_m] of the one and of the other, that belongs to one of them at a time. A join has one before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.network import Crossing, Network, Route

_CLEAR_M = 0.35  # between two bodies that pass
_SAME_M = 0.06  # apart, and yet one line
_WALKER_M = 0.3


@dataclass(frozen=True, slots=True)
class Zone:
    """What a route shares with another route, or with a crossing."""

    enter_m: float
    leave_m: float
    other: int  # route; or crossing, if `on_foot`; or its own route, where it is only kept clear
    their_enter_m: float = 0.0
    their_leave_m: float = 0.0
    yields: bool = False  # to whoever comes on the other route
    keep_clear: bool = False  # nobody stops within
    on_foot: bool = False
    at: float = 0.0  # on foot: where across the crossing the route runs
    reach_m: float = 0.0  # and how far to either side it takes up


@dataclass(frozen=True, slots=True)
class Meetings:
    """All that one route has to heed."""

    parts: tuple[tuple[int, float], ...]  # (other route, until_m)
    joins: tuple[tuple[int, float, float], ...]  # (other route, from_m, their_m)
    zones: tuple[Zone, ...]  # in the order in which they come


def meetings(network: Network) -> tuple[Meetings, ...]:
    """One for each route."""
    return tuple(_of(index, network) for index in range(len(network.routes)))


def _of(index: int, network: Network) -> Meetings:
    route = network.routes[index]
    parts, joins, zones = [], [], []
    for number, other in enumerate(network.routes):
        if number == index:
            continue
        if other.lane == route.lane:
            parts.append((number, _until(route, other)))
            continue
        join = _join(route, other) if other.way_out == route.way_out else None
        if join is not None:
            joins.append((number, *join))
        zone = _zone(route, number, other, join)
        if zone is not None:
            zones.append(zone)
    zones += [zone for number, crossing in enumerate(network.crossings) if (zone := _on_foot(route, number, crossing)) is not None]
    if route.keep_m is not None:
        zones.append(Zone(*route.keep_m, other=index, keep_clear=True))
    return Meetings(tuple(parts), tuple(joins), tuple(sorted(zones, key=lambda zone: (zone.enter_m, zone.on_foot, zone.other))))


def _until(route: Route, other: Route) -> float:
    """Routes of one lane: as far as they run closer than two bodies need."""
    ours, theirs = route.path.samples(), other.path.samples()
    count = min(len(ours), len(theirs))
    apart = ((ours[:count] - theirs[:count]) ** 2).sum(axis=1) >= (route.half_m + other.half_m + _CLEAR_M) ** 2
    return float(np.argmax(apart)) / 2 if apart.any() else float(count) / 2 + 100.0


def _join(route: Route, other: Route) -> tuple[float, float]:
    """Routes to one exit: how far along each their common line begins."""
    ours, theirs = route.path.samples(), other.path.samples()
    hx, hy = route.path.heading(route.path.length_m)
    starts = []
    for places in (ours, theirs):
        away = places - ours[-1]
        off = np.flatnonzero(np.abs(away[:, 1] * hx - away[:, 0] * hy) > _SAME_M)
        first = int(off[-1]) + 1 if len(off) else 0
        starts.append((first, float(away[first, 0] * hx + away[first, 1] * hy)))
    begin = max(ahead for _, ahead in starts)
    mine, their = (first / 2 + begin - ahead for first, ahead in starts)
    return mine, their


def _zone(route: Route, number: int, other: Route, join: tuple[float, float] | None) -> Zone | None:
    ours, theirs = route.path.samples(), other.path.samples()
    if join is not None:
        ours, theirs = ours[: round(join[0] * 2) + 1], theirs[: round(join[1] * 2) + 1]
    apart = route.half_m + other.half_m + _CLEAR_M
    mine, their = _around(ours, theirs, apart), _around(theirs, ours, apart)
    close = ((ours[mine][:, None] - theirs[their][None]) ** 2).sum(axis=2) < apart * apart
    if not close.any():
        return None
    mine, their = mine[close.any(axis=1)], their[close.any(axis=0)]
    together = route.phase == other.phase
    return Zone(
        enter_m=float(mine[0]) / 2 - 0.5,
        leave_m=float(mine[-1]) / 2 + 0.5,
        other=number,
        their_enter_m=float(their[0]) / 2 - 0.5,
        their_leave_m=float(their[-1]) / 2 + 0.5,
        yields=together and route.rank < other.rank,
        keep_clear=together,
    )


def _around(places: NDArray[np.float64], others: NDArray[np.float64], apart: float) -> NDArray[np.int64]:
    """Which of the places may be that near to any of the others: those in their box."""
    low, high = others.min(axis=0) - apart, others.max(axis=0) + apart
    return np.flatnonzero(((places > low) & (places < high)).all(axis=1)).astype(np.int64)


def _on_foot(route: Route, number: int, crossing: Crossing) -> Zone | None:
    places = route.path.samples()
    within = (places[:, 0] > crossing.x0) & (places[:, 0] < crossing.x1) & (places[:, 1] > crossing.y0) & (places[:, 1] < crossing.y1)
    if not within.any():
        return None
    steps = np.flatnonzero(within)
    middle = places[steps].mean(axis=0)
    return Zone(
        enter_m=float(steps[0]) / 2 - 1.0,
        leave_m=float(steps[-1]) / 2 + 1.0,
        other=number,
        keep_clear=True,
        on_foot=True,
        at=float(middle[1] if crossing.along_y else middle[0]),
        reach_m=route.half_m + _WALKER_M + _CLEAR_M,
    )
