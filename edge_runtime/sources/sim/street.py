"""The vocabulary of the simulated street: what stands there, who moves, and from where it is seen.

Ground coordinates in metres, z up; pictures in pixels or in fractions of width and height:

        y (north)                      camera at `eye`, looking along `yaw` (0 = +y, clockwise, seen from above),
        ▲                              tilted down by `pitch`; `hfov` is the horizontal field of view
        │   ▂▂▂▂▂▂▂▂▂▂▂
        │   road, along +x or +y
        └───────────► x (east)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Point = tuple[float, float]  # metres on the ground, or fractions of a picture where said so
Polygon = tuple[Point, ...]

# What moves, and the class that a detector is expected to call it. A rider belongs to the vehicle: one box, one count.
LABEL_OF: Mapping[str, str] = {
    "car": "car",
    "van": "car",
    "bus": "bus",
    "truck": "truck",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
    "pedestrian": "person",
}
# Which classes are counted together; in this order people read them.
GROUP_OF: Mapping[str, str] = {
    "car": "vehicles",
    "bus": "vehicles",
    "truck": "vehicles",
    "motorcycle": "two-wheelers",
    "bicycle": "two-wheelers",
    "person": "pedestrians",
}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(GROUP_OF.values()))


@dataclass(frozen=True, slots=True)
class RoadUser:
    """One road user at one moment. `x_m`, `y_m` is the centre of its footprint; `heading` the unit vector it points along."""

    id: int  # unique in a world, from 1, never used again
    kind: str  # a key of LABEL_OF
    x_m: float
    y_m: float
    heading: Point
    speed_mps: float
    length_m: float
    width_m: float
    height_m: float
    style: int  # seeds colour, body variant and clothing
    travelled_m: float  # since it appeared: turns wheels and moves legs
    braking: bool = False
    indicator: int = 0  # -1 left, 0 none, 1 right
    lean: float = 0.0  # of two-wheelers in a curve, -1 to 1

    @property
    def label(self) -> str:
        return LABEL_OF[self.kind]


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that moves or changes, at `time_s` after the scene began."""

    time_s: float
    users: tuple[RoadUser, ...]
    signals: Mapping[str, str]  # name of a signal head -> "red" | "amber" | "green"


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera stands: `eye` in metres (x, y, height), angles in degrees."""

    eye: tuple[float, float, float]
    yaw_deg: float
    pitch_deg: float
    hfov_deg: float


@dataclass(frozen=True, slots=True)
class Marking:
    """Paint on the road: a line (dashed when `dash_m` > 0: dash and gap of that length) of `width_m`, or a filled polygon where `width_m` is 0."""

    points: tuple[Point, ...]
    width_m: float = 0.12
    dash_m: float = 0.0


@dataclass(frozen=True, slots=True)
class SignalHead:
    """A traffic light: where its pole stands, and which way it faces (unit vector towards whom it stops)."""

    name: str
    at: Point
    facing: Point
    for_walkers: bool = False  # two small lamps, no amber
    for_cyclists: bool = False  # three small ones, at their height


@dataclass(frozen=True, slots=True)
class CountLine:
    """A counting line that suits the scene, as device.toml writes it: fractions of the picture, names of its two directions."""

    name: str
    points: tuple[Point, Point]
    forward: str
    backward: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that suits the scene, as device.toml writes it: fractions of the picture."""

    name: str
    polygon: Polygon


@dataclass(frozen=True, slots=True)
class Scene:
    """The ground as it is built. Polygons in metres; nothing here moves."""

    name: str
    view: View
    carriageways: tuple[Polygon, ...]  # asphalt
    pavements: tuple[Polygon, ...]  # slabs, a little above the asphalt
    cycleways: tuple[Polygon, ...]
    greens: tuple[Polygon, ...]  # grass
    markings: tuple[Marking, ...]
    buildings: tuple[Polygon, ...]  # footprints, counter-clockwise; their look comes from the seed
    trees: tuple[Point, ...]
    lamps: tuple[Point, ...]
    signals: tuple[SignalHead, ...]
    lines: tuple[CountLine, ...]
    zones: tuple[Zone, ...]
