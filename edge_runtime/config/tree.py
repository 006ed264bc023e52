"""What a TOML file says, with the place of every key: the tree that the loader walks.

    [[camera]]              Node(line 1, [Node(line 1, {"name": Node(line 2, "north"),
    name = "north"                                      "line": Node(line 3, [Node(line 3, {…})])})])
      [[camera.line]]

A path names a node from the root: ("camera", 0, "line", 1, "points").
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.sources.redaction import redact

Path = tuple[str | int, ...]

_SHOWN = 60  # characters of a wrong value that are repeated to the user


@dataclass(slots=True)
class Node:
    """One value. `value` is a scalar, a dict of nodes (a table) or a list of nodes; `override` is the path of the --set that brought it."""

    value: Any
    line: int
    override: str = ""

    def child(self, step: str | int) -> Node | None:
        """The node one step down, or None."""
        if isinstance(self.value, dict) and isinstance(step, str):
            found: Node | None = self.value.get(step)
            return found
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            item: Node = self.value[step]
            return item
        return None

    def nearest(self, path: Path) -> Node:
        """The node at `path`, or the last one on the way there."""
        node = self
        for step in path:
            below = node.child(step)
            if below is None:
                break
            node = below
        return node

    @property
    def name(self) -> str | None:
        """What a table calls itself by its `name` key."""
        named = self.child("name")
        return named.value if named is not None and isinstance(named.value, str) else None

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


def describe(root: Node, path: Path) -> tuple[str, str]:
    """(the object, what of it): ('camera "north": line "in"', 'points[1]') for ("camera", 0, "line", 0, "points", 1)."""
    node: Node | None = root
    objects: list[str] = []
    rest: list[str] = []
    for index, step in enumerate(path):
        node = node.child(step) if node is not None else None
        is_table = node is not None and isinstance(node.value, dict)
        if isinstance(step, int):
            last = rest.pop() if rest else ""
            if is_table:
                assert node is not None
                objects.append(f'{last} "{_cut(node.name)}"' if node.name else f"{last} number {step + 1}")
            else:
                rest.append(f"{last}[{step}]")
        elif index == 0 and is_table:
            objects.append(f"[{_cut(step)}]")
        else:
            rest.append(_cut(step))
    return ": ".join(objects), ".".join(rest)


def show(value: Any) -> str:
    """A raw value as the user wrote it, more or less: short, and without credentials."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(_cut(redact(value)), ensure_ascii=False)
    if isinstance(value, dict):
        return "{ … }" if value else "{}"
    if isinstance(value, list):
        return _cut("[" + ", ".join(show(item.value if isinstance(item, Node) else item) for item in value[:16]) + "]")
    return _cut(str(value))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` is most like; None when none is near."""
    choices = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower()[:80], choices, n=1, cutoff=0.6)
    return choices[near[0]] if near else None


def suggest(word: str, known: Iterable[str]) -> str:
    """'did you mean "fps"?' for the nearest of `known`, or an empty text when none is near."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""


def one_of(known: Sequence[str]) -> str:
    """`"a", "b" or "c"`."""
    quoted = [f'"{each}"' for each in known]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _cut(text: str | None) -> str:
    text = text or ""
    clean = "".join(char if char.isprintable() else "�" for char in text[: _SHOWN + 1])
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"
