"""What a scene offers to those who move: the ways of vehicles, where they meet one another, and the ways of people on foot.

lane ──●───────────────────●── exit      a route runs from a lane to an exit; `stop_m` is where its light holds it
        ╲                 ╱
         ╲      ╳        ╱               routes of one lane part, routes to one exit join, others cross: `conflicts.py`
          ●─────────────●
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.sources.sim.paths import Path
from edge_runtime.sources.sim.signals import Programme


@dataclass(frozen=True, slots=True)
class Bend:
    """A stretch of a route that is taken slowly."""

    from_m: float
    to_m: float
    speed_mps: float


@dataclass(frozen=True, slots=True)
class Route:
    """One way of vehicles or bicycles, from where they appear to where they vanish."""

    name: str
    lane: str  # routes of one lane begin on the same line
    way_out: str  # routes with one way out end on the same line
    path: Path
    limit_mps: float
    half_m: float  # half the width of the widest that goes there, with its place in the lane and what it sweeps when it turns
    signal: str = ""  # the head that it obeys; none: empty
    stop_m: float = 0.0  # how far along its light holds it, a little before the stop line
    phase: str = ""  # routes of one phase have green together; those of cyclists may begin earlier
    rank: int = 2  # those of a lower rank give way
    turn: int = 0  # -1 left, 1 right
    bend: Bend | None = None
    keep_m: tuple[float, float] | None = None  # a stretch where nobody stops: it is entered only by who can leave it


@dataclass(frozen=True, slots=True)
class Entry:
    """Where vehicles come from: how many a minute at density 1, of which kinds, and which way they go on."""

    lane: str
    per_minute: float
    kinds: tuple[tuple[str, float], ...]  # with weights
    turning: float = 0.0  # the share of cars, vans and two-wheelers that turn; the others go straight on


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where people cross the ways of vehicles: a rectangle, walked along y (`along_y`) or along x."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float
    along_y: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a walk comes to a crossing (`stop_m` along it) and where it has left it. Without a signal people wait for a gap."""

    crossing: int
    stop_m: float
    end_m: float
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """One way on foot. People keep to the right of its middle, within `room_m` on either side."""

    path: Path
    room_m: float
    per_minute: float
    gates: tuple[Gate, ...] = ()
    rest_m: float = 0.0  # where some stand for a while; 0: nowhere


@dataclass(frozen=True, slots=True)
class Network:
    """All of a scene."""

    routes: tuple[Route, ...]
    entries: tuple[Entry, ...]
    crossings: tuple[Crossing, ...]
    walks: tuple[Walk, ...]
    programme: Programme
