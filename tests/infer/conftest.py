"""A small real bundle for everything that needs one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.bundle import Bundle, load_bundle
from tests.infer.tiny import write_labels, write_model


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that nobody may change."""
    folder = tmp_path_factory.mktemp("pristine")
    return adopt(write_model(folder), folder / "tiny", Choices(labels=str(write_labels(folder)), licence="CC0-1.0", source="made here"))


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    return Path(shutil.copytree(pristine, tmp_path / "tiny"))


@pytest.fixture
def bundle(pristine: Path) -> Bundle:
    """It, loaded."""
    return load_bundle(pristine)
