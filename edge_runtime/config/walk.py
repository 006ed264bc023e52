"""From the tree of a file to the dataclasses of the schema, every problem collected on the way.

The types say what is expected: bool, int, float, str, Literal, X | None, int | Literal["auto"], tuple[X, ...], tuple[X, Y], a dataclass, or what a
`kind` of config/values.py parses. Types are exact: true is no number, 5 is a fine float, "5" is neither, NaN and infinity are refused everywhere.

A value that is wrong is replaced by its default (or by an empty one) so that the walk, and the checks after it, can go on and find the rest; the
path is remembered as bad, and such a config is never handed out.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from edge_runtime.config.absent import absent_key, absent_value
from edge_runtime.config.hints import Option, default_of, expectation, fields_of, has_default, header, homes, table_type
from edge_runtime.config.tree import Node, Path, describe, nearest, show, suggest
from edge_runtime.config.values import KINDS, Wrong, is_number
from edge_runtime.errors import Problem
from edge_runtime.options import ID_PATTERN

T = TypeVar("T")
BAD: Any = object()  # what a value came to when a problem was noted

MAX_ITEMS = 4096  # of one list: far more cameras, lines or corners than a device can have


class Walk:
    """One walk over one file. `problems` in the order of finding; `bad` holds the paths of values that were wrong."""

    def __init__(self, root: Node, name: str, base: FilePath) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.bad: set[Path] = set()
        self._name = name
        self._base = base

    def table(self, kind: type[T], node: Node, path: Path) -> T:
        """The dataclass `kind` from a table; with stand-ins where something was wrong."""
        fields = fields_of(kind)
        misspelt = self._refuse_unknown(node, path, fields)
        values: dict[str, Any] = {}
        for key, (option, hint) in fields.items():
            here = (*path, key)
            below = node.child(key)
            if below is not None:
                value = self._option(option, hint, below, here)
            else:
                value = BAD if key in misspelt else self._missing(option, hint, here)
            values[option.name] = _stand_in(option, hint) if value is BAD else value
        return kind(**values)

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _option(self, option: Option[Any], hint: Any, node: Node, path: Path) -> Any:
        spec = option.metadata
        parse = KINDS.get(spec["kind"])
        if parse is None:
            return self._value(hint, spec, node, path)
        try:
            return parse(node.value, spec, self._base)
        except Wrong as wrong:
            return self._wrong(path, str(wrong), shown="" if wrong.hide else show(node.value))

    def _value(self, hint: Any, spec: Mapping[str, Any], node: Node, path: Path) -> Any:
        refused = absent_value(_keys(path), node.value)
        if refused:
            return self._wrong(path, refused, shown=show(node.value))
        kind = table_type(hint)
        if kind is not None and get_origin(hint) is not tuple:
            if isinstance(node.value, dict):
                return self.table(kind, node, path)
            return self._wrong(path, f"expected a table, written as {header(_keys(path))}", shown=show(node.value))
        if get_origin(hint) is tuple:
            return self._sequence(hint, spec, node, path)
        fits, value = _scalar(hint, spec, node.value)
        if fits:
            return value
        return self._wrong(path, f"expected {expectation(hint, spec)}{_meant(hint, spec, node.value)}", shown=show(node.value))

    def _sequence(self, hint: Any, spec: Mapping[str, Any], node: Node, path: Path) -> Any:
        inner = get_args(hint)
        endless = inner[-1] is Ellipsis
        expected = f"tables, each written as {header(_keys(path))}" if table_type(hint) else expectation(hint, spec)
        if isinstance(node.value, dict) and table_type(hint):
            return self._wrong(path, f"[{'.'.join(_keys(path))}] stands in single brackets: expected {expected}", bare=True)
        if not isinstance(node.value, list):
            return self._wrong(path, f"expected {expected}", shown=show(node.value))
        count = len(node.value)
        if count > MAX_ITEMS:
            return self._wrong(path, f"expected at most {MAX_ITEMS} values, found {count}")
        if not endless and count != len(inner):
            return self._wrong(path, f"expected {expected}, found {count} value{'' if count == 1 else 's'}", shown=show(node.value))
        kinds = [inner[0]] * count if endless else list(inner)
        items = [self._value(kind, spec, each, (*path, index)) for index, (kind, each) in enumerate(zip(kinds, node.value, strict=True))]
        return BAD if any(item is BAD for item in items) else tuple(items)

    def _missing(self, option: Option[Any], hint: Any, path: Path) -> Any:
        if has_default(option):
            return default_of(option)
        kind = table_type(hint)
        if kind is not None:
            needed = [key for key, (each, _) in fields_of(kind).items() if not has_default(each)]
            return self._wrong(path, f"{header(_keys(path))} is missing: expected it with {' and '.join(needed)}", bare=True)
        doc: str = option.metadata["doc"]
        return self._wrong(path, f"{path[-1]} is missing: expected {expectation(hint, option.metadata)} ({doc.rstrip('.')})", bare=True)

    def _refuse_unknown(self, node: Node, path: Path, known: Mapping[str, Any]) -> set[str]:
        """Note every key that is not in the schema. Returns the keys that were meant by them: those are not missing."""
        meant: set[str] = set()
        for key, value in node.value.items():
            if key in known:
                continue
            here: Path = (*path, key)
            shown = _written(_keys(here), value)
            refused = absent_key(_keys(here))
            if refused:
                self._wrong(here, f"{shown} {refused}", bare=True)
                continue
            kind = "table" if shown.startswith("[") else "key"
            self._wrong(here, f"unknown {kind} {shown}: {_place_for(key, _keys(path), known)}", bare=True)
            near = nearest(key, known)
            if near is not None and near not in node.value:
                meant.add(near)
                self.bad.add((*path, near))
        return meant

    def _wrong(self, path: Path, message: str, *, shown: str = "", bare: bool = False) -> Any:
        """Note a problem at `path`; returns BAD. `bare`: the message names the key itself."""
        self.bad.add(path)
        self.problems.append(problem_at(self.root, self._name, path, message, shown=shown, bare=bare))
        return BAD


def problem_at(root: Node, name: str, path: Path, message: str, *, shown: str = "", bare: bool = False) -> Problem:
    """A problem with its file, line and object. `shown` is the wrong value, `bare` leaves the key out of the sentence."""
    node = root.nearest(path)
    where, label = describe(root, path)
    sentence = message if bare or not label else f"{label} = {shown}: {message}" if shown else f"{label}: {message}"
    return Problem(f"--set {node.override}", 0, where, sentence) if node.override else Problem(name, node.line, where, sentence)


def _scalar(hint: Any, spec: Mapping[str, Any], value: Any) -> tuple[bool, Any]:
    """Whether a raw value fits a type, and what the config keeps."""
    if get_origin(hint) in (Union, types.UnionType):
        return next((answer for answer in (_scalar(each, spec, value) for each in get_args(hint)) if answer[0]), (False, None))
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint), value
    if hint is bool:
        return isinstance(value, bool), value
    if hint in (int, float):
        fits = is_number(value) and (hint is float or isinstance(value, int)) and _within(spec, value)
        return fits, hint(value) if fits else None
    fits = isinstance(value, str) and value.strip() != "" and all(ord(char) >= 32 and ord(char) != 127 for char in value)
    return fits and (spec.get("pattern") is None or re.fullmatch(spec["pattern"], value) is not None), value


def _within(spec: Mapping[str, Any], value: float) -> bool:
    low, high = spec.get("low"), spec.get("high")
    return (low is None or value >= low) and (high is None or value <= high)


def _meant(hint: Any, spec: Mapping[str, Any], value: Any) -> str:
    """What the user probably meant, as the end of a sentence."""
    near = ""
    if isinstance(value, str):
        if get_origin(hint) is Literal:
            near = suggest(value, get_args(hint))
        elif spec.get("pattern") == ID_PATTERN:
            fixed = re.sub(r"[^a-z0-9]+", "-", value.lower()[:60]).strip("-")
            near = f'did you mean "{fixed}"?' if fixed else ""
        elif hint in (int, float) and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value):
            near = "write the number without quotes"
        elif hint is bool and value.lower() in ("true", "false", "yes", "no", "on", "off"):
            near = f"write {'true' if value.lower() in ('true', 'yes', 'on') else 'false'} without quotes"
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and (hint is str or get_origin(hint) is Literal):
        near = "write it in quotes"
    return f"; {near}" if near else ""


def _place_for(key: str, here: tuple[str, ...], known: Mapping[str, Any]) -> str:
    """What to do about an unknown key of table `here`."""
    near = suggest(key, known)
    elsewhere = [header(home) for home in homes(key) if home != here]
    if elsewhere:
        return f"it belongs in {' or '.join(elsewhere)}" + (f"; or {near}" if near else "")
    return near or f"expected one of: {', '.join(sorted(known))}"


def _written(name: tuple[str, ...], node: Node) -> str:
    """How the user wrote something unknown: [[sensor]], [web], or a key in quotes."""
    listed = isinstance(node.value, list) and bool(node.value) and isinstance(node.value[0].value, dict)
    if listed or isinstance(node.value, dict):
        dotted = show(".".join(name))[1:-1]
        return f"[[{dotted}]]" if listed else f"[{dotted}]"
    return show(name[-1])


def _stand_in(option: Option[Any], hint: Any) -> Any:
    """What the walk goes on with in place of a wrong value."""
    if has_default(option):
        return default_of(option)
    kind = table_type(hint)
    if kind is not None:
        return kind(**{each.name: _stand_in(each, inner) for each, inner in fields_of(kind).values()})
    return () if get_origin(hint) is tuple else {str: "", FilePath: FilePath()}.get(hint, 0)


def _keys(path: Path) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))
