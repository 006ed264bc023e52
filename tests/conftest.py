"""Fixtures that everything shares, and how the whole suite runs. The only place that knows where the material lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports a kernel: where tests/environment/warm_kernels.py compiled them, one folder a Python. Daemons that tests start inherit it.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba" / f"{sys.version_info[0]}.{sys.version_info[1]}"))

# No deadlines: the machine is shared, and a slow example is not a wrong one. `ci` draws the same examples every time, so that a failure is the
# change's own; by hand they are random, and what failed is kept and tried first. `brief` is for the other Pythons, `arm` for emulation, `soak`
# looks longer.
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("hand", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", settings.get_profile("ci"), max_examples=8)
settings.register_profile("arm", settings.get_profile("ci"), max_examples=8)
settings.register_profile("soak", settings.get_profile("hand"), max_examples=2000)
settings.load_profile("ci" if os.environ.get("CI") else "hand")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: `make test` says so where everything that tests need is there."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run: nothing may be missing here")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turns skips into a failure of the run under --no-skips (in the process that collects the workers' reports)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.getoption("--no-skips") and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says why such a run failed."""
    skipped = len(terminalreporter.stats.get("skipped", ()))
    if skipped and config.getoption("--no-skips"):
        terminalreporter.write_line(f"{skipped} skipped, and nothing may skip here: the reasons stand above", red=True)


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


@pytest.fixture(scope="session")
def bundle_folder(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YOLOX-nano as a bundle."""
    from edge_runtime.infer.adopt import Choices, adopt

    model = material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"
    return adopt(model, tmp_path_factory.mktemp("bundles") / "yolox-nano", Choices(name="yolox-nano"))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is there without material: a detector that sees nothing sensible, and runs like any other. Nobody may change it."""
    from edge_runtime.infer.adopt import Choices, adopt
    from tests.infer.tiny import write_labels, write_model

    folder = tmp_path_factory.mktemp("tiny")
    return adopt(write_model(folder), folder / "tiny", Choices(labels=str(write_labels(folder)), licence="CC0-1.0", source="made here"))


@pytest.fixture
def busy_road(material: Path) -> Path:
    """640×360, 30 pictures/s, 499 pictures."""
    return material / "videos" / "busy_road" / "busy_road.mp4"
