"""What a `sim:` URL says. One table of options; everything wrong with a URL is found at once.

sim:junction?seed=7&density=1.5&weather=rain&size=1280x720&fps=30&shake=0.5&noise=2&seconds=60
    a street    the same URL gives the same street, to the bit
sim:load?rate=500
    no picture at all: events at a rate, to try out what lies behind the cameras
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import Unsupported
from edge_runtime.types import Size

SCENES = ("junction", "road", "footpath")
LOAD = "load"
WEATHERS = ("day", "dusk", "night", "rain", "night-rain")
EXAMPLE = "sim:junction?seed=7"
_LEAST_SIZE, _MOST_SIZE = Size(160, 90), Size(3840, 2160)
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?", re.ASCII)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_SHOWN = 40  # characters of a wrong value that are repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """A simulated street. `shake` in pixels and `noise` in levels: None is what suits the weather. `seconds`: a replay ends then."""

    scene: str
    seed: int = 1
    density: float = 1.0
    weather: str = "day"
    size: Size = Size(1280, 720)
    fps: float = 30.0
    shake: float | None = None
    noise: float | None = None
    seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Events at `rate` a second."""

    rate: float = 10.0


class BadUrl(Unsupported):
    """A `sim:` URL that cannot be taken; `faults` holds everything wrong with it, each a sentence that says what was expected."""

    def __init__(self, url: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{url}: {'; '.join(self.faults)}")


class _Fault(ValueError):
    """What was expected of one value."""


def parse_sim(url: str) -> SimOptions | LoadOptions:
    """What a `sim:` URL asks for. Raises BadUrl with every fault."""
    scene, question, query = url.partition(":")[2].partition("?")
    faults: list[str] = []
    known: Mapping[str, _Parser] = {}
    if scene == LOAD:
        known = _LOAD_OPTIONS
    elif scene in SCENES:
        known = _STREET_OPTIONS
    else:
        faults.append(_unknown_scene(scene))
    values: dict[str, Any] = {}
    for pair in query.split("&") if question else ():
        key, equals, value = pair.partition("=")
        try:
            values[key] = _option(key, equals, value, known or _STREET_OPTIONS, values)
        except _Fault as fault:
            faults.append(str(fault))
    if faults:
        raise BadUrl(url, faults)
    return LoadOptions(**values) if scene == LOAD else SimOptions(scene=scene, **values)


def is_load(url: str) -> bool:
    """Whether a source is `sim:load`, which has no picture. Never raises."""
    scheme, _, rest = url.partition(":")
    return scheme.lower() == "sim" and rest.partition("?")[0] == LOAD


def _option(key: str, equals: str, value: str, known: Mapping[str, _Parser], before: Mapping[str, Any]) -> Any:
    if key not in known:
        raise _Fault(f"no option {_quoted(key)}: {_nearest(key, known)}" if key else f"an empty option: expected one of {', '.join(known)}")
    if key in before:
        raise _Fault(f"{key} is given twice: expected once")
    if not equals or not value:
        raise _Fault(f"{key} without a value: expected {key}=…")
    return known[key](key, value)


_Parser = Callable[[str, str], Any]


def _number(low: float, high: float, unit: str = "", *, whole: bool = False) -> _Parser:
    def parse(key: str, value: str) -> Any:
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
        if not low <= number <= high or (whole and "." in value):
            kind = "a whole number" if whole else "a number"
            raise _Fault(f"{key}={_shown(value)}: expected {kind}, {low:g} to {high:g}{unit}")
        return int(value) if whole else number

    return parse


def _word(*words: str) -> _Parser:
    def parse(key: str, value: str) -> str:
        if value not in words:
            raise _Fault(f"{key}={_shown(value)}: {_nearest(value, words)}")
        return value

    return parse


def _size(key: str, value: str) -> Size:
    match = _SIZE.fullmatch(value)
    size = Size(int(match[1]), int(match[2])) if match else Size(0, 0)
    fits = all(low <= side <= high for low, side, high in zip(_LEAST_SIZE, size, _MOST_SIZE, strict=True))
    if not fits or size.width % 2 or size.height % 2:
        least, most = (f"{each.width}x{each.height}" for each in (_LEAST_SIZE, _MOST_SIZE))
        raise _Fault(f"{key}={_shown(value)}: expected WIDTHxHEIGHT such as 1280x720, both even, {least} to {most}")
    return size


_STREET_OPTIONS: Mapping[str, _Parser] = {
    "seed": _number(0, 2**31 - 1, whole=True),
    "density": _number(0.1, 3),
    "weather": _word(*WEATHERS),
    "size": _size,
    "fps": _number(1, 120, " pictures/s"),
    "shake": _number(0, 3, " pixels"),
    "noise": _number(0, 20, " levels"),
    "seconds": _number(0.1, 86_400, " s"),
}
_LOAD_OPTIONS: Mapping[str, _Parser] = {"rate": _number(0.1, 50_000, " events/s")}


def _unknown_scene(scene: str) -> str:
    if not scene:
        return f"the scene is missing: expected {EXAMPLE}"
    bare = scene.strip("/")
    if bare != scene and bare in (*SCENES, LOAD):
        return f'a scene is no host: write "sim:{bare}"'
    return f"no scene {_quoted(scene)}: {_nearest(scene, (*SCENES, LOAD))}"


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(word[:80].lower(), known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(known)}"


def _quoted(text: str) -> str:
    return f'"{_shown(text)}"'


def _shown(text: str) -> str:
    clean = "".join(char if char.isprintable() else "�" for char in text[:_SHOWN])
    return clean + "…" if len(text) > _SHOWN else clean
