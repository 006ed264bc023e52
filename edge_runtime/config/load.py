"""device.toml to an immutable `Config`: read, apply --set, walk the schema; every problem at once, each with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_runtime.config import overrides as sets
from edge_runtime.config.check import problems as world_problems
from edge_runtime.config.loaded import Loaded, in_order
from edge_runtime.config.reading import read
from edge_runtime.config.rules import rule_problems
from edge_runtime.config.schema import Config
from edge_runtime.config.walk import Walk
from edge_runtime.errors import ConfigError

__all__ = ["Loaded", "load"]


def load(file: Path, overrides: Sequence[str] = ()) -> Loaded:
    """The config in `file`, with `overrides` ("camera.north.fps=5") applied. Secrets are read.

    Raises ConfigError with every problem, in the order of the file; when there is one, the world is looked at too (check.py), so that the user
    sees everything at once.
    """
    root = read(file)
    problems = sets.apply(root, overrides)
    walk = Walk(root, str(file), file.parent.absolute())
    config = replace(walk.table(Config, root, ()), file=file.absolute())
    loaded = Loaded(config, root, str(file), frozenset(walk.bad))
    problems += [*walk.problems, *rule_problems(loaded)]
    if problems:
        raise ConfigError(in_order([*problems, *world_problems(loaded)]))
    return loaded
