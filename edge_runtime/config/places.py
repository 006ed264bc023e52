"""Where every key of a TOML text stands: a scan for positions only, over a text that a real parser reads for its values.

Why not the parser's own tree: it keeps no positions, and it moves tables that are not written side by side, so that counting the lines of what it
would write back goes wrong exactly where a file is long. The scan knows only as much of the grammar as it takes to tell keys from values:

    statement  =  [ key ]  │  [[ key ]]  │  key = value
    value      =  string (four kinds)  │  [ value, … ]  │  { key = value, … }  │  anything up to , ] } # or the end of the line
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_SPACE = re.compile(r"[ \t\r]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LETTERS = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
_MAX_DEPTH = 200


class Lost(ValueError):
    """The text is not TOML as far as the scan can tell."""


@dataclass(slots=True)
class Spot:
    """The line of one key, of one element, or of one table's header, and what stands inside."""

    line: int
    keys: dict[str, Spot] = field(default_factory=dict)
    items: list[Spot] = field(default_factory=list)
    declared: bool = False  # by a header or a value of its own, not merely as part of a longer name


@dataclass(frozen=True, slots=True)
class Twice:
    """A key or table that was written before."""

    line: int
    name: str
    first: int


class Places:
    """The scan of one text. `root` is the whole; `twice` the first key that was written twice, if any. Raises Lost."""

    def __init__(self, text: str) -> None:
        self.root = Spot(1, declared=True)
        self.twice: Twice | None = None
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        here = self.root
        while self._skip(_BLANK):
            if self._text[self._at] == "[":
                here = self._header()
            else:
                self._pair(here, 0)
            self._skip(_SPACE)
            if self._at < len(text) and text[self._at] not in "\n#":
                raise Lost(f"line {self._here()}")

    # -- statements ------------------------------------------------------------------------------------------------------------

    def _header(self) -> Spot:
        line = self._here()
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *before, last = self._key()
        self._expect("]" * brackets)
        table = self.root
        for name in before:
            table = self._into(table.keys.setdefault(name, Spot(line)))
        spot = table.keys.setdefault(last, Spot(line))
        if brackets == 2:
            if spot.declared:
                self._note(line, f"[[{'.'.join([*before, last])}]]", spot.line)
            spot.items.append(Spot(line, declared=True))
            return spot.items[-1]
        if spot.declared or spot.items:
            self._note(line, f"[{'.'.join([*before, last])}]", spot.line)
        spot.line, spot.declared = line, True
        return spot

    def _pair(self, table: Spot, depth: int) -> None:
        line = self._here()
        *before, last = self._key()
        self._expect("=")
        self._skip(_SPACE)
        for name in before:
            table = self._into(table.keys.setdefault(name, Spot(line)))
        if last in table.keys:
            self._note(line, f'"{last}"', table.keys[last].line)
        table.keys[last] = spot = Spot(line, declared=True)
        self._value(spot, depth)

    def _value(self, spot: Spot, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise Lost("nested too deeply")
        char = self._text[self._at : self._at + 1]
        if char == "[":
            self._array(spot, depth)
        elif char == "{":
            self._inline(spot, depth)
        elif char in ('"', "'"):
            self._string()
        else:
            match = _SCALAR.match(self._text, self._at)
            if match is None:
                raise Lost(f"line {self._here()}")
            self._at = match.end()

    def _array(self, spot: Spot, depth: int) -> None:
        self._at += 1
        while self._skip(_BLANK) and self._text[self._at] != "]":
            spot.items.append(Spot(self._here(), declared=True))
            self._value(spot.items[-1], depth + 1)
            self._skip(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1
        self._expect("]")

    def _inline(self, spot: Spot, depth: int) -> None:
        self._at += 1
        while self._skip(_BLANK) and self._text[self._at] != "}":
            self._pair(spot, depth + 1)
            self._skip(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1
        self._expect("}")

    # -- words -----------------------------------------------------------------------------------------------------------------

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at : self._at + 1] in ('"', "'"):
                parts.append(self._string())
            else:
                match = _BARE.match(self._text, self._at)
                if match is None:
                    raise Lost(f"line {self._here()}")
                self._at = match.end()
                parts.append(match.group())
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match is not None:
                self._at = match.end()
                quoted = match.group()
                return quoted[1:-1] if quoted[0] == "'" else _ESCAPE.sub(_unescape, quoted[1:-1])
        raise Lost(f"line {self._here()}")

    def _expect(self, token: str) -> None:
        self._skip(_SPACE)
        if not self._text.startswith(token, self._at):
            raise Lost(f"line {self._here()}")
        self._at += len(token)

    def _skip(self, what: re.Pattern[str]) -> bool:
        """Move past blanks; whether anything is left."""
        match = what.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return self._at < len(self._text)

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _into(self, spot: Spot) -> Spot:
        return spot.items[-1] if spot.items else spot

    def _note(self, line: int, name: str, first: int) -> None:
        if self.twice is None:
            self.twice = Twice(line, name, first)


def _unescape(match: re.Match[str]) -> str:
    digits = match.group(1) or match.group(2) or match.group(3)
    if digits is None:
        return _LETTERS.get(match.group(4), match.group(4))
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "�"
