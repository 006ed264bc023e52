"""The architecture as a test: who may import whom, what stays light, what stays pure, and what stays readable.

    cli ─► L3 config runtime ─► L2 sources | infer | deliver ─► L1 kernels prepare decode track analyse present ─► L0 types contracts …

Read from the syntax trees alone, so nothing has to run; the start of the command line is proven by running it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "edge_runtime"

LAYERS = {
    0: {"types", "contracts", "manifest", "options", "errors", "clock", "discipline"},
    1: {"kernels", "prepare", "decode", "track", "analyse", "present", "evaluate"},
    2: {"sources", "infer", "deliver"},
    3: {"config", "runtime"},
    4: {"cli", "__main__"},
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names} | {"__init__": 0}

# Imported where they are first used (constructors, open()), so that --help, `check` and the capture child stay light.
# The one exception is kernels/: its modules are Numba, and are themselves imported late.
HEAVY = {"amqtt", "av", "cv2", "motmetrics", "numba", "onnx", "onnxruntime", "paho", "psutil", "rich", "scipy", "tomlkit"}

# What a pure module has no business with: I/O, threads, logging, clocks, the machine.
IMPURE = {"io", "logging", "os", "pathlib", "platform", "random", "secrets", "shutil", "signal", "subprocess", "sys", "tempfile", "time"}
IMPURE |= {"asyncio", "concurrent", "multiprocessing", "queue", "select", "selectors", "threading"}
IMPURE |= {"av", "http", "onnx", "onnxruntime", "paho", "socket", "sqlite3", "ssl", "urllib"}
IMPURE_CALLS = {"open", "print", "input"}

VAGUE = re.compile(r"(^|_)(utils?|common|core|helpers?|misc|manager|base|stuff|tools)$")
FILE_LINES = 330
FUNCTION_LINES = 60

MODULES = sorted(PACKAGE.rglob("*.py"))
TEST_MODULES = sorted((ROOT / "tests").rglob("*.py"))


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def part_of(module: str) -> str:
    """The part of the package that a dotted name belongs to: edge_runtime.track.kalman -> track."""
    words = module.split(".")
    return words[1] if len(words) > 1 else "__init__"


def imports(tree: ast.AST, *, top_level: bool = False) -> Iterator[tuple[str, int]]:
    """Each imported module and its line. `top_level`: only what is imported when the module is, so not in functions nor under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write the whole name"
            yield node.module or "", node.lineno
            if node.module == "edge_runtime":
                yield from ((f"edge_runtime.{alias.name}", node.lineno) for alias in node.names if alias.name in LAYER_OF)
        elif top_level and (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_type_checking(node)):
            continue
        else:
            yield from imports(node, top_level=top_level)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def layer_violations(part: str, tree: ast.Module) -> list[str]:
    """Imports upwards or between siblings of L2. Types count too: a lower layer that names an upper one's types knows of it."""
    if part not in LAYER_OF:
        return [f"{part} belongs to no layer; add it to LAYERS and to ARCHITECTURE.md"]
    found = []
    for module, line in imports(tree):
        if module.split(".")[0] != "edge_runtime":
            continue
        other = part_of(module)
        if other not in LAYER_OF:
            found.append(f"line {line}: {module} belongs to no layer; add it to LAYERS and to ARCHITECTURE.md")
        elif LAYER_OF[other] > LAYER_OF[part]:
            found.append(f"line {line}: L{LAYER_OF[part]} {part} imports L{LAYER_OF[other]} {other}")
        elif LAYER_OF[part] == 2 and LAYER_OF[other] == 2 and other != part:
            found.append(f"line {line}: {part} imports its sibling {other}")
    return found


def heavy_violations(name: str, tree: ast.Module) -> list[str]:
    in_kernels = name.startswith("kernels/")
    heavy = HEAVY - {"numba"} if in_kernels else HEAVY
    top = imports(tree, top_level=True)
    found = [(module, line) for module, line in top if module.split(".")[0] in heavy or (is_kernel(module) and not in_kernels)]
    return [f"line {line}: imports {module} at the top" for module, line in found]


def is_kernel(module: str) -> bool:
    return module.startswith("edge_runtime.kernels.")


