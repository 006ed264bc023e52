"""`edge-runtime bench` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.cli.__main__ import main

QUICK = ["--seconds", "0.2", "--rounds", "1", "--size", "320x192"]

CONFIG = """
[device]
site = "test"
node = "box"

[mqtt]
url = "mqtt://127.0.0.1"

[spool]
path = "spool.db"

[[model]]
name = "street"
bundle = "{bundle}"

[[camera]]
name = "north"
source = "rtsp://10.0.0.7/stream"
username = "viewer"
model = "street"
fps = 5

[[camera]]
name = "south"
source = "rtsp://10.0.0.8/stream"
model = "street"
fps = 5

[[camera]]
name = "file"
source = "{clip}"
model = "street"
fps = 15
"""


@pytest.fixture
def model(material: Path) -> Path:
    return material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "edge_runtime", "bench", *words, *QUICK]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("words", [[], ["--config", "device.toml", "--model", "model.onnx"]])
def test_bench_needs_a_config_or_a_model_and_not_both(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    assert "either --config device.toml or --model FILE" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--seconds", "0"], ["--seconds", "soon"], ["--size", "big"], ["--size", "99999x10"], ["--rounds", "0"]])
def test_bench_refuses_an_argument_out_of_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "--model", "model.onnx", *words])
    assert stopped.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_bench_of_a_missing_model_exits_2_naming_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--model", str(tmp_path / "absent.onnx"), *QUICK]) == 2
    assert "absent.onnx" in capsys.readouterr().err


@pytest.mark.material
def test_bench_of_a_model_measures_it_on_a_simulated_street(model: Path) -> None:
    done = _bench("--model", str(model), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (camera,) = report["cameras"]
    assert report["load"] is None
    assert camera["fps"] == 10
    assert camera["best"] in camera["plans"]
    assert camera["best"]["cameras"] > 0
    assert camera["limit"]["fps"]["median"] > 0


@pytest.mark.material
def test_bench_of_a_config_measures_like_cameras_once_and_adds_them_up(tmp_path: Path, model: Path, material: Path) -> None:
    from edge_runtime.infer.adopt import adopt

    config = tmp_path / "device.toml"
    clip = material / "videos" / "car_detection" / "car-detection.mp4"
    config.write_text(CONFIG.format(bundle=adopt(model, tmp_path / "bundle"), clip=clip), encoding="utf-8")
    done = _bench("--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [camera["cameras"] for camera in report["cameras"]] == [["north", "south"], ["file"]]
    assert report["cameras"][1]["footage"] == str(clip)
    north, file = (camera["best"]["cameras"] for camera in report["cameras"])
    assert report["load"] == pytest.approx(2 / north + 1 / file, rel=0.02)


@pytest.mark.heavy
def test_bench_films_a_simulated_camera_because_a_real_one_has_to_be_decoded(tmp_path: Path, tiny_bundle: Path) -> None:
    config = tmp_path / "device.toml"
    text = CONFIG.format(bundle=tiny_bundle, clip="sim:road?seed=2&size=320x180")
    config.write_text(text.replace("rtsp://10.0.0.7/stream", "sim:road?seed=3&size=320x180").replace('username = "viewer"\n', ""), encoding="utf-8")
    done = _bench("--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    cameras = json.loads(done.stdout)["cameras"]
    assert [camera["cameras"] for camera in cameras] == [["north"], ["south"], ["file"]]
    assert len({camera["footage"] for camera in cameras}) == 3, "each its own street; the live camera a common one"
    assert all(camera["limit"]["decode_ms"]["median"] > 0 for camera in cameras)


@pytest.mark.material
def test_bench_prints_what_to_set(model: Path) -> None:
    done = _bench("--model", str(model))
    assert done.returncode == 0, done.stderr
    for words in ("CPU ms a frame", "workers × threads", "limit", "set  workers = ", "in its [[model]]"):
        assert words in done.stdout
