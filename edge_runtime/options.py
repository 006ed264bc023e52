"""How options of the config are declared: beside the code that they configure, with bounds, unit and a one-sentence description.

`config/schema.py` composes them, `config/load.py` walks them, and the JSON Schema for editors is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field
from typing import Any

ID_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*"
Point = tuple[float, float]


def option(
    doc: str,
    *,
    default: Any = ...,
    factory: Any = None,
    low: float | None = None,
    high: float | None = None,
    pattern: str | None = None,
    unit: str = "",
    kind: str = "",
) -> Any:
    """A dataclass field with what the loader and the docs need.

    `kind` picks a parser of its own where the type alone does not say enough (the table is config/values.py's KINDS): size, duration, path,
    secret, url, source, bundle, lonlat; `points` marks corners in a picture.
    """
    metadata = {"doc": doc, "low": low, "high": high, "pattern": pattern, "unit": unit, "kind": kind}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def key_of(option_field: Field[Any]) -> str:
    """The option's key in TOML: a duration carries its unit in the value ("5m"), so its key does without: interval_s is `interval`."""
    spec: Mapping[str, Any] = option_field.metadata
    return option_field.name.removesuffix("_s") if spec.get("kind") == "duration" else option_field.name


class Secret:
    """A password or token. Printing, logging or formatting it shows stars; `reveal()` is for the one place that uses it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
