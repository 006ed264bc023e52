"""One person on a walk: how far along it and to which side, what it does when it is stuck, and how it appears."""

from __future__ import annotations

from math import sqrt

from edge_runtime.sources.sim.fleet import STEP_S, Person
from edge_runtime.sources.sim.network import Walk
from edge_runtime.sources.sim.street import RoadUser

APART_M = 0.74  # between two middles
SQUEEZED_M = 0.62  # when stuck: shoulder to shoulder
STUCK_S = 1.2
_STUCK_ROOM_M = 0.7  # beside the walk
_LEFT_M = -0.25  # as far to the left as they go, unless they are stuck
SIDESTEP_MPS = 0.6


class Walker:
    """One person on a walk."""

    __slots__ = (
        "along_m",
        "gate",
        "heading",
        "next_x",
        "next_y",
        "person",
        "prefers_m",
        "queues",
        "rest_s",
        "side_m",
        "speed_mps",
        "stand_m",
        "stuck_s",
        "waited_s",
        "walk",
        "x",
        "y",
    )

    def __init__(self, person: Person, walk: Walk, side_m: float, rest_s: float) -> None:
        self.person = person
        self.walk = walk
        self.along_m = 0.0
        self.side_m = self.prefers_m = side_m  # to the left is positive
        self.gate = 0  # the next one
        self.stand_m = 0.5 * person.aside  # before the place where the others stop
        self.rest_s = rest_s
        self.speed_mps = 0.0
        self.queues = 0  # its place in a queue at a gate, from 1; 0: it does not queue
        self.stuck_s = 0.0
        self.waited_s = 0.0  # at a gate
        self.heading = walk.path.heading(0.0)
        self.x, self.y = self.next_x, self.next_y = self.place(0.0, side_m)

    @property
    def apart_m(self) -> float:
        """How near to others it goes now."""
        return APART_M if self.stuck_s < STUCK_S else SQUEEZED_M

    def reach(self, side_m: float) -> float:
        """As near to a side as it may go now, without a leap."""
        room = self.walk.room_m
        low, high = (-room, _LEFT_M) if self.stuck_s < STUCK_S else (-room - _STUCK_ROOM_M, room)
        most = SIDESTEP_MPS * STEP_S
        return max(self.side_m - most, min(self.side_m + most, max(low, min(high, side_m))))

    def place(self, along_m: float, side_m: float) -> tuple[float, float]:
        """Where on the ground that is."""
        x, y = self.walk.path.at(along_m)
        hx, hy = self.walk.path.heading(along_m)
        return x - hy * side_m, y + hx * side_m


def stride(walker: Walker, length_m: float) -> float:
    """How far along the walk a step takes: less than its length on the outer side of a bend."""
    if length_m <= 0.0:
        return length_m
    x, y = walker.place(walker.along_m + length_m, walker.side_m)
    dx, dy = x - walker.x, y - walker.y
    went = sqrt(dx * dx + dy * dy)
    return length_m if went <= length_m else length_m * (length_m / went)


def figure(walker: Walker, dt: float) -> RoadUser:
    """The walker `dt` after its last decision."""
    person, part = walker.person, dt / STEP_S
    return RoadUser(
        person.id,
        person.kind,
        walker.x + part * (walker.next_x - walker.x),
        walker.y + part * (walker.next_y - walker.y),
        walker.heading,
        walker.speed_mps,
        person.length_m,
        person.width_m,
        person.height_m,
        person.style,
        walker.along_m - walker.speed_mps * (STEP_S - dt),
    )
