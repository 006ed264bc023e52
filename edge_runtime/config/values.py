"""Values with a grammar of their own: durations, sizes, secrets, URLs, sources, places on earth. One row a kind.

A parser takes the raw value and where relative paths start, and returns what the config keeps, or raises Wrong with the end of a sentence:
what was expected and what to do.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from edge_runtime.config.tree import Node, one_of, suggest
from edge_runtime.options import Secret

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])", re.ASCII)
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|kB|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_BYTES = {"B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SECRET_BYTES = 4096

MAX_MAGNITUDE = 1e300
MQTT_SCHEMES = ("mqtt", "mqtts", "ws", "wss")


class Wrong(ValueError):
    """What is wrong with a value. `hide`: the value itself must not be repeated, or need not be."""

    def __init__(self, message: str, *, hide: bool = False) -> None:
        self.hide = hide
        super().__init__(message)


def parse_duration(value: Any, spec: Mapping[str, Any], base: Path) -> float:  # noqa: ARG001 - one signature for every kind
    """Seconds from "90s", "5m", "1h30m", "7d", "500ms"."""
    low, high = spec["low"] or 0.0, spec["high"] or 366 * 86400.0
    expected = f'expected a duration such as "30s", "5m" or "1h30m", {show_duration(low)} to {show_duration(high)}'
    if is_number(value):
        raise Wrong(f'{expected}; did you mean "{value:g}s"?')
    if not isinstance(value, str) or len(value) > 40 or not _DURATION.fullmatch(value):
        raise Wrong(expected)
    parts = _DURATION_PART.findall(value)
    units = [unit for _, unit in parts]
    if units != sorted(set(units), key=list(_SECONDS).index):
        raise Wrong(f"{expected}; the larger unit goes first, each once")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not low <= seconds <= high:
        raise Wrong(expected)
    return seconds


def is_number(value: Any) -> bool:
    """A number that means something: no truth value, no NaN, nothing that only a whole number can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_MAGNITUDE < value < MAX_MAGNITUDE


def show_duration(seconds: float) -> str:
    """The inverse, in the largest units that fit: 5400 -> "1h30m"."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    parts = []
    rest = seconds
    for unit in ("d", "h", "m"):
        count, rest = divmod(rest, _SECONDS[unit])
        if count:
            parts.append(f"{count:.0f}{unit}")
    return "".join([*parts, f"{rest:g}s"] if rest else parts)


def parse_size(value: Any, spec: Mapping[str, Any], base: Path) -> int:  # noqa: ARG001
    """Bytes from "256MB" (10⁶) or "64MiB" (2²⁰)."""
    low, high = spec["low"] or 0, spec["high"] or 1000**4
    expected = f'expected a size such as "256MB" or "64MiB", {show_size(low)} to {show_size(high)}'
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        raise Wrong(f'{expected}; did you mean "{show_size(value)}"?')
    match = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if match is None:
        raise Wrong(expected)
    size = float(match.group(1)) * _BYTES[match.group(2)]
    if not low <= size <= high:
        raise Wrong(expected)
    return round(size)


def show_size(count: float) -> str:
    """Bytes in the largest decimal unit that divides them."""
    for unit in ("GB", "MB", "kB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]:.0f}{unit}"
    return f"{count:.0f}B"


def parse_path(value: Any, spec: Mapping[str, Any], base: Path) -> Path:  # noqa: ARG001
    """A path, relative to the config's folder."""
    return base / _text(value, 'a path in quotes, such as "ca.pem"')


def parse_bundle(value: Any, spec: Mapping[str, Any], base: Path) -> Path:  # noqa: ARG001
    """As written: whether it is a folder or a name on the model path is known when it is looked for."""
    return Path(_text(value, "the path of a bundle folder, or the name of a bundle on the model path"))


def parse_lonlat(value: Any, spec: Mapping[str, Any], base: Path) -> tuple[float, float]:  # noqa: ARG001
    """Longitude and latitude in degrees, the order of GeoJSON."""
    expected = "expected [longitude, latitude] in degrees, such as [-4.728, 41.655]"
    raw = [node.value if isinstance(node, Node) else node for node in value] if isinstance(value, list) else []
    if len(raw) != 2 or not all(is_number(each) for each in raw):
        raise Wrong(expected)
    lon, lat = float(raw[0]), float(raw[1])
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        swapped = -180 <= lat <= 180 and -90 <= lon <= 90
        raise Wrong(f"{expected}, longitude −180 to 180, latitude −90 to 90" + ("; longitude goes first" if swapped else ""))
    return lon, lat


