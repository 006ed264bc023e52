"""Who goes where on the road: straight on, all of them."""

from __future__ import annotations

from edge_runtime.sources.sim import road as ground
from edge_runtime.sources.sim.network import Entry, Network, Route, Walk
from edge_runtime.sources.sim.paths import Path
from edge_runtime.sources.sim.signals import STEADY

_MIXED = (("car", 72.0), ("van", 9.0), ("truck", 6.0), ("bus", 4.0), ("motorcycle", 9.0))
_WEST_M, _EAST_M = -45.0, 135.0  # outside the picture, or too far to be seen
_WALK_WEST_M, _WALK_EAST_M = -30.0, 125.0


def _route(name: str, y: float, limit_mps: float, half_m: float) -> Route:
    eastbound = y < 0
    ends = ((_WEST_M, y), (_EAST_M, y)) if eastbound else ((_EAST_M, y), (_WEST_M, y))
    return Route(name, lane=name, way_out=name, path=Path(ends), limit_mps=limit_mps, half_m=half_m)


def _walk(y: float, room_m: float, per_minute: float, eastbound: bool) -> Walk:
    ends = ((_WALK_WEST_M, y), (_WALK_EAST_M, y))
    return Walk(Path(ends if eastbound else ends[::-1]), room_m, per_minute)


def _pavement(span: tuple[float, float], side: int, per_minute: float) -> tuple[Walk, Walk]:
    middle, room = side * (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    return _walk(middle, room, per_minute, True), _walk(middle, room, per_minute, False)


NETWORK = Network(
    routes=(
        _route("eastbound", -ground.LANE, 13.9, 1.3),
        _route("westbound", ground.LANE, 13.9, 1.3),
        _route("cycle-eastbound", -ground.CYCLE, 5.2, 0.55),
        _route("cycle-westbound", ground.CYCLE, 5.2, 0.55),
    ),
    entries=(
        Entry("eastbound", 15.0, _MIXED),
        Entry("westbound", 15.0, _MIXED),
        Entry("cycle-eastbound", 4.0, (("bicycle", 1.0),)),
        Entry("cycle-westbound", 4.0, (("bicycle", 1.0),)),
    ),
    crossings=(),
    walks=(*_pavement(ground.NEAR_WALK_M, -1, 3.5), *_pavement(ground.WALK_M, 1, 3.0)),
    programme=STEADY,
)
