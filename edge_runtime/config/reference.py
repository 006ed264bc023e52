"""The reference of device.toml in prose, made from the types: `python -m edge_runtime.config.reference > deploy/CONFIG.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from edge_runtime.config.absent import KEYS, VALUES
from edge_runtime.config.hints import default_of, expectation, fields_of, has_default, header, table_type, tables
from edge_runtime.config.jsonschema import written_default
from edge_runtime.config.topics import topics_of
from edge_runtime.config.tree import one_of
from edge_runtime.config.values import show_duration, show_size

_HEAD = """\
# device.toml: every key

Made from the code by `python -m edge_runtime.config.reference > deploy/CONFIG.md`; a test fails when it is out of date. `device.toml` beside this
file is an example. `edge-runtime check --config device.toml` says everything that is wrong with a file at once; `edge-runtime check --schema` prints
the JSON Schema for editors. Any key can be replaced for one run with `--set`: `--set camera.main-st-n.fps=5`.

- Paths are relative to the file.
- Durations are written with their unit: `"500ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"7d"`; sizes too: `"256MB"` (10⁶), `"64MiB"` (2²⁰).
- Secrets are never in the file: `{ file = "mqtt.password" }` (only its owner may read it: `chmod 600`) or `{ env = "MQTT_PASSWORD" }`.
- Points are `[x, y]` as fractions (0–1) of the upright picture's width and height; with `units = "px"` they are pixels of a picture of `size`.
"""

_TOPICS = """\
## Topics

All topics begin with `edge/v1/<site>/<node>`. What is spooled waits on disk until the broker has acknowledged it; what is not is only for those who
look now. `check` lists the topics of a config, and the broker rules that it needs.

| topic | QoS | kept | says |
|---|---|---|---|
"""

_ABSENT = """\
## Not in this version

These are refused in words of their own, never ignored.

"""


def reference() -> str:
    """The whole text."""
    return "\n".join([_HEAD, *_tables(), _TOPICS + "\n".join([*_topics(), ""]), _ABSENT + "\n".join(_absent())]) + "\n"


def _tables() -> Iterator[str]:
    for name, kind in tables().items():
        if not name:
            continue
        about = (kind.__doc__ or "").strip()
        needed = " Must be written." if not has_default(fields_of(tables()[name[:-1]])[name[-1]][0]) else ""
        yield f"## {header(name)}\n\n{about}{needed}\n\n| key | value | default | |\n|---|---|---|---|"
        for key, (option, hint) in fields_of(kind).items():
            if table_type(hint) is None:
                yield f"| `{key}` | {_cell(_allowed(option, hint, (*name, key)))} | {_cell(_default(option))} | {_cell(option.metadata['doc'])} |"
        yield ""


def _allowed(option: Any, hint: Any, name: tuple[str, ...]) -> str:
    spec = option.metadata
    if get_origin(hint) is Literal:
        return one_of([each for each in get_args(hint) if each not in VALUES.get(name, {})])
    low, high = spec["low"], spec["high"]
    words = {
        "duration": f"a duration, {show_duration(low or 0)} to {show_duration(high or 366 * 86400)}",
        "size": f"a size, at least {show_size(low or 0)}",
        "path": "a path",
        "bundle": "a path or a name",
        "secret": "`{ file = … }` or `{ env = … }`",
        "url": "a URL",
        "source": "a URL or a path",
        "sensor": "a URL",
        "lonlat": "`[longitude, latitude]`",
        "points": "a list of polygons" if _depth(hint) > 2 else "two points" if Ellipsis not in get_args(hint) else "a list of points",
    }
    return words.get(spec["kind"]) or expectation(hint, spec)


def _depth(hint: Any) -> int:
    """How many lists stand in each other."""
    return 1 + _depth(get_args(hint)[0]) if get_origin(hint) is tuple else 0


def _default(option: Any) -> str:
    if not has_default(option):
        return "**must be written**"
    value = written_default(default_of(option), option.metadata["kind"])
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _topics() -> Iterator[str]:
    from edge_runtime.analyse.line import LineOptions
    from edge_runtime.analyse.zone import ZoneOptions
    from edge_runtime.config.schema import CameraConfig, Config, DeviceConfig, SensorConfig

    line = LineOptions(name="line", points=((0.0, 0.5), (1.0, 0.5)))
    zone = ZoneOptions(name="zone", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    camera = CameraConfig(name="<camera>", source="", model="", live=True, line=(line,), zone=(zone,))
    sensor = SensorConfig(name="<sensor>", source="")
    for topic in topics_of(Config(device=DeviceConfig(site="<site>", node="<node>"), camera=(camera,), sensor=(sensor,))):
        kept = "retained" if topic.retained else "spooled" if topic.spooled else ""
        yield f"| `{topic.name.removeprefix('edge/v1/<site>/<node>/')}` | {topic.qos} | {kept} | {_cell(topic.says)} |"


def _absent() -> Iterator[str]:
    for name, why in KEYS.items():
        yield f"- `{'.'.join(name)}`: {why}."
    for name, values in VALUES.items():
        yield from (f'- `{".".join(name)} = "{value}"`: {why}.' for value, why in values.items())


def _cell(text: str) -> str:
    """A table's cell: bars would end it, and what stands in <…> would be taken for a tag."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "\\<")


if __name__ == "__main__":
    sys.stdout.write(reference())
