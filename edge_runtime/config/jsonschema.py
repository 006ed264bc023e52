"""The JSON Schema (draft 2020-12) of device.toml, made from the types: editors complete and check the file with it.

It knows less than `check` does: nothing that depends on two keys, on files or on the machine.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from edge_runtime.config.absent import VALUES
from edge_runtime.config.hints import default_of, fields_of, has_default, table_type
from edge_runtime.config.schema import Config
from edge_runtime.config.values import MQTT_SCHEMES, show_duration, show_size
from edge_runtime.types import Json

_DURATION = r"^([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?$"
_SIZE = r"^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)$"
_SECRET = {
    "type": "object",
    "properties": {"file": {"type": "string", "minLength": 1}, "env": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_LONLAT = [{"type": "number", "minimum": -180, "maximum": 180}, {"type": "number", "minimum": -90, "maximum": 90}]
_TEXT = {"type": "string", "minLength": 1}
_KINDS: Mapping[str, Json] = {
    "duration": {"type": "string", "pattern": _DURATION, "minLength": 2},
    "size": {"type": "string", "pattern": _SIZE},
    "path": _TEXT,
    "bundle": _TEXT,
    "source": _TEXT,
    "sensor": {"type": "string", "pattern": "^sim:load"},
    "url": {"type": "string", "pattern": f"^({'|'.join(MQTT_SCHEMES)})://[^@]+$"},
    "lonlat": {"type": "array", "prefixItems": _LONLAT, "items": False, "minItems": 2},
    "secret": _SECRET,
}


def schema() -> Json:
    """The whole schema, ready for json.dumps."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "device.toml of edge-runtime",
        **_table(Config, ()),
    }


def written_default(value: Any, kind: str) -> Json:
    """A default as the user would write it in TOML; None for what has no form there."""
    if kind == "duration":
        return show_duration(value)
    if kind == "size":
        return show_size(value)
    if isinstance(value, tuple):
        return [written_default(each, "") for each in value]
    return str(value) if isinstance(value, Path) else value


def _table(kind: type[Any], name: tuple[str, ...]) -> Json:
    fields = fields_of(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").partition("\n")[0],
        "properties": {key: _option(option, hint, (*name, key)) for key, (option, hint) in fields.items()},
        "required": [key for key, (option, _) in fields.items() if not has_default(option)],
        "additionalProperties": False,
    }


def _option(option: Any, hint: Any, name: tuple[str, ...]) -> Json:
    spec = option.metadata
    inner = table_type(hint)
    if inner is not None:
        table = _table(inner, name)
        return {"type": "array", "items": table} if get_origin(hint) is tuple else table
    about: dict[str, Json] = {"description": spec["doc"]}
    if has_default(option) and default_of(option) is not None:
        about["default"] = written_default(default_of(option), spec["kind"])
    return {**about, **(_KINDS[spec["kind"]] if spec["kind"] in _KINDS else _value(hint, spec, name))}


def _value(hint: Any, spec: Mapping[str, Any], name: tuple[str, ...]) -> dict[str, Json]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": [each for each in inner if each not in VALUES.get(name, {})]}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(each, spec, name) for each in inner]}
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return {"type": "array", "items": _value(inner[0], {}, name)}
        return {"type": "array", "prefixItems": [_value(each, {}, name) for each in inner], "items": False, "minItems": len(inner)}
    return _scalar(hint, spec)


def _scalar(hint: Any, spec: Mapping[str, Any]) -> dict[str, Json]:
    if hint is bool:
        return {"type": "boolean"}
    if hint in (int, float):
        bounds = {"minimum": spec.get("low"), "maximum": spec.get("high")}
        return {"type": "integer" if hint is int else "number", **{key: value for key, value in bounds.items() if value is not None}}
    pattern = spec.get("pattern")
    return {**_TEXT, "pattern": f"^{pattern}$"} if pattern else dict(_TEXT)
