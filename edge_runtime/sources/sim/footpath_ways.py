"""Who goes where on the promenade: along it, and across its cycle track to the square and the passage behind."""

from __future__ import annotations

from edge_runtime.sources.sim import footpath as ground
from edge_runtime.sources.sim.network import Crossing, Entry, Gate, Network, Route, Walk
from edge_runtime.sources.sim.paths import Path, rounded
from edge_runtime.sources.sim.signals import STEADY
from edge_runtime.sources.sim.street import Point

_WEST_M, _EAST_M = -30.0, 100.0
_FAR_Y, _NEAR_Y = 4.2, -4.2
_ROOM_M = 1.7
_PASSAGE: tuple[Point, ...] = ((14.2, 17.0), (14.2, 38.0))
_CROSSING = Crossing("track", 16.6, -ground.TRACK_M, 20.4, ground.TRACK_M, along_y=True)
_CROSS_X = 18.5


def _cycling(name: str, y: float) -> Route:
    ends = ((_WEST_M, y), (_EAST_M, y)) if y < 0 else ((_EAST_M, y), (_WEST_M, y))
    return Route(name, lane=name, way_out=name, path=Path(ends), limit_mps=4.6, half_m=0.55)


def _both(corners: tuple[Point, ...], per_minute: float, room_m: float = _ROOM_M, rest: Point | None = None) -> tuple[Walk, Walk]:
    ways = []
    for way in (corners, corners[::-1]):
        path = Path(rounded(way, 4.0))
        gates: tuple[Gate, ...] = ()
        if (_CROSS_X, _NEAR_Y) in way and way.index((_CROSS_X, _NEAR_Y)) not in (0, len(way) - 1):
            north = way[0][1] < way[-1][1]
            kerb = ground.TRACK_M if north else -ground.TRACK_M
            gates = (Gate(0, path.nearest((_CROSS_X, -kerb)) - 0.7, path.nearest((_CROSS_X, kerb)) + 0.5),)
        ways.append(Walk(path, room_m, per_minute / 2, gates, 0.0 if rest is None else path.nearest(rest)))
    return ways[0], ways[1]


NETWORK = Network(
    routes=(_cycling("cycle-eastbound", -ground.CYCLE), _cycling("cycle-westbound", ground.CYCLE)),
    entries=(Entry("cycle-eastbound", 5.0, (("bicycle", 1.0),)), Entry("cycle-westbound", 5.0, (("bicycle", 1.0),))),
    crossings=(_CROSSING,),
    walks=(
        *_both(((_WEST_M, _FAR_Y), (80.0, _FAR_Y)), 8.0),
        *_both(((_WEST_M, _NEAR_Y), (50.0, _NEAR_Y)), 7.0),
        *_both(((_WEST_M, _FAR_Y), (9.0, _FAR_Y), *_PASSAGE), 2.5, 1.2),
        *_both(((80.0, _FAR_Y), (24.0, _FAR_Y), *_PASSAGE), 3.0, 1.2, rest=(16.4, 14.0)),
        *_both(((50.0, _NEAR_Y), (_CROSS_X, _NEAR_Y), (_CROSS_X, 6.0), *_PASSAGE), 2.5, 1.2),
        *_both(((_WEST_M, _NEAR_Y), (_CROSS_X, _NEAR_Y), (_CROSS_X, 6.0), *_PASSAGE), 2.0, 1.2),
    ),
    programme=STEADY,
)
