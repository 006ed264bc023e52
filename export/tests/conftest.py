"""What the tests share: one saved network, and where real pictures lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_export.framework import Network, load_network
from tests import tiny

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector, saved."""
    return tiny.save(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="session")
def network(keras_file: Path) -> Network:
    """The tiny detector, loaded."""
    return load_network(keras_file)


@pytest.fixture
def about_file(tmp_path: Path) -> Path:
    """What it was "trained" on."""
    file = tmp_path / "about.toml"
    file.write_text(tiny.ABOUT)
    return file


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated pictures as files."""
    import cv2

    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in tiny.pictures():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    return folder


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real models and pictures; skips, saying so, where it is absent."""
    folder = Path(os.environ.get("EDGE_RUNTIME_MATERIAL", ROOT.parent / "shared" / "material"))
    if not folder.is_dir():
        pytest.skip("no material here: set EDGE_RUNTIME_MATERIAL to its folder")
    return folder
