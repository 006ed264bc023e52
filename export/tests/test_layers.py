"""Which way imports point: this project knows the runtime's lower layers, bundles and the simulated street, the runtime nothing of it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = ROOT / "export" / "edge_export"
ALLOWED = {"types", "contracts", "manifest", "options", "errors", "clock"}  # L0
ALLOWED |= {"kernels", "prepare", "decode", "track", "analyse", "present", "evaluate"}  # L1
ALLOWED |= {"infer"}
ALLOWED_MODULES = ("edge_runtime.sources.sim",)
FILE_LINES, FUNCTION_LINES = 330, 60


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write the whole name"
            yield node.module or ""


def test_only_what_is_shared_is_imported() -> None:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for name in imported(file):
            words = name.split(".")
            allowed = (len(words) > 1 and words[1] in ALLOWED) or name.startswith(ALLOWED_MODULES)
            if words[0] == "edge_runtime" and not allowed:
                found.append(f"{file.relative_to(ROOT)}: {name}")
    assert found == []


def test_the_runtime_never_imports_this_project() -> None:
    files = sorted((ROOT / "edge_runtime").rglob("*.py"))
    assert len(files) > 50
    assert [str(file) for file in files for name in imported(file) if name.split(".")[0] in ("export", "edge_export")] == []


def test_onnx_runtime_is_told_to_report_nothing_before_it_is_imported() -> None:
    """Whatever imports it here has imported the runtime first, which says so."""
    users = [file for file in sorted(PACKAGE.rglob("*.py")) if any(name.split(".")[0] in ("onnxruntime", "tf2onnx") for name in imported(file))]
    assert users
    bare = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    for file in users:
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        script = f"import os, sys, {module}; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], env=bare, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.split() == ["1", "False"], module


def test_files_are_readable() -> None:
    found = []
    for file in (*sorted(PACKAGE.rglob("*.py")), *sorted((ROOT / "export" / "tests").rglob("*.py"))):
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if text.strip() and not ast.get_docstring(tree):
            found.append(f"{file.name}: no module docstring")
        if text.count("\n") > FILE_LINES:
            found.append(f"{file.name}: {text.count(chr(10))} lines, {FILE_LINES} at most")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES:
                found.append(f"{file.name}: {node.name}: {FUNCTION_LINES} lines at most")
    assert found == []
