"""One simulated street: its world, the picture of it, and what really happened, side by side.

    Simulation ─┬─ World      who is where, tick by tick                        ─► Moment
                ├─ TruthLog   sees every tick: crossings, stays in zones        ─► truth
                ├─ Camera     where a body appears                              ─► boxes
                └─ Painter    draws a moment, once                              ─► picture, visibility

What happens does not depend on which moments are asked for, nor on how often: the world goes on in ticks of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.options import SimOptions
from edge_runtime.sources.sim.projection import Camera
from edge_runtime.sources.sim.scenes import SCENES
from edge_runtime.sources.sim.street import Moment, View
from edge_runtime.sources.sim.truth import LineRule, TruthLog, ZoneRule
from edge_runtime.sources.sim.world import TICK_S, World

if TYPE_CHECKING:
    from edge_runtime.sources.sim.painter import Painter

_SAME_S = 1e-9  # a frame and a tick that are so close are at the same time


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One moment and the picture of it, [h, w, 3], BGR."""

    moment: Moment
    picture: NDArray[np.uint8]


class Simulation:
    """A street as `options` ask for it. One thread calls it; `truth` may be read from any. Times must not go back.

    `lines` and `zones` are what truth is judged by; by default those of the scene. `view`: another place for the camera than the scene's own.
    `truthful=False` saves the cost of judging: `truth` stays empty then.
    """

    def __init__(
        self,
        options: SimOptions,
        *,
        lines: Sequence[LineRule] | None = None,
        zones: Sequence[ZoneRule] | None = None,
        view: View | None = None,
        truthful: bool = True,
    ) -> None:
        scene = SCENES[options.scene]
        self.options = options
        self.scene = scene
        self.size = options.size
        self.camera = Camera(scene.view if view is None else view, options.size)
        self.truth = TruthLog(
            scene.view if view is None else view,
            options.size,
            scene.lines if lines is None else lines,
            scene.zones if zones is None else zones,
        )
        self._truthful = truthful
        self._world = World(scene, options.seed, options.density)
        self._drawn: Painter | None = None  # made for the first picture: who only wants to know what happens needs none
        self._ticks = 0  # how many truth has seen

    @property
    def _painter(self) -> Painter:
        from edge_runtime.sources.sim.painter import Painter

        if self._drawn is None:
            options = self.options
            look = (self.scene, options.size, options.weather, options.seed)
            self._drawn = Painter(*look, shake=options.shake, noise=options.noise, view=self.camera.view)
        return self._drawn

    def prepare(self) -> None:
        """Draw once for nobody: what only the first picture costs (the background, kernels) is paid now."""
        self._painter.paint(self.moment(0.0))

    def moment(self, time_s: float) -> Moment:
        """Who is where at `time_s`, without a picture. Truth is complete up to then."""
        while self._truthful and self._ticks * TICK_S <= time_s + _SAME_S:
            self.truth.watch(self._world.moment(self._ticks * TICK_S))
            self._ticks += 1
        return self._world.moment(time_s)

    def shot(self, time_s: float) -> Shot:
        """The picture at `time_s`."""
        moment = self.moment(time_s)
        return Shot(moment, self._painter.paint(moment))

    def boxes(self, moment: Moment) -> NDArray[np.float64]:
        """The true box of each user, (N, 4) as x1, y1, x2, y2 in pixels: all of its body, hidden or outside parts too.

        Where the picture of that moment shows it, with a camera that shakes; who crosses a line is judged by one that stands still.
        """
        across, down = self._painter.shift(moment.time_s)
        boxes = self.camera.boxes(moment.users)
        boxes += (across, down, across, down)
        return boxes

    def visibility(self, moment: Moment) -> NDArray[np.float64]:
        """The share of each user's own outline that the picture shows, (N,): 1 in full view, 0 outside or hidden."""
        return self._painter.visibility(moment)

    def shots(self, seconds: float) -> Iterator[Shot]:
        """Every picture of the stream up to `seconds`, `options.fps` a second."""
        for number in range(round(seconds * self.options.fps)):
            yield self.shot(number / self.options.fps)
