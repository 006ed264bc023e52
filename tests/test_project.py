"""The project as a package: one version, one list of Pythons, a small and whole wheel, and nothing in the tree that does not belong there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import tomlkit

import edge_runtime
from tests.environment import arm_wheels

ROOT = Path(__file__).resolve().parent.parent
WHEEL_BYTES = 20_000_000  # models included: what a box on a mobile line has to fetch
FILE_BYTES = 500_000

# Where packages come from is the business of the machine that installs them, not of this tree.
REGISTRY_HOST = re.compile(r"\b(pypi|pythonhosted|npmjs|(deb|security|ftp)\.debian)\.(org|com)\b")
ONE_MACHINES_PATH = re.compile(r"(?<![\w.~}])/(home|Users|work)/\w")


def tracked_files() -> list[Path]:
    """Every file of the tree that git knows and that is there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return [file for name in listing.split("\0") if name and (file := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    document = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()
    return dict(document["project"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file


def test_version_of_package_is_version_of_metadata() -> None:
    assert metadata.version("edge-runtime") == edge_runtime.__version__


def test_supported_pythons_agree_everywhere(project: dict[str, object]) -> None:
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", str(project["requires-python"])).groups()
    expected = {f"3.{minor}" for minor in range(int(low), int(high))}
    looked_for = re.search(r"PYTHONS:-([\d. ]+)\}", (ROOT / "tests/environment/pythons.sh").read_text())
    prefix = "Programming Language :: Python :: "
    assert looked_for is not None
    assert set(looked_for[1].split()) == expected
    assert set(arm_wheels.PYTHONS) == expected
    assert {line.removeprefix(prefix) for line in project["classifiers"] if line.startswith(prefix)} == expected


def test_wheel_holds_the_package_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    tracked = {file.relative_to(ROOT).as_posix() for file in tracked_files()}
    models = {f"edge_runtime/{name}" for name in tracked if name.startswith("models/")}
    assert ({name for name in tracked if name.startswith("edge_runtime/")} | models) - packed == set()
    assert {name for name in packed if not name.startswith("edge_runtime/") or name.endswith((".pyc", ".nbi", ".nbc"))} == set()
    assert len(licences) == 1
    print(f"wheel: {wheel.stat().st_size / 1e6:.2f} MB, of which models {models_bytes(wheel) / 1e6:.2f} MB")
    assert wheel.stat().st_size < WHEEL_BYTES


def models_bytes(wheel: Path) -> int:
    """What the shipped models take in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(member.compress_size for member in archive.infolist() if member.filename.startswith("edge_runtime/models/"))


def test_command_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (scripts,) = tmp_path.glob("*.dist-info/entry_points.txt")
    module, function = re.search(r"^edge-runtime = ([\w.]+):(\w+)$", scripts.read_text(), re.MULTILINE).groups()
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {module} as cli; print(cli.__file__)"
    script = f"{start}; sys.exit(cli.{function}(['--version']))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    file, version = done.stdout.splitlines()
    assert file.startswith(str(tmp_path))
    assert version == f"edge-runtime {edge_runtime.__version__}"


def test_tree_names_no_registry_and_no_path_of_one_machine() -> None:
    found = []
    for file in tracked_files():
        text = file.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if REGISTRY_HOST.search(line) or ONE_MACHINES_PATH.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert found == []


@pytest.mark.system
def test_demo_and_models_work_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """Installed into an environment of its own, away from the checkout: the shipped models are found, and the demo counts with one."""
    shipped = sorted(file.parent.name for file in (ROOT / "models").glob("*/manifest.toml"))
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    dependencies = [Path(path) for path in sys.path if path.endswith("site-packages")]
    assert not any((folder / "edge_runtime" / "__init__.py").exists() for folder in dependencies), "the checkout is installed as a link"
    (site / "dependencies.pth").write_text("".join(f"{folder}\n" for folder in dependencies))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-W", "error", "-m", "edge_runtime", *words]
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "EDGE_RUNTIME_MODELS")}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200, env=environment)

    listed = json.loads(run("models", "list", "--json").stdout)
    assert [Path(each["folder"]) for each in listed["bundles"]] == [site / "edge_runtime" / "models" / name for name in shipped]
    assert "street-nano" in shipped
    told = run("demo", "--frames", "50", "--headless", "--json")
    assert told.returncode == 0, told.stderr
    summary = json.loads(told.stdout)
    assert summary["simulated"] and summary["frames"] + summary["dropped"] == 50
    assert summary["published"] > 0 and summary["spool"] == 0 and summary["windows_agree"]


def test_tree_holds_no_footage_and_no_weights_but_those_that_ship() -> None:
    large = {file.relative_to(ROOT).as_posix(): size for file in tracked_files() if (size := file.stat().st_size) > FILE_BYTES}
    assert {name for name in large if not name.startswith("models/")} == set()


def test_forbidden_words_are_recognised() -> None:
    assert REGISTRY_HOST.search("from https://py" + "pi.org/simple")
    assert REGISTRY_HOST.search("deb http://deb." + "debian.org/debian stable")
    assert ONE_MACHINES_PATH.search("in /ho" + "me/someone/code")
    assert not ONE_MACHINES_PATH.search("a path like models/work/x or ./home/x")
