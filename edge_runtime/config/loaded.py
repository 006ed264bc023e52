"""A config as it was loaded: the values, and where each of them stands in the file, for whatever is found wrong with them later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.config.schema import Config
from edge_runtime.config.tree import Node, Path
from edge_runtime.config.walk import problem_at
from edge_runtime.errors import Problem


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """`config`, its tree with places, and the file's name as the user wrote it.

    Paths name keys as the file does: ("camera", 0, "line", 1, "points"). `bad` is empty in what `load` returns.
    """

    config: Config
    root: Node
    name: str
    bad: frozenset[Path] = frozenset()

    def line_of(self, *path: str | int) -> int:
        """The line of the key at `path`, or of the nearest thing around it that was written; 0 for what an override brought."""
        node = self.root.nearest(path)
        return 0 if node.override else node.line

    def problem(self, path: Path, message: str, *, shown: str = "", bare: bool = False) -> Problem:
        """A problem at `path`, with its place and its object's name."""
        return problem_at(self.root, self.name, path, message, shown=shown, bare=bare)

    def was_written(self, *path: str | int) -> bool:
        """Whether the user wrote this key, rather than leaving it to its default."""
        node = self.root
        for step in path:
            below = node.child(step)
            if below is None:
                return False
            node = below
        return True

    def is_sound(self, *paths: Path) -> bool:
        """Whether none of these, nor anything around or inside them, was found wrong while loading."""
        return not any(bad[: len(path)] == path or path[: len(bad)] == bad for bad in self.bad for path in paths)


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """As the file has them, each once; those of overrides last."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file.startswith("--set"), problem.line))
