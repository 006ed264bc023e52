"""The demo's device.toml: a file like any other, written where it is told, so that whoever has seen the demo can go on from it.

what is shown                       source                                  lines
a street of the package's own       sim:junction?seed=1…                    those that the scene brings
--camera URL                        the URL; its login in a file apart      one across the middle of the picture
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_runtime.errors import CannotStart, ConfigError, Problem
from edge_runtime.infer.bundle import Bundle, find_bundle, load_bundle
from edge_runtime.runtime.demo.score import CLASSES
from edge_runtime.sources.sim.street import CountLine, Zone

MODEL = "street-nano"
OWN_BROKER = "mqtt://127.0.0.1:1883"  # what a config to keep is written for
PASSWORD_FILE = "camera.password"
CAMERA = "own"  # name of one's own camera
MIDDLE = (CountLine("middle", ((0.02, 0.5), (0.98, 0.5)), "down", "up"),)
FPS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to show. `camera` None: the simulated street that `scene`, `seed`, `density` and `weather` say. `model`: a bundle's name or folder."""

    camera: str | None = None
    model: str = MODEL
    scene: str = "junction"
    seed: int = 1
    density: float = 1.0
    weather: str = "day"

    @property
    def street(self) -> str:
        """The simulated street as a source."""
        return f"sim:{self.scene}?seed={self.seed}&density={self.density:g}&weather={self.weather}"


def write_device(options: DemoOptions, file: Path, broker: str, *, protocol: str = "5") -> None:
    """Write device.toml at `file`, and a camera's password beside it: both or neither. Nothing that is there is overwritten.

    Raises BundleError (no such model), ConfigError (what the options name cannot be used), CannotStart (the file cannot be written).
    """
    bundle = _bundle(options.model)
    source, login = _source(options)
    secret = f"password = {{ file = {json.dumps(PASSWORD_FILE)} }}\n" if login.get("password") else ""
    username = f"username = {_text(login['username'])}\n" if login.get("username") else ""
    model = options.model if bundle.folder.name == options.model else str(bundle.folder.absolute())
    classes = [label for label in CLASSES if label in bundle.manifest.labels]
    lines, zones = _rules(options)
    text = _CONFIG.format(
        about="your camera" if options.camera else "a simulated street: nothing of it was filmed",
        url=broker,
        protocol=f'protocol = "{protocol}"              # all that the demo\'s own broker speaks; others speak 5\n' if protocol != "5" else "",
        bundle=_text(model),
        name=CAMERA if options.camera else options.scene,
        source=_text(source),
        login=username + secret,
        fps=f"{FPS:g}",
        classes=f"classes = {json.dumps(classes)}\n" if classes else "",
        rules="".join([*(_line(line) for line in lines), *(_zone(zone) for zone in zones)]),
    )
    _write(file, text)
    if secret:
        try:
            _write(file.with_name(PASSWORD_FILE), login["password"] + "\n")
        except CannotStart:
            file.unlink()
            raise


def _bundle(model: str) -> Bundle:
    return load_bundle(find_bundle(model, Path()))


def _source(options: DemoOptions) -> tuple[str, dict[str, str]]:
    """The source as device.toml has it, and what stands apart from it. Raises ConfigError."""
    if options.camera is None:
        return options.street, {}
    url = options.camera
    if "://" not in url:
        return _absolute(url), {}
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        login = {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    except ValueError as error:
        raise ConfigError([Problem("--camera", 0, "", f"is no URL: {error}")]) from None
    return parts._replace(netloc=host).geturl(), login


def _absolute(source: str) -> str:
    """A file's path as it is meant where the user stands; a device or a pipeline as it is."""
    scheme = source.partition(":")[0]
    if scheme in ("v4l2", "gst", "sim"):
        return source
    return str(Path(source.removeprefix("file:")).expanduser().absolute())


def _rules(options: DemoOptions) -> tuple[Sequence[CountLine], Sequence[Zone]]:
    if options.camera is not None:
        return MIDDLE, ()
    from edge_runtime.sources.sim.scenes import SCENES

    scene = SCENES[options.scene]
    return scene.lines, scene.zones


def _line(line: CountLine) -> str:
    points = ", ".join(f"[{x:g}, {y:g}]" for x, y in line.points)
    return f"""
  [[camera.line]]
  name = "{line.name}"
  points = [{points}]
  forward = {_text(line.forward)}
  backward = {_text(line.backward)}
"""


def _zone(zone: Zone) -> str:
    points = ", ".join(f"[{x:g}, {y:g}]" for x, y in zone.polygon)
    return f"""
  [[camera.zone]]
  name = "{zone.name}"
  polygon = [{points}]
"""


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(file: Path, text: str) -> None:
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if file.name == PASSWORD_FILE else 0o644)
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise CannotStart(f"{file}: is there already, and is not overwritten: give another name, or remove it") from None
    except OSError as error:
        raise CannotStart(f"{file}: cannot be written: {error.strerror}; give a folder that takes it") from None


_CONFIG = """\
# What `edge-runtime demo` runs: {about}. Every key is optional but names, sources and models;
# `edge-runtime check --config FILE` says what is wrong with a change, `edge-runtime --config FILE` runs it.

[device]
site = "demo"
node = "street"
health = "1s"                       # often, because somebody watches; 10s is the default

[mqtt]
url = "{url}"
{protocol}
[spool]
path = "spool.db"                   # messages wait here until the broker has acknowledged them

[[model]]
name = "street"
bundle = {bundle}

[[camera]]
name = "{name}"
source = {source}
{login}model = "street"
fps = {fps}
{classes}interval = "10s"                    # a counting window; 5m is the default
{rules}"""
