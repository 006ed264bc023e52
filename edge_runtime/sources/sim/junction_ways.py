"""Who goes where at the junction. Written for the eastern and the northern arm; the western and the southern are the same, turned by 180°."""

from __future__ import annotations

from itertools import pairwise

from edge_runtime.sources.sim import junction as ground
from edge_runtime.sources.sim.network import Bend, Crossing, Entry, Gate, Network, Route, Walk
from edge_runtime.sources.sim.paths import Path, rounded
from edge_runtime.sources.sim.shapes import arc
from edge_runtime.sources.sim.signals import JUNCTION
from edge_runtime.sources.sim.street import Point

_EAST_M, _WEST_M, _NORTH_M, _SOUTH_M = 78.0, 80.0, 106.0, 70.0  # where the world ends: hidden, or outside the picture
_MAIN_MPS, _SIDE_MPS, _CYCLE_MPS = 13.9, 11.1, 5.0
_WIDE_M, _TURNING_M, _NARROW_M = 1.3, 1.3, 0.55  # half-widths, see Route
_STAND_M = 0.6  # before the stop line
_KEPT_Y = 11.2  # from the northern stop line to there nobody stops: the side road is counted there

_INNER, _OUTER = ground.MAIN_LANES
_MAIN_CYCLE, _SIDE, _SIDE_CYCLE = ground.MAIN_CYCLE, ground.SIDE_LANE, ground.SIDE_CYCLE

_MIXED = (("car", 72.0), ("van", 9.0), ("truck", 5.0), ("bus", 5.0), ("motorcycle", 9.0))  # what is long keeps to the right
_LIGHT = (("car", 82.0), ("van", 9.0), ("motorcycle", 9.0))
_BICYCLES = (("bicycle", 1.0),)


def _route(name: str, points: tuple[Point, ...], turned: bool, turn: int, bend: float) -> Route:
    """`name`: arm-lane-way, as in "east-inner-straight"; `bend`: the radius of its turn, 0 if it goes straight on."""
    arm, lane, _ = name.split("-")
    if turned:
        points = tuple((-x, -y) for x, y in points)
    path = Path(points)
    main, cycle = arm in ("east", "west"), lane == "cycle"
    stop_x = ground.CYCLE_STOP_X if cycle else ground.STOP_X
    stop = {"east": (stop_x, 0.0), "north": (0.0, ground.STOP_NORTH), "west": (-stop_x, 0.0), "south": (0.0, -ground.STOP_SOUTH)}[arm]
    first = points[0]
    until = abs(first[0] - stop[0]) if main else abs(first[1] - stop[1])
    slow = None
    if bend:
        enter = abs(points[1][0] - first[0]) if main else abs(points[1][1] - first[1])
        slow = Bend(enter, enter + 1.57 * bend, 3.4 if cycle else min(5.6, 0.62 * bend))
    return Route(
        name=name,
        lane=f"{arm}-{lane}",
        way_out=f"{points[-1][0]:.2f},{points[-1][1]:.2f}",
        path=path,
        limit_mps=_CYCLE_MPS if cycle else _MAIN_MPS if main else _SIDE_MPS,
        half_m=_NARROW_M if cycle else _TURNING_M if turn else _WIDE_M,
        signal=f"side-{arm}" if not main else f"cycle-{arm}" if cycle else f"main-{arm}",
        stop_m=until - _STAND_M,
        phase="main" if main else "side",
        rank={0: 2, 1: 1, -1: 0}[turn],
        turn=turn,
        bend=slow,
        keep_m=(until + 0.2, first[1] - _KEPT_Y) if arm == "north" else None,
    )


def _main_routes(arm: str) -> list[Route]:
    """Those of one arm of the main road; written for the eastern arm."""
    turned = arm == "west"
    start, end = (_WEST_M, _EAST_M) if turned else (_EAST_M, _WEST_M)
    away = _NORTH_M if not turned else _SOUTH_M  # where right turns end
    across = _SOUTH_M if not turned else _NORTH_M  # and left turns
    left, right, close = 8.35, 9.25, 5.0
    return [
        _route(f"{arm}-inner-straight", ((start, _INNER), (-end, _INNER)), turned, 0, 0.0),
        _route(f"{arm}-inner-left", ((start, _INNER), *arc((left, -left), 10.0, 90.0, 180.0, 16), (-_SIDE, -across)), turned, -1, 10.0),
        _route(f"{arm}-outer-straight", ((start, _OUTER), (-end, _OUTER)), turned, 0, 0.0),
        _route(f"{arm}-outer-right", ((start, _OUTER), *arc((right, 12.5), 7.6, 270.0, 180.0, 14), (_SIDE, away)), turned, 1, 7.6),
        _route(f"{arm}-cycle-straight", ((start, _MAIN_CYCLE), (-end, _MAIN_CYCLE)), turned, 0, 0.0),
        _route(f"{arm}-cycle-right", ((start, _MAIN_CYCLE), *arc((right, 12.45), close, 270.0, 180.0, 10), (_SIDE_CYCLE, away)), turned, 1, close),
    ]


