"""Pictures of the street: a background that was drawn once, and the road users of a moment over it.

    backdrop (copied) ─► shadows, beams ─► bodies, from far to near ─► lamps that burn ─► rain and noise of the sensor ─► picture

Nothing is kept from one picture to the next: the same moment gives the same bytes, whatever was painted before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sim.bodies import place
from edge_runtime.sources.sim.canvas import FINE, MARGIN
from edge_runtime.sources.sim.illumination import lamplight, lamps_near
from edge_runtime.sources.sim.lights import Glow, Lamp, lamps_of
from edge_runtime.sources.sim.liveries import palette_of
from edge_runtime.sources.sim.projection import NEAR_M, Camera
from edge_runtime.sources.sim.scenery import backdrop
from edge_runtime.sources.sim.sensor import Sensor
from edge_runtime.sources.sim.signalling import Signalling
from edge_runtime.sources.sim.stage import Cast, Figure
from edge_runtime.sources.sim.street import Moment, Point, RoadUser, Scene, View
from edge_runtime.sources.sim.underfoot import Underfoot
from edge_runtime.sources.sim.weather import LAMP_LIGHT, WEATHERS
from edge_runtime.types import Size

_BLINK_MS, _BLINK_ON_MS = 700, 400
_COARSE = 2  # pixels to a pixel of what visibility is counted on


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
        self._sensor = Sensor(size, self._weather, seed, shake, noise)
        self._backdrop = backdrop(scene, self.camera.view, size, self._weather, seed)
        self._backdrop.darken(self._sensor.middle)
        self._cast = Cast(self.camera, self._weather)
        self._cast.darker = self._sensor.middle
        self._coarse = Cast(Camera(self.camera.view, Size(-(-size.width // _COARSE), -(-size.height // _COARSE))), self._weather)
        self._underfoot = Underfoot(self.camera, self._weather, self._cast, self._backdrop.lit)
        self._signalling = Signalling(scene, self.camera, self._weather.lamps)
        self._lamps = lamps_near(scene, self.camera)
        self._depth = np.empty((size.height, size.width), np.float32)  # of the picture in the making
        east, north, up = self._weather.towards_sun
        self._fall = max(1.0, ((east * east + north * north) ** 0.5 / up) if self._weather.shadow > 0 else 0.0)  # of a shadow on a metre of height
        self._glow = Glow(self.camera, self._weather.wet)

    def paint(self, moment: Moment) -> NDArray[np.uint8]:
        """The picture of a moment, [h, w, 3], blue, green, red; the caller's own."""
        shift = self.shift(moment.time_s)
        picture, depth = self._copied(shift)
        blinks = round(moment.time_s * 1000) % _BLINK_MS < _BLINK_ON_MS
        users = self._shown(moment.users)
        figures = self._figures(users, blinks)
        self._underfoot.draw(users, figures, (picture, depth), shift)
        self._cast.show(figures, picture, depth, shift, lights=self._lights(users) if users else None)
        lamps = self._signalling.lamps(moment.signals)
        for user in users:
            lamps += self._burning(user, blinks)
        self._glow.add(lamps, picture, depth, shift)
        self._sensor.expose(picture, moment.time_s)
        return picture

    def shift(self, time_s: float) -> tuple[float, float]:
        """By how many pixels the picture of that time is moved to the right and down: the camera shakes with its mast."""
        down, across = self._sensor.shift(time_s)
        return (across / FINE, down / FINE)

    def _copied(self, shift: Point) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The background, moved by whole or half pixels: a copy of the picture, and inverse depths until the next call."""
        height, width = self.camera.size.height, self.camera.size.width
        row, column = round((MARGIN - shift[1]) * FINE), round((MARGIN - shift[0]) * FINE)
        plate = self._backdrop.plates[row % FINE][column % FINE]
        part = np.s_[row // FINE : row // FINE + height, column // FINE : column // FINE + width]
        np.copyto(self._depth, plate.depth[part])
        return plate.picture[part].copy(), self._depth

    def _shown(self, users: Sequence[RoadUser]) -> list[RoadUser]:
        """Those whose body or shadow may be in the picture, from far to near."""
        if not users:
            return []
        seen = self.camera.seen(np.array([(user.x_m, user.y_m, 1.0) for user in users]))
        room = np.array([0.7 * user.length_m + self._fall * user.height_m for user in users])
        aside = self.camera.size.width / 2 / self.camera.focal_px
        steep = self.camera.size.height / 2 / self.camera.focal_px
        ahead = seen[:, 2] + room
        within = (seen[:, 2] > NEAR_M) & (np.abs(seen[:, 0]) < aside * ahead + room) & (np.abs(seen[:, 1]) < steep * ahead + room)
        depths = np.round(seen[:, 2], 6).tolist()
        return [users[k] for k in sorted(np.flatnonzero(within).tolist(), key=lambda k: (-depths[k], users[k].id))]

    def _figures(self, users: Sequence[RoadUser], blinks: bool) -> list[Figure]:
        if not users:
            return []
        placed = place(users)
        ends = (*placed.starts[1:].tolist(), len(placed.points))
        return [
            Figure(placed.meshes[k], placed.points[placed.starts[k] : ends[k]], palette_of(user, self._weather.heads, blinks), user.id)
            for k, user in enumerate(users)
        ]

    def _lights(self, users: Sequence[RoadUser]) -> NDArray[np.float32]:
        """[N, 4, 3] what falls on each user: less sun where a house or a tree takes it, more light beneath a street lamp."""
        lights = np.repeat(self._cast.light[None], len(users), axis=0)
        spots = np.array([(user.x_m, user.y_m, 1.0) for user in users])
        if self._weather.shadow > 0:
            spots[:, 2] = 0.0
            places, _ = self.camera.project(spots)
            columns = np.clip(places[:, 0], 0, self.camera.size.width - 1).astype(int)
            rows = np.clip(places[:, 1], 0, self.camera.size.height - 1).astype(int)
            lights[:, 2] *= 0.12 + 0.88 * self._backdrop.lit[rows, columns, None].astype(np.float32) / 255
        if self._weather.lamps > 0:
            near = (lamplight(self._lamps, spots[:, 0], spots[:, 1], spots[:, 2]) * self._weather.lamps).astype(np.float32)
            lamp = near[:, None] * np.array(LAMP_LIGHT, np.float32)
            lights[:, 0] += 0.95 * lamp
            lights[:, 1] += 0.30 * lamp
            lights[:, 2] += 0.25 * lamp
        return lights

    def _burning(self, user: RoadUser, blinks: bool) -> list[Lamp]:
        return lamps_of(user, self.camera.view.eye, self._weather.heads, blinks)

    def visibility(self, moment: Moment) -> NDArray[np.float64]:
        """[N] the share of each user's outline within the picture that neither a nearer user nor a pole, a tree or a house hides.

        Counted on a picture half as wide and high, without shaking; 0 for who is not in the picture.
        """
        shares = np.zeros(len(moment.users))
        users = self._shown(moment.users)
        if users:
            plate = self._backdrop.plates[0][0]
            depth = np.ascontiguousarray(plate.depth[MARGIN:, MARGIN:][: self.camera.size.height : _COARSE, : self.camera.size.width : _COARSE])
            found = zip(users, self._coarse.shares(self._figures(users, False), depth).tolist(), strict=True)
            by_id = {user.id: share for user, share in found}
            shares[:] = [by_id.get(user.id, 0.0) for user in moment.users]
        return shares

    def silhouette(self, user: RoadUser) -> NDArray[np.bool_]:
        """[h, w] the pixels of which a user alone, with nothing before it, covers at least half; without shaking."""
        depth = np.zeros((self.camera.size.height, self.camera.size.width), np.float32)
        if self._shown((user,)):
            self._cast.show(self._figures((user,), False), np.zeros((*depth.shape, 3), np.uint8), depth, (0.0, 0.0))
        return np.asarray(depth > 0)
