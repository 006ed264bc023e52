"""The device.toml that the demo writes is one that `check` finds nothing wrong with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge_runtime.config.check import require_sound
from edge_runtime.config.load import load
from edge_runtime.config.schema import Config
from edge_runtime.errors import BundleError, CannotStart, ConfigError
from edge_runtime.runtime.demo.device import CAMERA, MIDDLE, PASSWORD_FILE, DemoOptions, write_device
from edge_runtime.sources.sim.scenes import SCENES

BROKER = "mqtt://127.0.0.1:1883"


@pytest.fixture
def model(tiny_bundle: Path) -> str:
    return str(tiny_bundle)


def written(options: DemoOptions, folder: Path, broker: str = BROKER, **more: str) -> Config:
    file = folder / "device.toml"
    write_device(options, file, broker, **more)
    loaded = load(file)
    require_sound(loaded)
    return loaded.config


@pytest.mark.parametrize("scene", SCENES)
def test_street_has_the_lines_and_zones_of_its_scene(scene: str, tmp_path: Path, model: str) -> None:
    config = written(DemoOptions(model=model, scene=scene, seed=7, density=0.5, weather="rain"), tmp_path)
    (camera,) = config.camera
    assert (camera.name, camera.source) == (scene, f"sim:{scene}?seed=7&density=0.5&weather=rain")
    assert [(line.name, line.points, line.forward, line.backward) for line in camera.line] == [
        (line.name, line.points, line.forward, line.backward) for line in SCENES[scene].lines
    ]
    assert [(zone.name, zone.polygon) for zone in camera.zone] == [(zone.name, zone.polygon) for zone in SCENES[scene].zones]
    assert camera.classes == ("car", "bus", "bicycle", "person"), "those that the model knows"


def test_broker_and_its_protocol_are_written(tmp_path: Path, model: str) -> None:
    config = written(DemoOptions(model=model), tmp_path, "mqtt://127.0.0.1:4711", protocol="3.1.1")
    assert (config.mqtt.url, config.mqtt.protocol) == ("mqtt://127.0.0.1:4711", "3.1.1")


def test_camera_gets_a_line_across_the_middle_and_its_login_apart(tmp_path: Path, model: str) -> None:
    config = written(DemoOptions(model=model, camera="rtsp://viewer:s%40cret@10.0.0.7:554/stream1?x=1"), tmp_path)
    (camera,) = config.camera
    assert (camera.name, camera.source, camera.username) == (CAMERA, "rtsp://10.0.0.7:554/stream1?x=1", "viewer")
    assert camera.password is not None and camera.password.reveal() == "s@cret"
    assert [line.points for line in camera.line] == [MIDDLE[0].points]
    assert "cret" not in (tmp_path / "device.toml").read_text()
    assert stat.S_IMODE((tmp_path / PASSWORD_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("source", ["v4l2:/dev/video0", "gst:videotestsrc", "http://10.0.0.7/video"])
def test_camera_without_login_is_written_as_it_is(source: str, tmp_path: Path, model: str) -> None:
    write_device(DemoOptions(model=model, camera=source), tmp_path / "device.toml", BROKER)
    assert load(tmp_path / "device.toml").config.camera[0].source == source


def test_film_is_meant_where_the_user_stands(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'a "film".mp4').write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    config = written(DemoOptions(model=model, camera='a "film".mp4'), tmp_path / "elsewhere")
    assert config.camera[0].source == str(tmp_path / 'a "film".mp4')


def test_model_by_name_stays_a_name(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", str(Path(model).parent))
    assert str(written(DemoOptions(model="tiny"), tmp_path).model[0].bundle) == "tiny"


def test_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle 'unheard-of': looked at"):
        write_device(DemoOptions(model="unheard-of"), tmp_path / "device.toml", BROKER)
    assert not (tmp_path / "device.toml").exists()


def test_nothing_is_overwritten(tmp_path: Path, model: str) -> None:
    (tmp_path / "device.toml").write_text("mine")
    with pytest.raises(CannotStart, match="is there already"):
        write_device(DemoOptions(model=model), tmp_path / "device.toml", BROKER)
    assert (tmp_path / "device.toml").read_text() == "mine"
    with pytest.raises(CannotStart, match="cannot be written: No such file or directory"):
        write_device(DemoOptions(model=model), tmp_path / "absent" / "device.toml", BROKER)


@pytest.mark.parametrize("there", ["device.toml", PASSWORD_FILE])
def test_config_and_password_are_written_both_or_neither(there: str, tmp_path: Path, model: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(CannotStart, match=f"{there}: is there already"):
        write_device(DemoOptions(model=model, camera="rtsp://viewer:s3cret@10.0.0.7/stream1"), tmp_path / "device.toml", BROKER)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir() if file.is_file()] == [(there, "mine")]


def test_camera_that_is_no_url_is_said(tmp_path: Path, model: str) -> None:
    with pytest.raises(ConfigError, match="--camera: is no URL"):
        write_device(DemoOptions(model=model, camera="rtsp://[::1/x"), tmp_path / "device.toml", BROKER)
