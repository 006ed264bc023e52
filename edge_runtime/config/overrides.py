"""`--set path.to.key=value`: one key of the file replaced for one run.

camera.main-st-n.fps=5                  tables in double brackets are picked by name
camera.main-st-n.line.lane1.anchor=bottom
device.location=[-4.7, 41.6]            the value is TOML; a bare word or "5m" is a text
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.config.hints import header, is_listed
from edge_runtime.config.reading import node_of, parse_value
from edge_runtime.config.tree import Node, show, suggest
from edge_runtime.errors import Problem


def apply(root: Node, overrides: Sequence[str]) -> list[Problem]:
    """Change the tree in place. Returns what is wrong with overrides that could not be applied."""
    return [problem for text in overrides for problem in _apply(root, text)]


def _apply(root: Node, text: str) -> list[Problem]:
    path, equals, raw = text.partition("=")
    path = path.strip()
    label = f"--set {path}"
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        return [Problem("--set", 0, "", f"{show(path)}: expected path.to.key=value, such as camera.north.fps=5")]
    raw = raw.strip()
    if not raw:
        return [Problem(label, 0, "", "the value is missing: expected path.to.key=value")]
    try:
        value = parse_value(raw)
    except ValueError:
        if raw[0] in "[{\"'":
            return [
                Problem(label, 0, "", "the value is no TOML: expected a number, true, a text, or a list such as [0.1, 0.2]; mind the shell's quotes")
            ]
        value = raw
    node = root
    table: tuple[str, ...] = ()
    for key in keys[:-1]:
        below = _step(node, table, key, path)
        if isinstance(below, str):
            return [Problem(label, 0, "", below)]
        table = table if isinstance(node.value, list) else (*table, key)
        node = below
    if not isinstance(node.value, dict):
        return [Problem(label, 0, "", f"{'.'.join(keys[:-1])} holds no keys: expected path.to.key=value, as in camera.north.fps=5")]
    node.value[keys[-1]] = node_of(value, 0, path)
    return []


def _step(node: Node, table: tuple[str, ...], key: str, path: str) -> Node | str:
    """One step down from `table`, making what the file leaves to its defaults; or what is wrong."""
    if isinstance(node.value, list):
        names = {item.name: item for item in node.value if item.name is not None}
        if key in names:
            named: Node = names[key]
            return named
        near = suggest(key, names)
        known = f"expected one of: {', '.join(sorted(names))}" if names else "the file has none"
        return f"{header(table)}: there is none of the name {show(key)}: {near or known}"
    if not isinstance(node.value, dict):
        return f"{'.'.join(table)} is no table: expected path.to.key=value, as in camera.north.fps=5"
    below = node.value.get(key)
    if below is None:
        below = node.value[key] = Node([] if is_listed((*table, key)) else {}, 0, path)
    found: Node = below
    return found
