"""`sim:road`: a street with one lane each way and cycle lanes, traffic at 50 km/h, seen from a lamp post beside it. People keep to the right.

██████████████████████████████████████████   houses
─ pavement ───────────────────────────────   y   5.5 … 10
  ← cycle lane                               y   4.4
  ← lane                                     y   1.75
╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
  lane →                                     y  -1.75
  cycle lane →                               y  -4.4
─ pavement ───────────────────────────────   y -10 … -5.5
   grass      ◉ camera
"""

from __future__ import annotations

from edge_runtime.sources.sim.shapes import rectangle, stroke
from edge_runtime.sources.sim.street import CountLine, Scene, View, Zone

KERB_M = 5.5
LANE = 1.75
CYCLE = 4.45
WALK_M = (6.7, 9.4)  # where people walk, from the middle of the road; farther from the camera
NEAR_WALK_M = (6.6, 9.2)
WEST_M, EAST_M = -70.0, 170.0

SCENE = Scene(
    name="road",
    view=View(eye=(-4.0, -15.0, 8.5), yaw_deg=42.0, pitch_deg=20.0, hfov_deg=70.0),
    carriageways=(rectangle(WEST_M, -KERB_M, EAST_M, KERB_M),),
    pavements=(rectangle(WEST_M, KERB_M, EAST_M, 10.2), rectangle(WEST_M, -10.2, EAST_M, -KERB_M)),
    cycleways=(rectangle(WEST_M, 3.6, EAST_M, KERB_M - 0.1), rectangle(WEST_M, -KERB_M + 0.1, EAST_M, -3.6)),
    greens=(rectangle(WEST_M, -40.0, EAST_M, -10.2),),
    markings=(
        stroke(WEST_M, 0.0, EAST_M, 0.0, 0.12, 3.0),
        stroke(WEST_M, 3.5, EAST_M, 3.5, 0.2),
        stroke(WEST_M, -3.5, EAST_M, -3.5, 0.2),
    ),
    buildings=(
        rectangle(-40.0, 10.4, -24.0, 24.0),
        rectangle(-24.0, 11.0, -8.0, 25.0),
        rectangle(-8.0, 10.4, 9.0, 24.0),
        rectangle(9.0, 10.4, 24.0, 26.0),
        rectangle(24.0, 11.2, 42.0, 25.0),
        rectangle(42.0, 10.4, 58.0, 24.0),
        rectangle(58.0, 10.8, 80.0, 26.0),
        rectangle(80.0, 10.4, 104.0, 24.0),
        rectangle(104.0, 10.4, 140.0, 26.0),
        rectangle(140.0, 10.4, 180.0, 26.0),
        rectangle(52.0, -30.0, 90.0, -12.0),
        rectangle(90.0, -30.0, 150.0, -11.0),
    ),
    trees=((-10.0, 6.2), (1.0, 6.2), (12.0, 6.2), (23.0, 6.2), (34.0, 6.2), (45.0, 6.2), (56.0, 6.2), (67.0, 6.2), (40.0, -13.0), (49.0, -12.6)),
    lamps=((6.5, 6.0), (28.5, 6.0), (50.5, 6.0), (72.5, 6.0)),
    signals=(),
    lines=(
        CountLine("road", ((0.63, 0.625), (0.386, 0.449)), "eastbound", "westbound"),
        CountLine("pavement", ((0.744, 0.887), (0.551, 0.71)), "eastbound", "westbound"),
    ),
    zones=(Zone("carriageway", ((0.422, 0.757), (0.804, 0.459), (0.595, 0.37), (0.231, 0.531))),),
)
