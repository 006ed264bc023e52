"""Pictures of the street: a background that was drawn once, and the road users of a moment over it.

    backdrop (copied) ─► shadows ─► bodies, from far to near ─► lamps that burn ─► rain and noise of the sensor ─► picture

Nothing is kept from one picture to the next: the same moment gives the same bytes, whatever was painted before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import place
from edge_runtime.sources.sim.canvas import FINE, MARGIN
from edge_runtime.sources.sim.furniture import signal
from edge_runtime.sources.sim.liveries import furniture, palette_of
from edge_runtime.sources.sim.mesh import Slot
from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.scenery import backdrop, place_at
from edge_runtime.sources.sim.sensor import Sensor
from edge_runtime.sources.sim.stage import Cast, Figure
from edge_runtime.sources.sim.street import Moment, Point, RoadUser, Scene, View
from edge_runtime.sources.sim.weather import WEATHERS
from edge_runtime.types import Size

_LIT = {
    "red": (Slot.TAIL, (40.0, 40.0, 255.0)),
    "amber": (Slot.LEFT, (30.0, 180.0, 255.0)),
    "green": (Slot.RIGHT, (130.0, 240.0, 60.0)),
}


class Painter:
    """Paints one scene as one camera sees it. `shake` in pixels and `noise` in levels; by default as suits the weather.

    Raises KeyError for a weather that `WEATHERS` does not know.
    """

    def __init__(
        self,
        scene: Scene,
        size: Size,
        weather: str = "day",
        seed: int = 1,
        *,
        shake: float | None = None,
        noise: float | None = None,
        view: View | None = None,
    ) -> None:
        self.scene = scene
        self.camera = Camera(scene.view if view is None else view, size)
        self._weather = WEATHERS[weather]
        self._backdrop = backdrop(scene, self.camera.view, size, self._weather, seed)
        self._cast = Cast(self.camera, self._weather)
        self._sensor = Sensor(size, self._weather, seed, shake, noise)
        self._signals = {head.name: (signal(head), head) for head in scene.signals}
        self._mask = np.zeros((size.height, size.width), np.uint8)

    def paint(self, moment: Moment) -> NDArray[np.uint8]:
        """The picture of a moment, [h, w, 3], blue, green, red; the caller's own."""
        down, across = self._sensor.shift(moment.time_s)
        picture, depth = self._ground(down, across)
        shift = (across / FINE, down / FINE)
        figures = self._figures(moment)
        if figures:
            self._shadows(figures, picture, shift)
            self._cast.show(figures, picture, depth, shift)
        self._sensor.expose(picture, moment.time_s)
        return picture

    def _ground(self, down: int, across: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Copies of the background, moved by canvas pixels."""
        height, width = self.camera.size.height, self.camera.size.width
        row, column = MARGIN * FINE - down, MARGIN * FINE - across
        plate = self._backdrop.plates[row % FINE][column % FINE]
        part = np.s_[row // FINE : row // FINE + height, column // FINE : column // FINE + width]
        return np.ascontiguousarray(plate.picture[part]), np.ascontiguousarray(plate.depth[part])

    def _figures(self, moment: Moment) -> list[Figure]:
        """Users and lit traffic lights in front of the camera, from far to near."""
        depths = self.camera.depths(moment.users).tolist()
        order = sorted((k for k in range(len(depths)) if depths[k] > NEAR_M), key=lambda k: (-round(depths[k], 6), moment.users[k].id))
        users = [moment.users[k] for k in order]
        blinks = int(moment.time_s * 1000) % 700 < 400
        figures = []
        if users:
            placed = place(users)
            ends = (*placed.starts[1:].tolist(), len(placed.points))
            for k, user in enumerate(users):
                palette = palette_of(user, self._weather.heads, blinks)
                figures.append(Figure(placed.meshes[k], placed.points[placed.starts[k] : ends[k]], palette, k))
        return figures

    def _shadows(self, figures: list[Figure], picture: NDArray[np.uint8], shift: Point) -> None:
        if self._weather.shadow <= 0:
            return
        mask = self._mask
        mask[:] = 0
        self._cast.shade(figures, mask, self._backdrop.lit, shift)
        dark = mask > 0
        keep = 256 - (mask[dark].astype(np.uint16) * round(256 * self._weather.shadow)) // 255
        picture[dark] = (picture[dark].astype(np.uint16) * keep[:, None] >> 8).astype(np.uint8)

    def visibility(self, moment: Moment) -> NDArray[np.float64]:
        """[N] the share of each user's outline within the picture that nothing nearer hides; 0 for who is not in the picture."""
        return np.ones(len(moment.users))