def parse_secret(value: Any, spec: Mapping[str, Any], base: Path) -> Secret:  # noqa: ARG001
    """The secret from { file = … } or { env = … }. Its text appears in no message."""
    expected = "expected { file = … } or { env = … }"
    if isinstance(value, str):
        raise Wrong(f"it is written in the clear: {expected}; put it into a file of its own (chmod 600) and name that here", hide=True)
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in ("file", "env"):
        raise Wrong(expected, hide=True)
    ((how, node),) = value.items()
    name = node.value
    if not isinstance(name, str) or not name or "\0" in name:
        raise Wrong(f"{how}: {expected} with a text in quotes", hide=True)
    return Secret(_from_environment(name) if how == "env" else _from_file(base / name, name))


def parse_url(value: Any, spec: Mapping[str, Any], base: Path) -> str:  # noqa: ARG001
    """The broker's URL: known scheme, a host, a possible port, no credentials."""
    url = _text(value, 'a URL such as "mqtt://broker.example:1883"')
    scheme = _known_scheme(url, MQTT_SCHEMES, 'a URL such as "mqtt://broker.example:1883"')
    _check_authority(url, scheme)
    parts = urlsplit(url)
    if parts.path not in ("", "/") and scheme in ("mqtt", "mqtts"):
        raise Wrong(f"expected host and port only; {scheme}:// has no path")
    if parts.query or parts.fragment:
        raise Wrong("expected host and port only, without ? and #")
    return url


def parse_source(value: Any, spec: Mapping[str, Any], base: Path) -> str:  # noqa: ARG001
    """A camera's source. The path of a file is resolved; whether the file is there is asked later."""
    from edge_runtime.config.absent import SOURCES
    from edge_runtime.sources import SCHEMES

    expected = "expected rtsp://… http://… v4l2:DEVICE gst:PIPELINE sim:SCENE or the path of a video file"
    text = _text(value, expected.removeprefix("expected "))
    match = _SCHEME.match(text)
    scheme = match.group(1).lower() if match is not None else ""
    if scheme in SOURCES:
        raise Wrong(f"{scheme}: {SOURCES[scheme]}; {expected}")
    if scheme == "sim":
        return _street(text)
    if match is not None and scheme not in SCHEMES:
        known = suggest(scheme, SCHEMES)
        raise Wrong(
            f"{scheme}: is no source that is known here: {expected}" + (f"; {known}" if known else "; a file whose name has a colon: file:NAME")
        )
    if scheme in ("rtsp", "rtsps", "http", "https"):
        if not text.lower().startswith(f"{scheme}://"):
            raise Wrong(f"expected {scheme}://host/…")
        _check_authority(text, scheme)
        return text
    if scheme in ("v4l2", "gst"):
        if not text.partition(":")[2].strip():
            raise Wrong("expected v4l2:/dev/video0" if scheme == "v4l2" else "expected gst:PIPELINE, such as gst:videotestsrc")
        return text
    return _resolve_footage(text, base)


def parse_sensor_source(value: Any, spec: Mapping[str, Any], base: Path) -> str:  # noqa: ARG001
    """A sensor's source: sim:load is the one that there is."""
    from edge_runtime.sources.sim.options import BadUrl, is_load, parse_sim

    expected = "expected sim:load?rate=EVENTS_PER_SECOND"
    text = _text(value, expected.removeprefix("expected "))
    if not is_load(text):
        raise Wrong(f"{expected}; no other source of a sensor is read in this version")
    try:
        parse_sim(text)
    except BadUrl as error:
        raise Wrong("; ".join(error.faults)) from None
    return text


def is_url(source: str) -> bool:
    """Whether a user name and a password mean anything to this source."""
    return source.partition(":")[0].lower() in ("rtsp", "rtsps", "http", "https")


KINDS: Mapping[str, Callable[[Any, Mapping[str, Any], Path], Any]] = {
    "duration": parse_duration,
    "size": parse_size,
    "path": parse_path,
    "bundle": parse_bundle,
    "lonlat": parse_lonlat,
    "secret": parse_secret,
    "url": parse_url,
    "source": parse_source,
    "sensor": parse_sensor_source,
}


