"""What goes wrong while a model is made: always with the file, what was expected, what was found, and what to do."""

from __future__ import annotations

from edge_runtime.errors import EdgeError


class ExportError(EdgeError):
    """What the person gave cannot be used as it is (exit 2)."""


class ParityError(ExportError):
    """The device would compute something else than the framework did: nothing is written (exit 2)."""
