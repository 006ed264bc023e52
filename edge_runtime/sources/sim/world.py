"""The simulated street as it lives: who is where, at any time, from a seed.

lights ─► vehicles decide ─► people decide ─► all move, some leave, some come        every STEP_S (0.2 s)
                                              └─► moment(t): between two decisions everybody keeps its acceleration, so that
                                                  the frames that are asked for never change what happens
"""

from __future__ import annotations

from functools import cache

from edge_runtime.sources.sim import footpath_ways, junction_ways, road_ways
from edge_runtime.sources.sim.conflicts import Meetings, meetings
from edge_runtime.sources.sim.fleet import STEP_S
from edge_runtime.sources.sim.street import Moment, Scene
from edge_runtime.sources.sim.traffic import Traffic
from edge_runtime.sources.sim.walkers import Walkers

TICK_S = 0.05
"""How often truth looks: a crossing is known to this."""

_NETWORKS = {"junction": junction_ways.NETWORK, "road": road_ways.NETWORK, "footpath": footpath_ways.NETWORK}
_BEFORE_S = 100.0  # the street has lived this long when time begins: its longest way, and nearly two cycles of its lights


@cache  # bounded by the scenes
def _meetings(scene: str) -> tuple[Meetings, ...]:
    return meetings(_NETWORKS[scene])


class World:
    """A scene with its traffic. One thread; `moment` with times that do not go back.

    The same scene (by name), seed and density are the same world, whatever the view and whichever moments are asked for.
    """

    def __init__(self, scene: Scene, seed: int, density: float = 1.0) -> None:
        """Raises KeyError for a scene that is not one of SCENES."""
        network = _NETWORKS[scene.name]
        self._programme = network.programme
        self._traffic = Traffic(network, _meetings(scene.name), seed, density)
        self._walkers = Walkers(network, seed, density)
        self._steps = -round(_BEFORE_S / STEP_S)
        self._next_id = 1
        self._decide()
        while self._steps < 0:
            self._advance()

    def moment(self, time_s: float) -> Moment:
        """Everybody at a time. Raises ValueError when the world is past it already."""
        while time_s >= (self._steps + 1) * STEP_S - 1e-9:
            self._advance()
        since = time_s - self._steps * STEP_S
        if since < -1e-6:
            raise ValueError(f"the street is past {time_s:.3f} s: it is {self._steps * STEP_S:.1f} s there, and its time does not go back")
        since = min(max(since, 0.0), STEP_S)
        users = (*self._traffic.users(since), *self._walkers.users(since))
        return Moment(time_s, users, self._programme.colors(time_s + _BEFORE_S))

    def _advance(self) -> None:
        self._steps += 1
        now = self._steps * STEP_S + _BEFORE_S
        self._next_id = self._traffic.move(now, self._next_id)
        self._next_id = self._walkers.move(now, self._next_id)
        self._decide()

    def _decide(self) -> None:
        colors = self._programme.colors(self._steps * STEP_S + _BEFORE_S)
        self._traffic.decide(colors, self._walkers.crossing(colors))
        self._walkers.decide(colors, self._traffic)
