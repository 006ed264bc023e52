"""What the types of the schema say of themselves: keys, tables, defaults, and what a value may be, in words.

The loader, the JSON Schema and the reference in prose read the schema through here, so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from edge_runtime.config.schema import Config
from edge_runtime.config.tree import one_of
from edge_runtime.options import ID_PATTERN, key_of

Option = dataclasses.Field  # of the schema: a field made by options.option()


_known: dict[type[Any], Mapping[str, tuple[Option[Any], Any]]] = {}  # one entry a class of the schema


def fields_of(kind: type[Any]) -> Mapping[str, tuple[Option[Any], Any]]:
    """The options of a dataclass by their TOML keys, each with its type; what is hidden from users is left out."""
    if kind not in _known:
        hints = get_type_hints(kind)
        shown = [each for each in dataclasses.fields(kind) if not each.metadata.get("hidden")]
        _known[kind] = {key_of(each): (each, without_none(hints[each.name])) for each in shown}
    return _known[kind]


@functools.lru_cache(maxsize=1)
def tables() -> Mapping[tuple[str, ...], type[Any]]:
    """Every table of device.toml by its name: () is the file, ("camera", "line") is [[camera.line]]."""
    found: dict[tuple[str, ...], type[Any]] = {}

    def visit(kind: type[Any], path: tuple[str, ...]) -> None:
        found[path] = kind
        for key, (_, hint) in fields_of(kind).items():
            inner = table_type(hint)
            if inner is not None:
                visit(inner, (*path, key))

    visit(Config, ())
    return found


def homes(key: str) -> list[tuple[str, ...]]:
    """The tables that have this key."""
    return [name for name, kind in tables().items() if key in fields_of(kind)]


def table_type(hint: Any) -> type[Any] | None:
    """The dataclass of a table, or of a list of tables; None for a plain value."""
    inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
    return inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None


def is_listed(name: Sequence[str]) -> bool:
    """Whether a table stands in double brackets."""
    home = tables().get(tuple(name[:-1]))
    return home is not None and name[-1] in fields_of(home) and get_origin(fields_of(home)[name[-1]][1]) is tuple


def header(name: Sequence[str]) -> str:
    """How a table is written: [mqtt], [[camera.line]]; the file itself is "the top of the file"."""
    if not name:
        return "the top of the file"
    return f"[[{'.'.join(name)}]]" if is_listed(name) else f"[{'.'.join(name)}]"


def has_default(option: Option[Any]) -> bool:
    """Whether the key may be left out."""
    return option.default is not dataclasses.MISSING or option.default_factory is not dataclasses.MISSING


def default_of(option: Option[Any]) -> Any:
    """The value of a key that was left out. Only where `has_default`."""
    return option.default if option.default_factory is dataclasses.MISSING else option.default_factory()


def expectation(hint: Any, spec: Mapping[str, Any]) -> str:
    """What a type and its bounds allow: "1–120 frames/s", '"center" or "bottom"', "a list: [a text in quotes, …]"."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return one_of(inner)
    if origin in (Union, types.UnionType):
        return " or ".join(expectation(each, spec) for each in inner)
    if origin is tuple:
        words = [expectation(each, {}) for each in inner if each is not Ellipsis]
        return f"a list: [{words[0]}, …]" if inner[-1] is Ellipsis else f"[{', '.join(words)}]"
    if hint is bool:
        return "true or false"
    if hint in (int, float):
        return _bounds(spec) or ("a whole number" if hint is int else "a number")
    return "an id of a–z, 0–9 and single - between them" if spec.get("pattern") == ID_PATTERN else "a text in quotes"


def without_none(hint: Any) -> Any:
    """A type without the None that stands for "not written"."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    rest = [each for each in get_args(hint) if each is not type(None)]
    return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 - made at run time


def _bounds(spec: Mapping[str, Any]) -> str:
    low, high = spec.get("low"), spec.get("high")
    if low is None and high is None:
        return ""
    words = f"at most {high:g}" if low is None else f"at least {low:g}" if high is None else f"{low:g}–{high:g}"
    return f"{words} {spec.get('unit') or ''}".rstrip()
