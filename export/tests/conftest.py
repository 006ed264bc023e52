"""What the tests share: one saved network, and where real pictures lie."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from edge_export.cli import main
from edge_export.framework import Network, load_network
from tests import tiny

ROOT = Path(__file__).resolve().parent.parent.parent
LICENCE = ROOT / "LICENSE"

# Before anything imports a kernel: where tests/environment/warm_kernels.py compiled them for this Python, if it did.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba" / f"{sys.version_info[0]}.{sys.version_info[1]}"))


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector, saved."""
    return tiny.save(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="session")
def network(keras_file: Path) -> Network:
    """The tiny detector, loaded."""
    return load_network(keras_file)


def write_about(folder: Path) -> Path:
    """What it was "trained" on."""
    file = folder / "about.toml"
    file.write_text(tiny.ABOUT)
    return file


@pytest.fixture
def about_file(tmp_path: Path) -> Path:
    """That, for one test."""
    return write_about(tmp_path)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated pictures as files."""
    import cv2

    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in tiny.pictures():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    return folder


@pytest.fixture(scope="session")
def pristine(keras_file: Path, picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector's bundle, made through the command line. Nobody may change it."""
    folder = tmp_path_factory.mktemp("pristine")
    out = folder / "models" / "tiny"
    given = ["bundle", str(keras_file), "--about", str(write_about(folder)), "--licence-file", str(LICENCE), "--images", str(picture_folder)]
    assert main([*given, "--out", str(out)]) == 0
    return out


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    return Path(shutil.copytree(pristine, tmp_path / "models" / "tiny"))


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real models and pictures; skips, saying so, where it is absent."""
    folder = Path(os.environ.get("EDGE_RUNTIME_MATERIAL", ROOT.parent / "shared" / "material"))
    if not folder.is_dir():
        pytest.skip("no material here: set EDGE_RUNTIME_MATERIAL to its folder")
    return folder