def check_private(path: Path, shown: str) -> None:
    """Raises Wrong when others than the owner can read a file that holds a secret."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise Wrong(f'there is no file "{shown}" ({path})', hide=True) from None
    except OSError as error:
        raise Wrong(f'the file "{shown}" cannot be read: {error.strerror}', hide=True) from None
    if not stat.S_ISREG(mode):
        raise Wrong(f'"{shown}" is no regular file', hide=True)
    if mode & 0o077:
        raise Wrong(f'others can read the file "{shown}" (mode {mode & 0o777:04o}): expected its owner only; chmod 600 {path}', hide=True)


def _from_environment(name: str) -> str:
    if not _ENV_NAME.fullmatch(name):
        raise Wrong("env: expected the name of an environment variable, such as MQTT_PASSWORD", hide=True)
    value = os.environ.get(name)
    if not value:
        raise Wrong(
            f"the environment variable {name} is {'empty' if value == '' else 'not set'}: set it for the service (Environment= or EnvironmentFile=)",
            hide=True,
        )
    return value


def _from_file(path: Path, shown: str) -> str:
    check_private(path, shown)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SECRET_BYTES + 1)
        text = data.decode().rstrip("\r\n")
    except OSError as error:
        raise Wrong(f'the file "{shown}" cannot be read: {error.strerror}; chown it to the service\'s user', hide=True) from None
    except UnicodeDecodeError:
        raise Wrong(f'the file "{shown}" is not UTF-8 text: expected the secret on one line', hide=True) from None
    if len(data) > _MAX_SECRET_BYTES or any(ord(char) < 32 for char in text):
        raise Wrong(f'the file "{shown}" holds more than one line: expected the secret alone', hide=True)
    if not text:
        raise Wrong(f'the file "{shown}" is empty: expected the secret on one line', hide=True)
    return text


def _text(value: Any, expected: str) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise Wrong(f"expected {expected}")
    return value


def _known_scheme(url: str, known: tuple[str, ...], expected: str) -> str:
    match = _SCHEME.match(url)
    scheme = match.group(1).lower() if match is not None else ""
    if scheme not in known:
        near = suggest(scheme, known) if scheme else ""
        raise Wrong(f"expected {expected}, with {one_of([each + '://' for each in known])}" + (f"; {near}" if near else ""))
    if not url[len(scheme) :].startswith("://"):
        raise Wrong(f"expected {scheme}://host:port")
    return scheme


def _check_authority(url: str, scheme: str) -> None:
    rest = url.partition("://")[2]
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0] or ("@" in rest and not _port_is_number(rest)):
        raise Wrong("the URL holds credentials: expected them apart; write username = … and password = { file = … } and leave them out of the URL")
    if any(char.isspace() for char in url):
        raise Wrong("expected a URL without spaces")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Wrong(f"expected {scheme}://host:port, port 1–65535 ({error})") from None
    if not host:
        raise Wrong(f"the host is missing: expected {scheme}://host")
    if port == 0 or parts.netloc.endswith(":"):
        raise Wrong(f"expected {scheme}://host:port, port 1–65535")


def _port_is_number(rest: str) -> bool:
    """False for "user:pa/ss@host": what a parser takes for the port is the beginning of a password."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = authority.rpartition("]")[2].rpartition(":")
    return not port[1] or port[2].isdigit()


def _street(text: str) -> str:
    from edge_runtime.sources.sim.options import BadUrl, is_load, parse_sim

    if is_load(text):
        raise Wrong("sim:load shows nothing, so that no camera can be it: expected it as the source of a [[sensor]]")
    try:
        parse_sim(text)
    except BadUrl as error:
        raise Wrong("; ".join(error.faults)) from None
    return text


def _resolve_footage(text: str, base: Path) -> str:
    scheme = "file:" if text.lower().startswith("file:") else ""
    path = text[len(scheme) :].removeprefix("//") if scheme else text
    full = str(base / path)
    if "?" in path and not Path(full).exists():
        query = path.rpartition("?")[2]
        pairs = parse_qsl(query, keep_blank_values=True)
        if [key for key, _ in pairs] != ["loop"] or pairs[0][1] not in ("0", "1"):
            raise Wrong("after the ? expected loop=1 (repeat for ever) or loop=0")
    if not path.rpartition("?")[0] and path.startswith("?"):
        raise Wrong("the path of the file is missing")
    return scheme + full
