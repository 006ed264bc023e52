"""`edge-runtime demo` as it is typed, without a terminal."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli import demo
from edge_runtime.cli.__main__ import main
from edge_runtime.sources.sim import filming, options
from tests.peers.broker import free_port


def typed(*words: str | Path, cwd: Path | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "edge_runtime", "demo", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, cwd=cwd)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a street."""
    file = tmp_path_factory.mktemp("film") / "street.mp4"
    filming.film("sim:road?size=320x180", file, seconds=4.0)
    return file


def test_choices_are_those_of_the_simulated_street() -> None:
    """They are written twice, so that --help imports nothing."""
    assert options.SCENES == demo.SCENES
    assert options.WEATHERS == demo.WEATHERS


@pytest.mark.parametrize(
    "words",
    [
        ["--frames", "0"],
        ["--seconds", "nan"],
        ["--seconds", "0"],
        ["--density", "9"],
        ["--density", "much"],
        ["--seed", "-1"],
        ["--port", "70000"],
        ["--port", "mqtt"],
        ["--scene", "motorway"],
        ["--weather", "snow"],
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", *words])
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_config_to_keep_is_one_that_check_takes(tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "device.toml"
    assert main(["demo", "--model", str(tiny_bundle), "--scene", "road", "--write-config", str(file)]) == 0
    assert f"check --config {file}" in capsys.readouterr().out
    assert main(["check", "--config", str(file)]) == 0
    assert "sim:road" in file.read_text()
    assert main(["demo", "--model", str(tiny_bundle), "--write-config", str(file)]) == 3
    assert "is there already" in capsys.readouterr().err


@pytest.mark.system
def test_json_is_one_object_and_lines_go_beside_it(film: Path, tiny_bundle: Path) -> None:
    done = typed("--camera", film, "--model", tiny_bundle, "--frames", "12", "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["simulated"] is False and told["source"] == str(film)
    assert told["frames"] + told["dropped"] == 12
    assert told["true"] is None and told["error"] is None and told["groups"] == []
    assert [(row["line"], row["dir"]) for row in told["lines"]] == [("middle", "forward"), ("middle", "backward")]
    assert told["windows_agree"] and told["clean"]
    assert told["spool"] == 0
    assert told["published"] > 0
    assert f"mosquitto_sub -h 127.0.0.1 -p {told['broker'].rpartition(':')[2]} -t 'edge/v1/#' -v" in done.stderr
    assert "What to type next" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.system
def test_film_that_ends_ends_it(film: Path, tiny_bundle: Path) -> None:
    done = typed("--camera", film.name, "--model", tiny_bundle, "--seconds", "90", cwd=film.parent)
    assert done.returncode == 0, done.stderr
    assert "of 10 frames/s" in done.stdout
    assert "SIMULATED" not in done.stdout
    assert "counted/true" not in done.stdout
    assert done.stderr == ""


@pytest.mark.system
def test_simulated_street_that_is_given_as_a_camera_is_said_to_be_simulated(tiny_bundle: Path) -> None:
    done = typed("--camera", "sim:footpath?size=320x180", "--model", tiny_bundle, "--frames", "5", "--headless")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SIMULATED STREET: nothing here was filmed") == 2
    assert "counted/true" in done.stdout, "and its truth is known by the line that was drawn across it"


def test_port_that_is_taken_is_said(film: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--camera", str(film), "--model", str(tiny_bundle), "--port", str(port), "--headless"]) == 3
    assert f"port {port} of 127.0.0.1 cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("camera", "status", "said"),
    [
        ("absent.mp4", 2, "--camera: .*there is no such file"),
        ("rtps://10.0.0.7/stream1", 2, "--camera: .*did you mean"),
        ("rtsp://viewer:s3cret@127.0.0.1:{port}/stream1", 3, "--camera rtsp://127.0.0.1:.*nothing listens there"),
        ("v4l2:/dev/video99", 3, "--camera v4l2:/dev/video99: .*plugged in"),
    ],
)
@pytest.mark.system
def test_camera_that_cannot_be_is_said_in_one_line(camera: str, status: int, said: str, tmp_path: Path, tiny_bundle: Path) -> None:
    import re

    done = typed("--camera", camera.format(port=free_port()), "--model", tiny_bundle, "--headless", cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_model_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--model", "unheard-of", "--headless"]) == 2
    assert "no bundle 'unheard-of': looked at" in capsys.readouterr().err
