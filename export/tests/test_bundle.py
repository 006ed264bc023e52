"""Bundles: whole, accepted by the runtime's own verify, and absent where parity is violated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_export import bundle as bundle_module
from edge_export.cli import main
from edge_export.parity import Limits
from edge_runtime.infer.bundle import load_bundle
from tests import tiny
from tests.conftest import LICENCE
from tests.test_card import RECIPE


def arguments(keras_file: Path, about_file: Path, pictures: Path, out: Path, *more: str) -> list[str]:
    given = ["bundle", str(keras_file), "--about", str(about_file), "--licence-file", str(LICENCE), "--images", str(pictures), "--out", str(out)]
    return [*given, *more]


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_bundle_is_whole(pristine: Path) -> None:
    assert {file.name for file in pristine.iterdir()} >= {
        "model.onnx", "manifest.toml", "labels.txt", "golden.npz", "MODEL_CARD.md", "LICENSE", "about.toml", "parity.json",
    }  # fmt: skip
    loaded = load_bundle(pristine)
    assert loaded.manifest.labels == tiny.LABELS
    assert loaded.manifest.inputs[0].mean == (0.1, 0.2, 0.3)
    report = json.loads((pristine / "parity.json").read_text())
    assert report["model"] == loaded.manifest.sha256
    assert report["problems"] == []
    assert [file for file in pristine.parent.iterdir() if file != pristine] == []  # no scratch left


def test_bundle_is_verified_by_the_runtime(pristine: Path) -> None:
    command = [sys.executable, "-m", "edge_runtime", "models", "verify", str(pristine)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout
    assert "golden outputs differ" in done.stdout


def test_bundle_is_the_same_when_made_again(folder: Path, keras_file: Path, about_file: Path, picture_folder: Path) -> None:
    before = listing(folder)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "training.jsonl").write_text('{"seconds": 60, "phase": "real", "step": 500, "loss": 2.0}\n')
    assert main(arguments(keras_file, about_file, picture_folder, folder)) == 2  # not without --force
    assert main(arguments(keras_file, about_file, picture_folder, folder, "--force")) == 0
    after = listing(folder)
    assert after["recipe.toml"] == RECIPE.encode() and b'"loss"' in after["training.jsonl"]  # what else lay there is kept, and told
    assert "Seed 7, 1 minutes." in after["MODEL_CARD.md"].decode()
    for name in ("model.onnx", "manifest.toml", "parity.json", "about.toml"):
        assert after[name] == before[name]


def test_bundle_writes_nothing_when_parity_is_violated(
    keras_file: Path, about_file: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "models" / "tiny"
    real = bundle_module.convert

    def damaged(network: object, family: str) -> object:
        import onnx
        from onnx import numpy_helper

        made = real(network, family)
        model = onnx.load_model_from_string(made.data)
        weight = model.graph.initializer[0]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.01, weight.name))
        return type(made)(model.SerializeToString(), made.size, made.classes, made.operators, made.parameters)

    monkeypatch.setattr(bundle_module, "convert", damaged)
    assert main(arguments(keras_file, about_file, picture_folder, out)) == 2
    assert "parity is violated" in capsys.readouterr().err
    assert not out.exists()
    assert not (tmp_path / "models").exists()


def test_bundle_needs_labels_for_every_class(
    keras_file: Path, about_file: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about_file.write_text(tiny.ABOUT.replace('"bicycle", ', ""))
    assert main(arguments(keras_file, about_file, picture_folder, tmp_path / "out")) == 2
    assert "tells 3 classes apart, about.toml names 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bundle_needs_pictures(keras_file: Path, about_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(arguments(keras_file, about_file, empty, tmp_path / "out")) == 2
    assert "no picture in it" in capsys.readouterr().err


@pytest.mark.parametrize("change", [('color = "BGR"', 'color = "RGB"'), ("pad = 114", "pad = 0"), ('align = "top-left"', 'align = "center"')])
def test_parity_refuses_a_manifest_that_was_changed(
    folder: Path, keras_file: Path, picture_folder: Path, change: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["parity", str(keras_file), str(folder), "--images", str(picture_folder), "--json", str(tmp_path / "report.json")]
    assert main(given) == 0
    assert (tmp_path / "report.json").is_file()
    (tmp_path / "report.json").unlink()
    manifest = folder / "manifest.toml"
    text = manifest.read_text()
    assert change[0] in text
    manifest.write_text(text.replace(*change))
    assert main(given) == 2
    assert "parity is violated" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_limits_are_the_ones_that_are_promised() -> None:
    assert Limits() == Limits(raw=1e-4, box_px=0.5, score=1e-3)
