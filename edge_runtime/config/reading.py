"""A file of TOML to a tree of nodes with places, or one Problem that a person can act on: never another exception.

tomlkit decides what is valid and what the values are; places.py says where they stand.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from edge_runtime.config.places import Lost, Places, Spot, Twice
from edge_runtime.config.tree import Node
from edge_runtime.errors import ConfigError, Problem

MAX_BYTES = 1_000_000

_SENTENCES = {
    "EmptyKeyError": "a name is missing before the =",
    "EmptyTableNameError": "a table has no name: expected [name]",
    "InvalidNumberError": "this is no number: expected digits such as 10 or 0.5, or a text in quotes",
    "InvalidDateTimeError": "this is no date and time",
    "InvalidDateError": "this is no date",
    "InvalidTimeError": "this is no time",
    "InvalidUnicodeValueError": "an escape \\u… in a text names no character",
    "InvalidCharInStringError": "a text holds an escape that TOML does not know: write \\\\ for a backslash, or use '…' quotes",
    "InvalidControlChar": "a control character: remove it, or write it as an escape",
    "UnexpectedEofError": "the file ends in the middle of something: a quote, a ] or a } is missing here or above",
    "MixedArrayTypesError": "a list mixes kinds of values",
}


def read(file: Path) -> Node:
    """The tree of a file. Raises ConfigError with one problem when it cannot be read or is no TOML."""
    return parse(_text(file), str(file))


def parse(text: str, name: str) -> Node:
    """The tree of a text; `name` is the file in messages. Raises ConfigError."""
    import tomlkit
    from tomlkit.exceptions import ParseError, TOMLKitError

    try:
        data = tomlkit.parse(text).unwrap()
    except RecursionError:
        raise _wrong(name, 0, "lists or tables are nested too deeply") from None
    except ParseError as error:
        raise _invalid(text, name, error.line, type(error).__name__, str(error)) from None
    except (TOMLKitError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError) as error:
        # Beside its own errors the parser has let others out on mangled input.
        raise _invalid(text, name, 0, type(error).__name__, str(error)) from None
    places = _places(text)
    if places is not None and places.twice is not None:
        raise _written_twice(name, places.twice)
    return _graft(data, places.root if places is not None else Spot(1), 1)


def parse_value(text: str) -> Any:
    """One TOML value without places, for --set. Raises ValueError when it is none."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        data = tomlkit.parse(f"value = {text}\n").unwrap()
    except (TOMLKitError, RecursionError, TypeError, KeyError, IndexError, AttributeError, AssertionError, RuntimeError) as error:
        raise ValueError(str(error)) from None
    if set(data) != {"value"}:
        raise ValueError("more than one value")
    return data["value"]


def node_of(value: Any, line: int, override: str = "") -> Node:
    """A plain value as a node, everything at one place."""
    if isinstance(value, dict):
        return Node({key: node_of(each, line, override) for key, each in value.items()}, line, override)
    if isinstance(value, list):
        return Node([node_of(each, line, override) for each in value], line, override)
    return Node(value, line, override)


def _text(file: Path) -> str:
    name = str(file)
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _wrong(name, 0, "is a folder: expected the file itself, such as device.toml")
        if not stat.S_ISREG(status.st_mode):
            raise _wrong(name, 0, "is not a regular file: expected a TOML file")
        if status.st_size > MAX_BYTES:
            raise _wrong(name, 0, f"has {status.st_size:,} bytes: expected at most {MAX_BYTES:,}; is this the right file?")
        data = file.read_bytes()
    except FileNotFoundError:
        raise _wrong(name, 0, "no such file: check --config") from None
    except PermissionError:
        raise _wrong(name, 0, f"may not be read by this user: chown it to the service's user, or chmod u+r {name}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _wrong(name, 0, f"cannot be read: {reason}") from None
    if b"\0" in data:
        raise _wrong(name, _line_at(data, data.index(b"\0")), "holds a NUL byte: this is no text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_at(data, error.start)
        raise _wrong(name, line, f"byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8") from None


def _line_at(data: bytes, at: int) -> int:
    return 1 + data.count(b"\n", 0, at)


def _invalid(text: str, name: str, line: int, kind: str, message: str) -> ConfigError:
    places = _places(text)
    if places is not None and places.twice is not None:
        return _written_twice(name, places.twice)
    sentence = _SENTENCES.get(kind) or _plain(message)
    if kind == "UnexpectedCharError":
        if r"'\x00'" in message:
            sentence = "the file ends where a value, a ] or a } is missing"
        elif r"'\n'" in message or r"'\r'" in message:
            sentence = "the value is missing"
        else:
            sentence = f'{sentence}; a text needs quotes, as in name = "north"'
    elif kind == "InvalidControlChar" and r"\u000a" in message:
        sentence = "a quote is not closed in this line"
    return _wrong(name, line, f"not valid TOML: {sentence}")


def _plain(message: str) -> str:
    """The parser's own words, as the end of a sentence."""
    words = (message.rpartition(" at line ")[0] or message)[:160] or "this is no TOML"
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def _written_twice(name: str, twice: Twice) -> ConfigError:
    return _wrong(name, twice.line, f"{twice.name} is written twice: it stands in line {twice.first} already; keep one of them")


def _wrong(name: str, line: int, message: str) -> ConfigError:
    return ConfigError([Problem(name, line, "", message)])


def _places(text: str) -> Places | None:
    """The scan, or None for what it cannot follow."""
    try:
        return Places(text)
    except Lost:
        return None


def _graft(value: Any, spot: Spot | None, line: int) -> Node:
    """The parser's value on the scan's places; what the scan did not see stands where its parent does."""
    line = spot.line if spot is not None else line
    if isinstance(value, dict):
        keys = spot.keys if spot is not None else {}
        return Node({str(key): _graft(each, keys.get(str(key)), line) for key, each in value.items()}, line)
    if isinstance(value, list):
        items = spot.items if spot is not None else []
        return Node([_graft(each, items[index] if index < len(items) else None, line) for index, each in enumerate(value)], line)
    return Node(value, line)
