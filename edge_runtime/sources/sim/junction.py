"""`sim:junction`: a signalised junction of a main road and a side road, seen from a mast in the green south-east of it. People keep to the right.

          N │   ↓ │ ↑   │                  main road   two lanes each way, 3.25 m, and a cycle lane at the kerb
    █████   │   s │ n   │   █████          side road   one lane each way, 3.30 m, and a cycle lane at the kerb
 ───────────┘═════╪     └───────────       ▤           zebra, across every arm but the northern one
 ← cycle lane   ▤       ▤ ║                ═ ║         stop lines; on the main road that of the cycle lane lies 4 m ahead
 ← two lanes    ▤       ▤   ║
W───────────────▤───────▤──────────E       The eastern arm lies clear in the foreground: traffic is counted between its
 two lanes → ║  ▤       ▤                  stop lines and its zebra, where it never queues.
 cycle lane →  ║▤       ▤
 ───────────┐ ▤▤▤▤▤▤▤▤▤ ┌───────────
            │     ╪═════│     ◉ camera
            │   ↓ │ ↑   │
                  S
"""

from __future__ import annotations

from edge_runtime.sources.sim.shapes import arc, mirrored, rectangle, stroke, zebra
from edge_runtime.sources.sim.street import CountLine, Marking, Polygon, Scene, SignalHead, View, Zone

MAIN_M = 8.5  # from the middle of the main road to its kerb
SIDE_M = 5.2
CORNER_M = 4.0  # radius of the kerb
MAIN_LANES = (1.65, 4.9)  # middles of its lanes, from the middle of the road
MAIN_CYCLE = 7.45
SIDE_LANE = 1.65
SIDE_CYCLE = 4.25
ZEBRA_X = (9.6, 13.1)  # of the main road's arms, from the middle of the junction
ZEBRA_Y = (12.9, 16.4)  # of the southern arm
STOP_X = 18.8
CYCLE_STOP_X = 14.8  # cyclists wait ahead of the others, where these see them, and start before them
STOP_NORTH = 15.0
STOP_SOUTH = 18.0
REACH_M = 110.0  # as far as the ground is built
FRONTS = (10.2, 13.6)  # where buildings begin, x and y

_X, _Y = SIDE_M + CORNER_M, MAIN_M + CORNER_M  # centre of the kerb's corner


def _corner(x: bool, y: bool) -> tuple[Polygon, Polygon]:
    """Pavement and asphalt of one corner; north-east as written, the others mirrored."""
    bend = arc((_X, _Y), CORNER_M, 180.0, 270.0)
    pavement = (*bend, (REACH_M, MAIN_M), (REACH_M, FRONTS[1]), FRONTS, (FRONTS[0], REACH_M), (SIDE_M, REACH_M))
    asphalt = ((SIDE_M, MAIN_M), *reversed(bend))
    return mirrored(pavement, x, y), mirrored(asphalt, x, y)


_CORNERS = tuple(_corner(x, y) for x, y in ((False, False), (True, False), (False, True), (True, True)))


def _main_markings(side: int) -> list[Marking]:
    """One arm of the main road: -1 western, 1 eastern."""
    near, bend, far = side * STOP_X, side * 36.0, side * REACH_M
    lines = [stroke(near, 0.1, bend, 0.1), stroke(near, -0.1, bend, -0.1), stroke(bend, 0.0, far, 0.0, 0.12, 3.0)]
    for way in (-1, 1):
        lines += [stroke(near, way * 3.28, far, way * 3.28, 0.12, 3.0), stroke(near, way * 6.5, far, way * 6.5, 0.2)]
    lines.append(stroke(near, side * 0.1, near, side * 6.4, 0.4))
    lines.append(stroke(side * CYCLE_STOP_X, side * 6.6, side * CYCLE_STOP_X, side * (MAIN_M - 0.1), 0.4))
    return lines


def _side_markings(side: int, stop: float) -> list[Marking]:
    """One arm of the side road: -1 southern, 1 northern."""
    near, far = side * stop, side * REACH_M
    lines = [stroke(0.0, near, 0.0, near + side * 15.0), stroke(0.0, near + side * 15.0, 0.0, far, 0.12, 3.0)]
    lines += [stroke(way * 3.3, near, way * 3.3, far, 0.2) for way in (-1, 1)]
    lines.append(stroke(-side * 0.1, near, -side * (SIDE_M - 0.1), near, 0.4))
    return lines


def _through_markings() -> list[Marking]:
    """Where cyclists cross the mouths of the side road."""
    return [stroke(-_X, y, _X, y, 0.3, 0.5) for y in (-8.3, -6.5, 6.5, 8.3)]


_ZEBRAS = (
    *zebra(ZEBRA_X[0], -MAIN_M + 0.2, ZEBRA_X[1], MAIN_M - 0.2),
    *zebra(-ZEBRA_X[1], -MAIN_M + 0.2, -ZEBRA_X[0], MAIN_M - 0.2),
    *zebra(-SIDE_M + 0.2, -ZEBRA_Y[1], SIDE_M - 0.2, -ZEBRA_Y[0]),
)

