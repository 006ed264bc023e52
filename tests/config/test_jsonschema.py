"""The JSON Schema takes what the loader takes, and refuses what it can know to be wrong; checked with a validator of the test's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from edge_runtime.config.hints import tables
from edge_runtime.config.jsonschema import schema
from tests.config.street import GOOD, changed

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {"$schema", "title", "description", "default", "type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems"}
KNOWN |= {"enum", "anyOf", "pattern", "minLength", "minimum", "maximum", "minProperties", "maxProperties"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def faults(value: Any, rule: Any, path: str = "") -> Iterator[str]:
    """Where `value` breaks `rule`: the keywords of draft 2020-12 that the schema uses, no others."""
    if rule is False:
        yield f"{path}: nothing is allowed here"
        return
    assert set(rule) <= KNOWN, set(rule) - KNOWN
    if "anyOf" in rule and all(list(faults(value, each, path)) for each in rule["anyOf"]):
        yield f"{path}: none of anyOf"
    if "enum" in rule and value not in rule["enum"]:
        yield f"{path}: not in {rule['enum']}"
    kind = rule.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: no {kind}"
        return
    if isinstance(value, str):
        if len(value) < rule.get("minLength", 0) or not re.search(rule.get("pattern", ""), value):
            yield f"{path}: text"
    elif isinstance(value, (int, float)):
        if not rule.get("minimum", value) <= value <= rule.get("maximum", value):
            yield f"{path}: bounds"
    elif isinstance(value, list):
        yield from list_faults(value, rule, path)
    elif isinstance(value, dict):
        yield from table_faults(value, rule, path)


def list_faults(value: list[Any], rule: Any, path: str) -> Iterator[str]:
    first = rule.get("prefixItems", [])
    if len(value) < rule.get("minItems", 0):
        yield f"{path}: too short"
    for index, each in enumerate(value):
        yield from faults(each, first[index] if index < len(first) else rule.get("items", {}), f"{path}[{index}]")


def table_faults(value: dict[str, Any], rule: Any, path: str) -> Iterator[str]:
    if not rule.get("minProperties", 0) <= len(value) <= rule.get("maxProperties", len(value)):
        yield f"{path}: number of keys"
    yield from (f"{path}.{key}: missing" for key in rule.get("required", ()) if key not in value)
    for key, each in value.items():
        yield from faults(each, rule["properties"].get(key, rule["additionalProperties"]), f"{path}.{key}")


def broken(text: str) -> list[str]:
    return list(faults(tomlkit.parse(text).unwrap(), schema()))


def test_schema_takes_what_loads() -> None:
    assert broken(GOOD) == []
    for file in sorted((ROOT / "deploy").glob("*.toml")):
        assert broken(file.read_text(encoding="utf-8")) == [], file


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("fps = 10", "fps = 0", ".camera[0].fps"),
        ("fps = 10", 'fps = "10"', ".camera[0].fps"),
        ("fps = 10", "fsp = 10", ".camera[0].fsp"),
        ("commit_ms = 200", "commit_ms = true", ".spool.commit_ms"),
        ('interval = "5m"', "interval = 300", ".camera[0].interval"),
        ('interval = "5m"', 'interval = "5min"', ".camera[0].interval"),
        ('max_bytes = "256MB"', 'max_bytes = "256"', ".spool.max_bytes"),
        ('node = "cam-017"', 'node = "Cam"', ".device.node"),
        ('site = "north"\n', "", ".device.site"),
        ("[-4.728, 41.655]", "[-4.728, 141.655]", ".device.location[1]"),
        ("[-4.728, 41.655]", "[-4.728]", ".device.location"),
        ("[0.73, 0.69]]", "[0.73]]", ".camera[0].line[0].points[1]"),
        ("[0.73, 0.69]]", "[0.73, 0.69], [1, 1]]", ".camera[0].line[0].points[2]"),
        ('anchor = "center"', 'anchor = "centre"', ".camera[0].line[0].anchor"),
        ('threads = "auto"', 'threads = "all"', ".model[0].threads"),
        ('{ file = "mqtt.password" }', '"hunter2"', ".mqtt.password"),
        ('{ file = "mqtt.password" }', '{ file = "a", env = "b" }', ".mqtt.password"),
        ("mqtts://broker", "mqtts://u:p@broker", ".mqtt.url"),
        ("[log]", '[privacy]\nmode = "open"\n[log]', ".privacy.mode"),
        ("[log]", "[web]\nx = 1\n[log]", ".web"),
    ],
)
def test_schema_refuses_what_it_can_know(before: str, after: str, path: str) -> None:
    assert path in [fault.partition(":")[0] for fault in broken(changed(before, after))]


def test_schema_is_json_and_describes_every_key() -> None:
    whole = json.loads(json.dumps(schema()))
    seen = []

    def visit(rule: Any, name: tuple[str, ...]) -> None:
        seen.append(name)
        for key, one in rule["properties"].items():
            listed = one.get("type") == "array" and "properties" in (one.get("items") or {})
            each = one["items"] if listed else one
            assert each["description"], (name, key)
            if each.get("additionalProperties") is False and set(each["properties"]) != {"file", "env"}:
                visit(each, (*name, key))

    visit(whole, ())
    assert sorted(seen) == sorted(tables())
