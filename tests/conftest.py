"""Fixtures that everything shares. The only place that knows where the material lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def material_root() -> Path | None:
    """The folder of models and footage, or None on a machine without it."""
    folder = Path(os.environ.get("EDGE_RUNTIME_MATERIAL", ROOT.parent / "shared" / "material"))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real models and footage; skips, saying so, where it is absent."""
    folder = material_root()
    if folder is None:
        pytest.skip("no material here: set EDGE_RUNTIME_MATERIAL to its folder")
    return folder