def impure_violations(tree: ast.Module) -> list[str]:
    found = [f"line {line}: imports {module}" for module, line in imports(tree) if module.split(".")[0] in IMPURE]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            found.append(f"line {node.lineno}: calls {node.func.id}()")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"):
            found.append(f"line {node.lineno}: reads the wall clock")
    return found


def readability_violations(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    sizes = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    found = [f"{name}: {lines} lines, {FUNCTION_LINES} at most" for name, lines in sizes if lines > FUNCTION_LINES]
    if (lines := text.count("\n")) > FILE_LINES:
        found.append(f"{lines} lines, {FILE_LINES} at most")
    if text.strip() and not ast.get_docstring(tree):
        found.append("no module docstring")
    if VAGUE.search(file.stem):
        found.append("a name that says nothing")
    return found


def by_file(files: list[Path], violations: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """Everything that is wrong, at once: a failing test shows the whole dictionary."""
    return {named(file): found for file in files if (found := violations(file))}


@pytest.mark.heavy
def test_imports_point_down() -> None:
    assert by_file(MODULES, lambda file: layer_violations(file.relative_to(PACKAGE).parts[0].removesuffix(".py"), tree_of(file))) == {}


@pytest.mark.heavy
def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    assert by_file(MODULES, lambda file: heavy_violations(file.relative_to(PACKAGE).as_posix(), tree_of(file))) == {}


@pytest.mark.heavy
def test_pure_layer_is_pure() -> None:
    pure = [file for file in MODULES if LAYER_OF.get(file.relative_to(PACKAGE).parts[0]) == 1]
    assert pure
    assert by_file(pure, lambda file: impure_violations(tree_of(file))) == {}


@pytest.mark.heavy
def test_files_are_readable() -> None:
    assert by_file(MODULES + TEST_MODULES, readability_violations) == {}


@pytest.mark.heavy
def test_runtime_never_imports_the_export_project() -> None:
    assert [named(file) for file in MODULES for module, _ in imports(tree_of(file)) if module.split(".")[0] in ("export", "edge_export")] == []


@pytest.mark.heavy
def test_kernels_never_run_parallel() -> None:
    parallel = [named(file) for file in (PACKAGE / "kernels").glob("*.py") if re.search(r"parallel\s*=\s*True|\bprange\b", file.read_text())]
    assert parallel == [], "Numba's thread layer on 64-bit Arm is not safe to call from several threads"


def test_command_line_starts_without_heavy_libraries() -> None:
    script = "import sys, edge_runtime.cli.__main__ as cli; cli.build_parser().format_help(); print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & (HEAVY | {"numpy", "sqlite3"}) == set()


def test_readability_violations_see_each_rule(tmp_path: Path) -> None:
    file = tmp_path / "image_utils.py"
    file.write_text("def f():\n" + "    pass\n" * FILE_LINES)
    assert len(readability_violations(file)) == 4


@pytest.mark.parametrize(
    ("part", "source", "expected"),
    [
        ("track", "from edge_runtime.runtime.lane import Lane", "L1 track imports L3 runtime"),
        ("sources", "from edge_runtime.deliver import mqtt", "sources imports its sibling deliver"),
        ("types", "def f():\n    from edge_runtime import track", "L0 types imports L1 track"),
        ("analyse", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import edge_runtime.config.schema", "L1 analyse imports L3 config"),
        ("shiny", "import os", "shiny belongs to no layer"),
        ("infer", "import edge_runtime.unheard", "belongs to no layer"),
    ],
)
def test_layer_violations_name_what_is_wrong(part: str, source: str, expected: str) -> None:
    (violation,) = layer_violations(part, ast.parse(source))
    assert expected in violation


def test_heavy_violations_see_the_top_only() -> None:
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import av\ndef f():\n    import numba"
    assert heavy_violations("sources/x.py", ast.parse(late)) == []
    assert len(heavy_violations("sources/x.py", ast.parse("try:\n    import av\nfinally:\n    from numba import njit"))) == 2
    assert len(heavy_violations("track/x.py", ast.parse("from edge_runtime.kernels.boxes import iou"))) == 1
    assert heavy_violations("kernels/x.py", ast.parse("import numba\nfrom edge_runtime.kernels.boxes import iou")) == []


def test_impure_violations_see_calls_and_imports_anywhere() -> None:
    assert len(impure_violations(ast.parse("def f():\n    import time\n    print(1)\n    return datetime.now()"))) == 3
