"""`edge-runtime models …` as it is typed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.cli.__main__ import main
from tests.infer.tiny import tiny_yolox, write_labels, write_model


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    out = tmp_path / "tiny"
    assert main(["models", "adopt", str(write_model(tmp_path)), "--out", str(out), "--labels", str(write_labels(tmp_path))]) == 0
    return out


def test_adopt_says_what_it_made_and_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tiny"
    assert main(["models", "adopt", str(write_model(tmp_path)), "--out", str(out), "--labels", str(write_labels(tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert f"{out}: tiny@1.0.0, yolox, 64×64, 4 classes, licence unknown" in shown
    assert "its licence is unknown" in shown and "its source is unknown" in shown


def test_adopt_takes_every_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--family", "yolox", "--labels", str(write_labels(tmp_path)), "--size", "96x64", "--name", "street", "--version", "3"]
    words += ["--licence", "MIT", "--source", "https://example.org"]
    file = write_model(tmp_path, tiny_yolox(width="w", height="h"))
    assert main(["models", "adopt", str(file), "--out", str(tmp_path / "out"), *words]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: street@3, yolox, 96×64, 4 classes, licence MIT\n"


def test_adopt_that_fails_ends_with_status_2_and_says_why(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "adopt", str(bundle / "model.onnx"), "--out", str(bundle)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["416", "0x416", "axb", "416x416x3"])
def test_size_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["models", "adopt", "x.onnx", "--out", "y", "--size", text])
    assert caught.value.code == 2
    assert "like 416x416" in capsys.readouterr().err


def test_inspect_shows_what_is_inside_a_file(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["models", "inspect", str(bundle / "model.onnx")]) == 0
    shown = capsys.readouterr().out
    for words in (
        "images  float32 [1, 3, 64, 64]",
        "output  float32 [1, 84, 9]",
        "yolox: fits, 4 classes",
        "AveragePool 3",
        "ai.onnx opset 13",
        "tests",
    ):
        assert words in shown, shown


def test_inspect_of_a_bundle_shows_its_manifest_too(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["models", "inspect", str(bundle)]) == 0
    assert "BGR, letterbox top-left, pad 114" in capsys.readouterr().out
    assert main(["models", "inspect", str(bundle), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["bundle"]["name"] == "tiny"
    assert shown["inputs"] == [{"name": "images", "dtype": "float32", "shape": [1, 3, 64, 64]}]
    assert shown["operators"]["AveragePool"] == 3
    assert shown["unsafe"] == []


def test_inspect_of_what_would_be_refused_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_yolox()
    model.training_info.add()
    assert main(["models", "inspect", str(write_model(tmp_path, model))]) == 2
    assert "refused: a training graph" in capsys.readouterr().out


def test_list_shows_sound_and_broken_ones(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", str(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.toml").write_text("schema = 1\n")
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "tiny@1.0.0, yolox" in shown and "broken: " in shown
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["bundles"]
    assert [each.get("name") for each in listed if str(tmp_path) in each["folder"]] == [None, "tiny"]


def test_list_shows_where_each_was_found_and_what_is_hidden(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a config in a folder of its own finds them, whatever the present folder is."""
    site = tmp_path / "site"
    shutil.copytree(bundle, site / "models" / "tiny")
    shutil.copytree(bundle, site / "tiny")
    capsys.readouterr()
    assert main(["models", "list", "--config", str(site / "device.toml")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny")]
    assert lines[0].endswith(f"; in {site}")
    assert lines[1].endswith(f"; in {site / 'models'}; hidden by {site / 'tiny'}")
    assert main(["models", "list", "--json", "-c", str(site / "device.toml")]) == 0
    listed = [each["hidden"] for each in json.loads(capsys.readouterr().out)["bundles"] if each["name"] == "tiny"]
    assert listed == [False, True]


def test_list_of_nothing_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.infer import bundle as bundles

    monkeypatch.setattr(bundles, "search_path", lambda _: [tmp_path])
    assert main(["models", "list"]) == 0
    assert f"no bundle in {tmp_path}" in capsys.readouterr().out


def test_verify_proves_a_bundle_here(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["models", "verify", str(bundle)]) == 0
    assert "tiny@1.0.0: sound; runs on cpu; golden outputs differ by at most" in capsys.readouterr().out


def test_verify_of_a_broken_bundle_or_an_absent_provider_fails(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", str(bundle), "--provider", "cuda"]) == 3
    assert "provider cuda: not in the ONNX Runtime" in capsys.readouterr().err
    (bundle / "model.onnx").write_bytes(b"something else")
    assert main(["models", "verify", str(bundle)]) == 2


def test_models_alone_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 2
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in ("adopt", "inspect", "list", "verify"))


def test_parser_imports_nothing_heavy() -> None:
    code = "import sys, argparse; from edge_runtime.cli import models, watch; s = argparse.ArgumentParser().add_subparsers()\n"
    code += "models.add_parser(s); watch.add_parser(s); heavy = {'numpy', 'onnx', 'onnxruntime', 'rich', 'paho', 'numba', 'cv2'} & set(sys.modules)\n"
    code += "assert not heavy, heavy"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
