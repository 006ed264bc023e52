"""The documents cannot lie: what the code has is written down, and what is written down is what the code has."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.cli.__main__ import VERBS
from edge_runtime.config.absent import KEYS, VALUES
from edge_runtime.config.check import problems
from edge_runtime.config.hints import fields_of, header, tables
from edge_runtime.config.load import load
from edge_runtime.config.reference import reference
from edge_runtime.config.topics import TYPES

ROOT = Path(__file__).resolve().parent.parent
CONFIG = (ROOT / "deploy" / "CONFIG.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_reference_is_up_to_date() -> None:
    assert reference() == CONFIG, "run: python -m edge_runtime.config.reference > deploy/CONFIG.md"


def test_reference_is_what_its_module_prints() -> None:
    done = subprocess.run([sys.executable, "-m", "edge_runtime.config.reference"], capture_output=True, check=True, timeout=60, cwd=ROOT)
    assert done.stdout.decode() == reference()


@pytest.mark.parametrize("name", [name for name in tables() if name], ids=".".join)
def test_every_key_is_documented_with_a_sentence(name: tuple[str, ...]) -> None:
    section = CONFIG.partition(f"## {header(name)}\n")[2].partition("\n## ")[0]
    inner = {each[-1] for each in tables() if each[:-1] == name}
    for key, (option, _) in fields_of(tables()[name]).items():
        doc = option.metadata["doc"]
        assert len(doc) >= 5, (name, key)
        assert key in inner or f"| `{key}` |" in section, (name, key)


def test_every_verb_is_in_the_readme() -> None:
    for verb in VERBS:
        assert re.search(rf"`(edge-runtime )?{verb}\b|edge-runtime {verb}\b", README), f"README.md does not say what `{verb}` does"


def published_types() -> set[str]:
    """The literal types of Event(…) in the package, directly or through an analyser's `_event`, the only place where the type may be a variable."""
    found = set()
    for file in (ROOT / "edge_runtime").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside = {id(call) for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == "_event" for call in ast.walk(each)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or id(node) in inside:  # threading.Event() has no arguments
                continue
            if getattr(node.func, "id", getattr(node.func, "attr", "")) not in ("Event", "_event"):
                continue
            kind = node.args[0]
            assert isinstance(kind, ast.Constant), f"{file}:{node.lineno}: the type of an event is a literal, so that it can be documented"
            found.add(str(kind.value))
    return found


def test_every_topic_type_that_is_published_is_documented_and_no_other() -> None:
    assert published_types() == set(TYPES)
    for kind, says in TYPES.items():
        assert re.search(rf"\| `obs/(<(camera|sensor)>|node)/{kind}` \|.*\| {re.escape(says)} \|", CONFIG), kind


def test_what_is_refused_as_absent_is_not_in_the_schema() -> None:
    """A row that stays behind when its feature comes would refuse what works."""
    for name in KEYS:
        assert name[-1] not in fields_of(tables()[name[:-1]])
        assert f"- `{'.'.join(name)}`:" in CONFIG
    for name in VALUES:
        assert name[-1] in fields_of(tables()[name[:-1]])


@pytest.mark.parametrize("file", sorted((ROOT / "deploy").glob("*.toml")), ids=lambda file: file.name)
def test_example_loads_and_misses_only_what_a_device_brings(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = file.read_text(encoding="utf-8")
    (tmp_path / file.name).write_text(text, encoding="utf-8")
    for name in re.findall(r'\{ file = "([^"]+)" \}', text):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    for name in re.findall(r'\{ env = "([^"]+)" \}', text):
        monkeypatch.setenv(name, "secret")
    loaded = load(tmp_path / file.name)
    assert loaded.config.camera
    for problem in problems(loaded):
        assert re.search(r"no bundle|no folder /var/lib/edge-runtime|no such file: expected a PEM file", problem.message), problem


def test_files_that_documents_name_are_there() -> None:
    for document in ROOT.glob("*/README.md"):
        for name in re.findall(r"^\| `([\w./]+)` \|", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert (document.parent / name).exists(), f"{document}: {name}"