def _side_routes(arm: str) -> list[Route]:
    """Those of one arm of the side road; written for the northern arm."""
    turned = arm == "south"
    start, end = (_SOUTH_M, _NORTH_M) if turned else (_NORTH_M, _SOUTH_M)
    left_end = _WEST_M if turned else _EAST_M
    right_end = _EAST_M if turned else _WEST_M
    left, right, close = 8.35, 9.25, 5.0
    return [
        _route(f"{arm}-lane-straight", ((-_SIDE, start), (-_SIDE, -end)), turned, 0, 0.0),
        _route(f"{arm}-lane-left", ((-_SIDE, start), *arc((left, left), 10.0, 180.0, 270.0, 16), (left_end, -_INNER)), turned, -1, 10.0),
        _route(f"{arm}-lane-right", ((-_SIDE, start), *arc((-right, 12.5), 7.6, 0.0, -90.0, 14), (-right_end, _OUTER)), turned, 1, 7.6),
        _route(f"{arm}-cycle-straight", ((-_SIDE_CYCLE, start), (-_SIDE_CYCLE, -end)), turned, 0, 0.0),
        _route(
            f"{arm}-cycle-right",
            ((-_SIDE_CYCLE, start), *arc((-right, 12.45), close, 0.0, -90.0, 10), (-right_end, _MAIN_CYCLE)),
            turned,
            1,
            close,
        ),
    ]


_CROSSINGS = (
    Crossing("east", ground.ZEBRA_X[0], -ground.MAIN_M, ground.ZEBRA_X[1], ground.MAIN_M, along_y=True),
    Crossing("west", -ground.ZEBRA_X[1], -ground.MAIN_M, -ground.ZEBRA_X[0], ground.MAIN_M, along_y=True),
    Crossing("south", -ground.SIDE_M, -ground.ZEBRA_Y[1], ground.SIDE_M, -ground.ZEBRA_Y[0], along_y=False),
)
_NUMBER = {crossing.name: number for number, crossing in enumerate(_CROSSINGS)}
_SIGNAL = ("walk-east-s", "walk-west-s", "walk-south-e")  # both heads of a crossing show the same
_KERB_M = 0.75  # people wait this far from the kerb

# Places on the pavements that walks lead through. The ends of a crossing begin with its name.
_PLACES: dict[str, Point] = {
    "E-south": (62.0, -11.5),
    "E-north": (62.0, 11.5),
    "W-south": (-62.0, -11.5),
    "W-north": (-62.0, 11.5),
    "N-east": (8.4, 104.0),
    "N-west": (-8.4, 104.0),
    "S-east": (7.8, -62.0),
    "S-west": (-7.8, -62.0),
    "se": (8.4, -11.9),
    "ne": (8.9, 11.8),
    "sw": (-8.4, -11.9),
    "nw": (-8.6, 11.8),
    "east-s": (11.35, -11.2),
    "east-n": (11.35, 11.4),
    "west-s": (-11.35, -11.2),
    "west-n": (-11.35, 11.4),
    "south-e": (8.0, -14.65),
    "south-w": (-8.0, -14.65),
}
_ROOM_M = 1.35

# (through which places, people a minute at density 1); each is walked both ways.
_WALKS: tuple[tuple[str, float], ...] = (
    ("E-south se S-east", 1.8),
    ("E-south east-s east-n ne N-east", 2.0),
    ("E-north east-n east-s E-south", 1.4),
    ("S-east se east-s east-n E-north", 1.9),
    ("W-south sw south-w south-e se E-south", 2.2),
    ("E-north ne N-east", 1.2),
    ("W-north nw N-west", 0.8),
    ("W-south west-s west-n W-north", 0.4),
    ("W-south sw south-w south-e se east-s east-n E-north", 0.8),
    ("S-west sw west-s west-n nw N-west", 0.6),
)


def _walk(places: tuple[str, ...], per_minute: float) -> Walk:
    path = Path(rounded([_PLACES[place] for place in places], 2.4))
    gates = []
    for before, after in pairwise(places):
        name = before.split("-")[0]
        number = _NUMBER.get(name)
        if number is not None and after.split("-")[0] == name:
            gates.append(_gate(path, number, _PLACES[before], _PLACES[after]))
    return Walk(path, _ROOM_M, per_minute, tuple(gates))


def _gate(path: Path, number: int, before: Point, after: Point) -> Gate:
    """Kerb to kerb."""
    if _CROSSINGS[number].along_y:
        kerb = ground.MAIN_M if after[1] > before[1] else -ground.MAIN_M
        ends = (before[0], -kerb), (before[0], kerb)
    else:
        kerb = ground.SIDE_M if after[0] > before[0] else -ground.SIDE_M
        ends = (-kerb, before[1]), (kerb, before[1])
    return Gate(number, path.nearest(ends[0]) - _KERB_M, path.nearest(ends[1]) + 0.5, _SIGNAL[number])


def _walks() -> tuple[Walk, ...]:
    named = [(tuple(line.split()), rate / 2) for line, rate in _WALKS]
    return tuple(_walk(way, rate) for places, rate in named for way in (places, places[::-1]))


NETWORK = Network(
    routes=(*_main_routes("east"), *_main_routes("west"), *_side_routes("north"), *_side_routes("south")),
    entries=(
        *(Entry(f"{arm}-inner", 5.5, _LIGHT, 0.16) for arm in ("east", "west")),
        *(Entry(f"{arm}-outer", 7.0, _MIXED, 0.16) for arm in ("east", "west")),
        *(Entry(f"{arm}-cycle", 2.6, _BICYCLES, 0.12) for arm in ("east", "west")),
        *(Entry(f"{arm}-lane", 4.5, _LIGHT, 0.4) for arm in ("north", "south")),
        *(Entry(f"{arm}-cycle", 1.5, _BICYCLES, 0.15) for arm in ("north", "south")),
    ),
    crossings=_CROSSINGS,
    walks=_walks(),
    programme=JUNCTION,
)
