"""`sim:footpath`: a promenade with a cycle track along its middle, and a small square without cars. People keep to the right.

████████████┐ ↕ ┌████████████████   a passage between the houses, hidden from the camera after a few steps
            │   │
 grass    square, trees    grass    y   6.5 … 20
─ walk ──────────────────────────   y   1.8 … 6.5
  ← cycle track →                   y  -1.8 … 1.8
─ walk ──────────────────────────   y  -6.5 … -1.8
     ◉ camera
"""

from __future__ import annotations

from edge_runtime.sources.sim.shapes import rectangle, stroke
from edge_runtime.sources.sim.street import CountLine, Scene, View, Zone

TRACK_M = 1.8
CYCLE = 0.9
WALK_M = (2.5, 5.9)  # where people walk, from the middle of the track
PASSAGE_X = (12.0, 16.0)
FRONT_M = 20.0  # of the houses
WEST_M, EAST_M = -60.0, 120.0

SCENE = Scene(
    name="footpath",
    view=View(eye=(0.0, -11.0, 6.5), yaw_deg=35.0, pitch_deg=22.0, hfov_deg=70.0),
    carriageways=(),
    pavements=(
        rectangle(WEST_M, TRACK_M, EAST_M, 6.5),
        rectangle(WEST_M, -6.5, EAST_M, -TRACK_M),
        rectangle(6.0, 6.5, 28.0, FRONT_M),
        rectangle(PASSAGE_X[0], FRONT_M, PASSAGE_X[1], 44.0),
    ),
    cycleways=(rectangle(WEST_M, -TRACK_M, EAST_M, TRACK_M),),
    greens=(
        rectangle(WEST_M, 6.5, 6.0, FRONT_M),
        rectangle(28.0, 6.5, EAST_M, FRONT_M),
        rectangle(WEST_M, -40.0, EAST_M, -6.5),
    ),
    markings=(
        stroke(WEST_M, 0.0, EAST_M, 0.0, 0.1, 1.5),
        stroke(WEST_M, TRACK_M - 0.1, EAST_M, TRACK_M - 0.1, 0.12),
        stroke(WEST_M, -TRACK_M + 0.1, EAST_M, -TRACK_M + 0.1, 0.12),
    ),
    buildings=(
        rectangle(-30.0, FRONT_M, -14.0, 34.0),
        rectangle(-14.0, 20.6, -2.0, 36.0),
        rectangle(-2.0, FRONT_M, PASSAGE_X[0], 46.0),
        rectangle(PASSAGE_X[1], FRONT_M, 31.0, 46.0),
        rectangle(31.0, 21.0, 48.0, 36.0),
        rectangle(48.0, FRONT_M, 68.0, 36.0),
        rectangle(68.0, FRONT_M, 96.0, 36.0),
        rectangle(96.0, FRONT_M, 140.0, 36.0),
    ),
    trees=((3.0, 9.0), (3.5, 15.5), (22.5, 17.0), (26.5, 10.0), (33.0, 9.0), (42.0, 9.5), (52.0, 9.0), (64.0, 9.5), (35.0, 15.0)),
    lamps=((5.4, 7.0), (28.6, 7.0), (48.0, 7.0), (72.0, 7.0)),
    signals=(),
    lines=(
        CountLine("promenade", ((0.784, 0.827), (0.352, 0.386)), "eastbound", "westbound"),
        CountLine("square", ((0.403, 0.334), (0.609, 0.275)), "southbound", "northbound"),
    ),
    zones=(Zone("square", ((0.309, 0.361), (0.665, 0.258), (0.534, 0.192), (0.253, 0.246))),),
)
