"""One vehicle on its route: where it will be, how fast it would like to be, how it follows, and how it appears.

                 tail            front   committed
      ───────────▐███████████████▌·······│────────── along the route, m
                                  ◄──────► too near to stop before: taken already, as its body is

Following is the Intelligent Driver Model (Treiber, Hennecke and Helbing, Phys. Rev. E 62, 2000).
"""

from __future__ import annotations

from math import sqrt

from edge_runtime.sources.sim.fleet import BREEDS, Breed, Person
from edge_runtime.sources.sim.network import Route
from edge_runtime.sources.sim.street import RoadUser

HARD_MPS2 = 8.0
"""As hard as anybody brakes."""


class Vehicle:
    """One that moves along a route."""

    __slots__ = ("acceleration", "aside_m", "breed", "committed_m", "front_m", "number", "person", "route", "speed_mps", "waited_s")

    def __init__(self, person: Person, number: int, route: Route, front_m: float, speed_mps: float) -> None:
        self.person = person
        self.breed: Breed = BREEDS[person.kind]
        self.number = number  # of its route
        self.route = route
        self.front_m = front_m
        self.speed_mps = speed_mps
        self.acceleration = 0.0
        self.committed_m = front_m
        self.waited_s = 0.0
        least, most = self.breed.aside_m
        self.aside_m = least + (most - least) * person.aside

    @property
    def tail_m(self) -> float:
        return self.front_m - self.person.length_m

    def later(self, dt: float) -> tuple[float, float]:
        """Where its front is, and how fast it is, `dt` after its last decision."""
        speed = self.speed_mps + self.acceleration * dt
        if speed <= 0.0:
            stop = 0.0 if self.acceleration >= 0.0 else self.speed_mps * self.speed_mps / (-2.0 * self.acceleration)
            return self.front_m + stop, 0.0
        return self.front_m + (self.speed_mps + speed) * 0.5 * dt, speed


def wished(vehicle: Vehicle) -> float:
    """The speed that it would have, were it alone."""
    route = vehicle.route
    speed = route.limit_mps * vehicle.person.pace
    bend = route.bend
    if bend is not None and vehicle.tail_m < bend.to_m:
        left = bend.from_m - vehicle.front_m
        speed = min(speed, sqrt(bend.speed_mps * bend.speed_mps + 3.0 * left) if left > 0.0 else bend.speed_mps)
    return speed


def following(breed: Breed, free: float, speed: float, gap: float, pace: float, space: float) -> float:
    """IDM's answer to an obstacle that moves with `pace`."""
    if gap < 0.25:
        return -HARD_MPS2
    wanted = space + max(
        0.0, speed * breed.headway_s * (1.0 if pace > 0.0 else 0.3) + speed * (speed - pace) / (2.0 * sqrt(breed.gain_mps2 * breed.ease_mps2))
    )
    return min(free, breed.gain_mps2) - breed.gain_mps2 * (wanted / gap) * (wanted / gap)


def seen(vehicle: Vehicle, dt: float) -> RoadUser:
    """The vehicle `dt` after its last decision. Its axles are on the way, so that its tail cuts a bend."""
    person, route = vehicle.person, vehicle.route
    front, speed = vehicle.later(dt)
    ax, ay = route.path.at(front - 0.8 * person.length_m)
    bx, by = route.path.at(front - 0.2 * person.length_m)
    dx, dy = bx - ax, by - ay
    length = sqrt(dx * dx + dy * dy)
    hx, hy = dx / length, dy / length
    turning = route.turn if route.bend and front - route.bend.from_m > -40.0 and vehicle.tail_m < route.bend.to_m else 0
    lean = 0.0
    if route.bend and person.kind in ("bicycle", "motorcycle") and route.bend.from_m < front - 0.5 * person.length_m < route.bend.to_m:
        lean = route.turn * min(1.0, speed * speed / 40.0)
    return RoadUser(
        person.id,
        person.kind,
        (ax + bx) * 0.5 - hy * vehicle.aside_m,
        (ay + by) * 0.5 + hx * vehicle.aside_m,
        (hx, hy),
        speed,
        person.length_m,
        person.width_m,
        person.height_m,
        person.style,
        front,
        vehicle.acceleration < -0.7 or speed < 0.2,
        turning,
        lean,
    )
