"""device.toml to an immutable `Config`: read, apply --set, walk the schema; every problem at once, each with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_runtime.config import overrides as sets
from edge_runtime.config.loaded import Loaded
from edge_runtime.config.reading import read
from edge_runtime.config.rules import rule_problems
from edge_runtime.config.schema import Config
from edge_runtime.config.walk import Walk
from edge_runtime.errors import ConfigError, Problem

__all__ = ["Loaded", "load"]


def load(file: Path, overrides: Sequence[str] = ()) -> Loaded:
    """The config in `file`, with `overrides` ("camera.north.fps=5") applied.

    Secrets are read; nothing else of the world is touched (check.py does that). Raises ConfigError with every problem, in the order of the file.
    """
    loaded, problems = inspect(file, overrides)
    if problems:
        raise ConfigError(problems)
    return loaded


def inspect(file: Path, overrides: Sequence[str] = ()) -> tuple[Loaded, list[Problem]]:
    """As `load`, but what is wrong comes back beside a config that has stand-ins in its place: for looking on, never for running.

    Raises ConfigError when the file cannot be read at all.
    """
    root = read(file)
    problems = sets.apply(root, overrides)
    walk = Walk(root, str(file), file.parent.absolute())
    config = replace(walk.table(Config, root, ()), file=file.absolute())
    loaded = Loaded(config, root, str(file), frozenset(walk.bad))
    return loaded, in_order([*problems, *walk.problems, *rule_problems(loaded)])


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """As the file has them, each once; overrides last."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file.startswith("--set"), problem.line))