SCENE = Scene(
    name="junction",
    view=View(eye=(21.0, -25.0, 11.5), yaw_deg=-22.0, pitch_deg=23.0, hfov_deg=66.0),
    carriageways=(
        rectangle(-REACH_M, -MAIN_M, REACH_M, MAIN_M),
        rectangle(-SIDE_M, -REACH_M, SIDE_M, REACH_M),
        *(asphalt for _, asphalt in _CORNERS),
    ),
    pavements=tuple(pavement for pavement, _ in _CORNERS),
    cycleways=(
        rectangle(CYCLE_STOP_X, 6.6, REACH_M, MAIN_M - 0.1),
        rectangle(CYCLE_STOP_X, -MAIN_M + 0.1, REACH_M, -6.6),
        rectangle(-REACH_M, 6.6, -CYCLE_STOP_X, MAIN_M - 0.1),
        rectangle(-REACH_M, -MAIN_M + 0.1, -CYCLE_STOP_X, -6.6),
        rectangle(3.4, STOP_NORTH, SIDE_M - 0.1, REACH_M),
        rectangle(-SIDE_M + 0.1, STOP_NORTH, -3.4, REACH_M),
        rectangle(3.4, -REACH_M, SIDE_M - 0.1, -STOP_SOUTH),
        rectangle(-SIDE_M + 0.1, -REACH_M, -3.4, -STOP_SOUTH),
    ),
    greens=(rectangle(FRONTS[0], -60.0, REACH_M, -FRONTS[1]),),
    markings=(
        *_main_markings(1),
        *_main_markings(-1),
        *_side_markings(1, STOP_NORTH),
        *_side_markings(-1, STOP_SOUTH),
        *_through_markings(),
        *_ZEBRAS,
    ),
    buildings=(
        rectangle(10.2, 13.6, 25.0, 29.0),
        rectangle(25.0, 14.2, 41.0, 28.0),
        rectangle(41.0, 13.6, 62.0, 30.0),
        rectangle(62.0, 14.0, 110.0, 30.0),
        rectangle(10.2, 29.0, 24.0, 50.0),
        rectangle(10.6, 50.0, 26.0, 78.0),
        rectangle(10.2, 78.0, 26.0, 112.0),
        rectangle(-27.0, 13.6, -10.2, 30.0),
        rectangle(-43.0, 14.4, -27.0, 28.0),
        rectangle(-64.0, 13.6, -43.0, 30.0),
        rectangle(-110.0, 14.0, -64.0, 30.0),
        rectangle(-25.0, 30.0, -10.6, 52.0),
        rectangle(-24.0, 52.0, -10.2, 82.0),
        rectangle(-26.0, 82.0, -10.4, 112.0),
        rectangle(-30.0, -32.0, -10.2, -13.6),
        rectangle(-64.0, -32.0, -30.0, -14.0),
        rectangle(-110.0, -32.0, -64.0, -13.6),
        rectangle(-30.0, 112.0, 30.0, 124.0),
    ),
    trees=(
        (24.5, 9.6),
        (34.0, 9.6),
        (44.0, 9.6),
        (-16.5, 9.6),
        (-25.5, 9.6),
        (-34.5, 9.6),
        (-44.0, 9.6),
        (-6.4, 27.0),
        (-6.4, 39.0),
        (-6.4, 51.0),
        (6.4, 34.0),
        (6.4, 46.0),
        (6.4, 58.0),
    ),
    lamps=((19.5, 9.2), (-12.0, 9.2), (-30.0, 9.2), (-5.9, 21.0), (5.9, 40.0), (39.0, 9.2)),
    signals=(
        SignalHead("main-east", (18.2, 9.1), (1.0, 0.0)),
        SignalHead("main-west", (-18.2, -9.1), (-1.0, 0.0)),
        SignalHead("cycle-east", (14.2, 9.1), (1.0, 0.0), for_cyclists=True),
        SignalHead("cycle-west", (-14.2, -9.1), (-1.0, 0.0), for_cyclists=True),
        SignalHead("side-north", (-5.8, 13.0), (0.0, 1.0)),
        SignalHead("side-south", (5.8, -17.6), (0.0, -1.0)),
        SignalHead("walk-east-n", (13.5, 9.1), (0.0, -1.0), for_walkers=True),
        SignalHead("walk-east-s", (9.1, -9.2), (0.0, 1.0), for_walkers=True),
        SignalHead("walk-west-n", (-9.1, 9.2), (0.0, -1.0), for_walkers=True),
        SignalHead("walk-west-s", (-13.5, -9.1), (0.0, 1.0), for_walkers=True),
        SignalHead("walk-south-e", (5.8, -12.6), (-1.0, 0.0), for_walkers=True),
        SignalHead("walk-south-w", (-5.8, -16.8), (1.0, 0.0), for_walkers=True),
    ),
    lines=(
        CountLine("main-road", ((0.497, 0.696), (0.642, 0.366)), "eastbound", "westbound"),
        CountLine("side-road", ((0.3, 0.28), (0.487, 0.316)), "southbound", "northbound"),
        CountLine("zebra", ((0.358, 0.581), (0.496, 0.629)), "southbound", "northbound"),
        CountLine("pavement", ((0.526, 0.95), (0.584, 0.759)), "eastbound", "westbound"),
    ),
    zones=(
        Zone("junction", ((0.04, 0.44), (0.362, 0.557), (0.539, 0.35), (0.297, 0.302))),
        Zone("approach", ((0.621, 0.471), (0.852, 0.53), (0.844, 0.417), (0.661, 0.38))),
    ),
)
