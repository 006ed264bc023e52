"""The command line: quick help, and plain refusals."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_export.cli import build_parser, main
from tests.conftest import ROOT

HEAVY = {"tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numba", "cv2", "matplotlib", "rich", "numpy"}


def test_help_imports_nothing_heavy() -> None:
    script = "import sys, edge_export.cli as cli; cli.build_parser().format_help(); print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) & HEAVY == set()


@pytest.mark.parametrize("verb", ["train", "convert", "parity", "bundle", "evaluate", "card"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert "usage: edge-export" in capsys.readouterr().out
    assert verb in build_parser().format_help()


def test_every_option_of_every_verb_is_in_the_readme() -> None:
    rows = {line.split("`")[1].split()[0]: line for line in (ROOT / "export" / "README.md").read_text().splitlines() if line.startswith("| `")}
    pending = [(verb, parser) for verb, parser in choices(build_parser()).items()]
    assert {verb for verb, _ in pending} <= set(rows)
    while pending:
        verb, parser = pending.pop()
        pending += [(verb, inner) for inner in choices(parser).values()]
        options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")} - {"--help"}
        assert {option for option in options if not re.search(rf"{option}\b(?!-)", rows[verb])} == set(), verb


def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The verbs below a parser."""
    return {name: each for action in parser._actions if isinstance(action, argparse._SubParsersAction) for name, each in action.choices.items()}


def test_no_verb_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "VERB" in capsys.readouterr().out


def test_convert_through_the_command_line(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "model.onnx"
    assert main(["convert", str(keras_file), "--out", str(out)]) == 0
    assert "operators" in capsys.readouterr().out
    assert [file.name for file in out.parent.iterdir()] == ["model.onnx"]
    assert main(["convert", str(keras_file), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "absent.keras"), "--out", str(tmp_path / "x.onnx")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_train_refuses_a_recipe_that_cannot_be_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('name = "x"\nflavour = "sweet"\n')
    given = ["train", "street", "--recipe", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(given) == 2
    assert "flavour: unknown key" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["640", "640x361", "64x36", "ax2"])
def test_sizes_are_even_and_not_tiny(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "DIR", "--simulated", "1", "--simulated-size", size])
    assert "like 1280x720" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["evaluate", "DIR", "--simulated", "-3"], "expected a whole number from 0"),
        (["parity", "N", "DIR", "--simulated", "x"], "expected a whole number from 0"),
        (["train", "street", "--minutes", "-1"], "expected minutes, more than 0"),
        (["train", "street", "--minutes", "nan"], "expected minutes, more than 0"),
        (["train", "street", "--epochs", "0"], "expected a whole number from 1"),
        (["train", "street", "--resume", "--seed", "3"], "not allowed with argument"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(given)
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_training_is_shown_with_its_latest_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    from edge_export.shown import training
    from edge_export.street.train import Progress

    with training() as told:
        told(Progress("real", 1, 10, 2.5))
        told(Progress("real", 2, 10, ap50=0.25))
    assert "loss 2.500, AP50 0.250" in capsys.readouterr().err
