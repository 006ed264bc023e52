"""Traffic lights with a fixed programme, as most junctions have at night and all had once.

s      0   4             26  29 31               51  54 56
main   ├ r ├ green ──────┤ A ├ red ─────────────────────┤     A amber; between the two roads everybody has red
cycle  ├ green ──────────┤ A ├ red ─────────────────────┤     cyclists of the main road wait ahead of the others, and start before them
side   ├ red ───────────────────┤ green ─────────┤ A ├  ┤     those of the side road with everybody else
walk over the side road  1–14        walk over the main road  32–38      the rest of the time is for those who are still on it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """When a head shows green within the cycle, and amber for how long after it."""

    green_s: tuple[float, float]
    amber_s: float = 3.0

    def color(self, second: float) -> str:
        """What it shows at a second of the cycle."""
        begin, end = self.green_s
        if begin <= second < end:
            return "green"
        return "amber" if end <= second < end + self.amber_s else "red"


@dataclass(frozen=True, slots=True)
class Programme:
    """The heads of a junction through one cycle."""

    cycle_s: float
    phases: Mapping[str, Phase]

    def colors(self, time_s: float) -> dict[str, str]:
        """What every head shows at a time."""
        second = time_s - self.cycle_s * int(time_s / self.cycle_s)
        return {name: phase.color(second) for name, phase in self.phases.items()}


_MAIN, _CYCLE, _SIDE = Phase((4.0, 26.0)), Phase((0.0, 26.0)), Phase((31.0, 51.0))
_OVER_SIDE, _OVER_MAIN = Phase((1.0, 14.0), 0.0), Phase((32.0, 38.0), 0.0)

JUNCTION = Programme(
    56.0,
    {
        "main-east": _MAIN,
        "main-west": _MAIN,
        "side-north": _SIDE,
        "side-south": _SIDE,
        "cycle-east": _CYCLE,
        "cycle-west": _CYCLE,
        "walk-east-n": _OVER_MAIN,
        "walk-east-s": _OVER_MAIN,
        "walk-west-n": _OVER_MAIN,
        "walk-west-s": _OVER_MAIN,
        "walk-south-e": _OVER_SIDE,
        "walk-south-w": _OVER_SIDE,
    },
)
STEADY = Programme(1.0, {})
