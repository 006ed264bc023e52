"""Where items come from. Importing this package imports no decoder: a config can be checked, and a child started, without one.

url                                    replay (make_footage)          daemon (make_source)
a file, file:PATH                      FootageSource                  PacedSource (?loop=1 repeats)
sim:junction sim:road sim:footpath     SimFootage                     PacedStreet
rtsp(s):// http(s):// v4l2: gst:       refused                        IsolatedSource ─ a child ─ CameraSource | GstSource
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from edge_runtime.errors import Unsupported
from edge_runtime.sources.redaction import redact
from edge_runtime.sources.spec import Capture, DaemonSource, Footage, FrameSource, SourceSpec, SourceStats, StreamInfo
from edge_runtime.sources.truthful import Truthful

if TYPE_CHECKING:
    from edge_runtime.sources.sim.options import SimOptions

__all__ = [
    "SCHEMES",
    "Capture",
    "DaemonSource",
    "Footage",
    "FrameSource",
    "Scheme",
    "SourceSpec",
    "SourceStats",
    "StreamInfo",
    "Truthful",
    "footage_path",
    "is_live",
    "is_simulated",
    "make_capture",
    "make_footage",
    "make_source",
    "redact",
    "scheme_of",
    "street_options",
]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row: whether it is live, and the class that reads it ("module:Class")."""

    live: bool
    source: str


_CAMERA = Scheme(True, "edge_runtime.sources.camera:CameraSource")
_FILE = Scheme(False, "edge_runtime.sources.footage:FootageSource")
_SIM = Scheme(False, "edge_runtime.sources.sim.source:SimFootage")
SCHEMES: Mapping[str, Scheme] = {
    "rtsp": _CAMERA,
    "rtsps": _CAMERA,
    "http": _CAMERA,
    "https": _CAMERA,
    "v4l2": _CAMERA,
    "gst": Scheme(True, "edge_runtime.sources.gstreamer:GstSource"),
    "file": _FILE,
    "sim": _SIM,
}


def scheme_of(url: str) -> Scheme:
    """The row of a source's URL; a text without scheme is the path of a file. Raises Unsupported for a scheme that has no row."""
    name, colon, rest = url.partition(":")
    if colon and name.lower() in SCHEMES:
        return SCHEMES[name.lower()]
    if colon and rest.startswith("//"):
        known = ", ".join(f"{known}:" for known in SCHEMES)
        raise Unsupported(f"{redact(url)}: no source reads {name}:; expected a file or one of {known}")
    return _FILE


def is_live(url: str) -> bool:
    """Whether a camera is behind it, rather than footage. Raises Unsupported for an unknown scheme."""
    return scheme_of(url).live


def is_simulated(url: str) -> bool:
    """Whether it is drawn, rather than filmed: there is no file, and its truth is known. Raises Unsupported for an unknown scheme."""
    return scheme_of(url) is _SIM


def footage_path(url: str) -> Path:
    """The file that a footage URL names: without `file:` and `?loop=1`."""
    path, _, _ = _split_footage(url)
    return path


def make_footage(spec: SourceSpec, start_wall_ns: int | None = None) -> Footage:
    """For replay: the file or the street in this process, unpaced, every frame that `fps` selects. `?loop=1` is ignored: a replay ends.

    `start_wall_ns` is the wall time of the first frame; by default the file's creation_time, else 1970. Raises Unsupported for a camera.
    """
    if is_live(spec.url):
        raise Unsupported(f"{spec.shown}: expected a video file, found a live source; use the daemon (`run`) for it")
    if is_simulated(spec.url):
        from edge_runtime.sources.sim.source import SimFootage

        return SimFootage(spec, street_options(spec.url), start_wall_ns)
    from edge_runtime.sources.footage import FootageSource

    return FootageSource(spec, footage_path(spec.url), start_wall_ns)


def make_source(spec: SourceSpec) -> DaemonSource:
    """For the daemon: a camera in a child process of its own, latest frame wins; a file or a street in this one, at its own pace."""
    if is_live(spec.url):
        from edge_runtime.sources.isolated import IsolatedSource

        return IsolatedSource(spec)
    if is_simulated(spec.url):
        from edge_runtime.sources.sim.source import PacedStreet

        return PacedStreet(spec, street_options(spec.url))
    from edge_runtime.sources.footage import PacedSource

    path, loop, _ = _split_footage(spec.url)
    return PacedSource(spec, path, loop=loop)


def street_options(url: str) -> SimOptions:
    """What a `sim:` URL asks to see. Raises Unsupported for a URL that makes no sense, and for `sim:load`, which shows nothing."""
    from edge_runtime.sources.sim.options import SimOptions, parse_sim

    options = parse_sim(url)
    if not isinstance(options, SimOptions):
        raise Unsupported(f"{url}: expected a street, found a source without pictures")
    return options


def make_capture(spec: SourceSpec) -> Capture:
    """For the capture child: the live source itself. Raises Unsupported for an unknown scheme."""
    module, _, name = scheme_of(spec.url).source.partition(":")
    maker: Callable[[SourceSpec], Any] = getattr(import_module(module), name)
    source: Capture = maker(spec)
    return source


def _split_footage(url: str) -> tuple[Path, bool, str]:
    """Path, whether to loop, and the query. A file whose name contains the question mark wins over a query."""
    text = url.removeprefix("file://").removeprefix("file:")
    if "?" not in text or Path(text).exists():
        return Path(text), False, ""
    path, _, query = text.rpartition("?")
    loop = parse_qs(query).get("loop", ["0"])[-1] not in ("0", "false", "")
    return Path(path), loop, query
