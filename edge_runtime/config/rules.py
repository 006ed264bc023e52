"""What must hold between the keys of one file, without a look at the world: names, references, limits that depend on each other, shapes.

It also runs over a config with stand-ins for what was wrong (see walk.py), so that everything is found at once; a rule that would judge such a
stand-in keeps quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.config.loaded import Loaded
from edge_runtime.config.schema import CameraConfig, SensorConfig
from edge_runtime.config.shapes import LONGEST_SIDE, has_length, outside, polygon_fault
from edge_runtime.config.tree import Path, show, suggest
from edge_runtime.config.values import is_url
from edge_runtime.errors import Problem
from edge_runtime.options import Point

RESERVED_STREAM = "node"  # the stream of what concerns the node itself
_FRACTIONS = (1.0, 1.0)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def rule_problems(loaded: Loaded) -> list[Problem]:
    """Every broken rule."""
    return _Rules(loaded).problems


class _Rules:
    def __init__(self, loaded: Loaded) -> None:
        self.problems: list[Problem] = []
        self._loaded = loaded
        config = loaded.config
        self._unique(config.model, ("model",))
        self._unique(config.camera, ("camera",))
        self._unique(config.sensor, ("sensor",))
        for index, model in enumerate(config.model):
            self._choices(model.providers, ("model", index, "providers"))
        for index, camera in enumerate(config.camera):
            self._camera(camera, ("camera", index))
        for index, sensor in enumerate(config.sensor):
            self._sensor(sensor, ("sensor", index))
        self._mqtt()

    def _sensor(self, sensor: SensorConfig, path: Path) -> None:
        self._reserved(sensor, path, "sensor")
        if sensor.name and sensor.name in [camera.name for camera in self._loaded.config.camera]:
            self._note((*path, "name"), "a camera has this name, and both are streams of this node: give the sensor another", shown=show(sensor.name))

    def _reserved(self, named: _Named, path: Path, kind: str) -> None:
        if named.name == RESERVED_STREAM:
            self._note((*path, "name"), f'"{RESERVED_STREAM}" is the stream of the node itself: give the {kind} another name', bare=True)

    def _camera(self, camera: CameraConfig, path: Path) -> None:
        self._reserved(camera, path, "camera")
        self._reference(camera, path)
        if camera.classes is not None:
            self._choices(camera.classes, (*path, "classes"))
        self._scores(camera, path)
        self._login(camera, path)
        for index, polygon in enumerate(camera.mask):
            self._polygon(polygon, _FRACTIONS, (*path, "mask", index))
        self._unique(camera.line, (*path, "line"))
        self._unique(camera.zone, (*path, "zone"))
        for index, line in enumerate(camera.line):
            self._line(line, (*path, "line", index))
        for index, zone in enumerate(camera.zone):
            self._zone(zone, (*path, "zone", index))

    def _reference(self, camera: CameraConfig, path: Path) -> None:
        names = [model.name for model in self._loaded.config.model]
        known = ("model",) not in self._loaded.bad and self._loaded.is_sound(*(("model", index, "name") for index in range(len(names))))
        if camera.model in names or not known:
            return
        if not names:
            todo = "the file has no [[model]]: add one with name and bundle"
        else:
            todo = suggest(camera.model, names) or f"expected one of: {', '.join(names)}"
        self._note((*path, "model"), f"there is no [[model]] of this name: {todo}", shown=show(camera.model))

    def _scores(self, camera: CameraConfig, path: Path) -> None:
        if camera.track_floor > camera.min_score:
            written = "track_floor" if self._loaded.was_written(*path, "track_floor") else "min_score"
            value = getattr(camera, written)
            limit = f"at most min_score ({camera.min_score:g})" if written == "track_floor" else f"at least track_floor ({camera.track_floor:g})"
            self._note((*path, written), f"expected {limit}", (*path, "min_score"), (*path, "track_floor"), shown=f"{value:g}")

    def _login(self, camera: CameraConfig, path: Path) -> None:
        used = "source" if camera.substream is None else "substream"
        source = camera.source if camera.substream is None else camera.substream
        for key, value in (("username", camera.username), ("password", camera.password)):
            if value is not None and source and not is_url(source):
                self._note((*path, key), "only rtsp(s):// and http(s):// sources have a login: remove it", (*path, used))
        if camera.password is not None and camera.username is None and is_url(source):
            self._note((*path, "password"), "there is a password but no username: add username = …", (*path, "username"))

    def _line(self, line: LineOptions, path: Path) -> None:
        size = self._picture(line, path)
        if line.forward is not None and line.forward == line.backward:
            self._note((*path, "backward"), "it is the word for forward too: expected two different words", shown=show(line.backward))
        if size is None or not self._loaded.is_sound((*path, "points")):
            return
        self._inside(line.points, size, (*path, "points"), line.units)
        if not has_length(*line.points, size):
            self._note((*path, "points"), "the line has no length: expected two different ends", shown=_corners(line.points))

    def _zone(self, zone: ZoneOptions, path: Path) -> None:
        size = self._picture(zone, path)
        self._choices(zone.measure, (*path, "measure"))
        if size is not None:
            self._polygon(zone.polygon, size, (*path, "polygon"), zone.units)

    def _picture(self, rule: LineOptions | ZoneOptions, path: Path) -> tuple[float, float] | None:
        """What the points of a rule refer to; None when that is not known."""
        if not self._loaded.is_sound((*path, "units"), (*path, "size")):
            return None
        if rule.units == "fraction":
            if rule.size is not None:
                self._note((*path, "size"), 'size is for pixels: add units = "px", or remove it', bare=True)
            return _FRACTIONS
        if rule.size is None:
            self._note((*path, "units"), "pixels of what? add size = [width, height] of the picture they were read from", shown='"px"')
            return None
        if not all(1 <= side <= LONGEST_SIDE for side in rule.size):
            self._note((*path, "size"), f"expected [width, height], 1–{LONGEST_SIDE} pixels", shown=show(list(rule.size)))
            return None
        return float(rule.size[0]), float(rule.size[1])

    def _polygon(self, points: Sequence[Point], size: tuple[float, float], path: Path, units: str = "fraction") -> None:
        if not self._loaded.is_sound(path):
            return
        self._inside(points, size, path, units)
        fault = polygon_fault(points, size)
        if fault:
            self._note(path, fault)

    def _inside(self, points: Sequence[Point], size: tuple[float, float], path: Path, units: str) -> None:
        for index in outside(points, size):
            if units == "px":
                expected = f"outside the picture: expected 0–{size[0]:g} and 0–{size[1]:g} pixels"
            else:
                expected = (
                    'outside the picture: expected fractions 0–1 of its width and height; for pixels add units = "px" and size = [width, height]'
                )
            self._note((*path, index), expected, shown=_corner(points[index]))

    def _mqtt(self) -> None:
        mqtt = self._loaded.config.mqtt
        if mqtt.url.lower().startswith(("mqtt:", "ws:")) and self._loaded.is_sound(("mqtt", "url")):
            secure = "wss://" if mqtt.url.lower().startswith("ws:") else "mqtts://"
            for key in ("ca", "cert", "key"):
                if getattr(mqtt, key) is not None:
                    self._note(("mqtt", key), f'{key} is for TLS and the url has none: write url = "{secure}…", or remove {key}', bare=True)
        for key, other in (("cert", "key"), ("key", "cert")):
            if getattr(mqtt, key) is not None and getattr(mqtt, other) is None:
                self._note(("mqtt", key), f"{key} without {other}: a client certificate needs both; add {other} = …", ("mqtt", other), bare=True)
        if mqtt.password is not None and mqtt.username is None and mqtt.protocol == "3.1.1":
            self._note(("mqtt", "password"), "MQTT 3.1.1 has no password without username: add username = …", ("mqtt", "username"))
        for index, name in enumerate(mqtt.formats):
            if mqtt.protocol == "3.1.1":
                todo = 'MQTT 3.1.1 has no user properties to put it in: expected protocol = "5", or no formats'
                self._note(("mqtt", "formats", index), todo, ("mqtt", "protocol"), shown=show(name))

    def _unique(self, named: Sequence[_Named], path: Path) -> None:
        first: dict[str, int] = {}
        for index, each in enumerate(named):
            if each.name and first.setdefault(each.name, index) != index:
                line = self._loaded.line_of(*path, first[each.name], "name")
                place = f"line {line}" if line else "an override"
                self._note((*path, index, "name"), f"the name stands in {place} already: expected each once", shown=show(each.name))

    def _choices(self, values: Sequence[str], path: Path) -> None:
        """A list of words: not empty, each once."""
        if not values:
            self._note(path, "expected at least one, or leave the key out", shown="[]")
        for index, value in enumerate(values):
            if value in values[:index]:
                self._note((*path, index), "it is listed twice", shown=show(value))

    def _note(self, path: Path, message: str, *others: Path, shown: str = "", bare: bool = False) -> None:
        """Note a problem at `path`, unless this or one of `others` was found wrong already."""
        if self._loaded.is_sound(path, *others):
            self.problems.append(self._loaded.problem(path, message, shown=shown, bare=bare))


def _corner(point: Point) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"


def _corners(points: Sequence[Point]) -> str:
    return f"[{', '.join(_corner(point) for point in points)}]"
