"""The tree of errors: what went wrong decides who reacts, never the text.

    EdgeError
    ├── ConfigError          the user's file is wrong: exit 2, every problem listed, nothing was touched
    ├── BundleError          a model bundle or .onnx is missing, broken, unsafe or unsupported: exit 2 / model refused
    ├── CannotStart          the world refuses (disk, port, provider): exit 3
    ├── SourceError
    │   ├── Disconnected     the far end is away, or spoke nonsense: the caller retries with backoff
    │   ├── Unsupported      this stream can never work as it is (codec, pixel format): reported, retried slowly
    │   └── Exhausted        the footage ended: the lane finishes
    └── SpoolError           the disk refused a write: delivery degrades to memory and says so

A loop that hangs raises nothing: `runtime/pulse.py` notices that its signs of life stop.

Every message says what was expected, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EdgeError(Exception):
    """Root of every error that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a user's file.

    `file` as the user named it; `line` counts from 1, 0 when the file as a whole is meant; `where` names the object ('camera "main-st-n"').
    """

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"


class ConfigError(EdgeError):
    """The configuration is wrong; `problems` holds every one found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BundleError(EdgeError):
    """A model file or bundle cannot be used; `problems` holds what is wrong in its manifest, where that is the reason."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([message, *(str(problem) for problem in self.problems)]) if problems else message)


class CannotStart(EdgeError):
    """The configuration is right but the machine refuses (exit 3)."""


class SourceError(EdgeError):
    """Root of what a source may raise."""


class Disconnected(SourceError):
    """The far end is away; retry with backoff."""


class Unsupported(SourceError):
    """This stream cannot work as it is; retrying soon is useless."""


class Exhausted(SourceError):
    """The footage has ended; there will be no more items."""


class SpoolError(EdgeError):
    """The spool's disk refused."""
