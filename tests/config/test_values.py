"""Values with a grammar of their own, at their edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config.load import load
from edge_runtime.config.tree import Node
from edge_runtime.config.values import (
    Wrong,
    parse_duration,
    parse_secret,
    parse_sensor_source,
    parse_size,
    parse_source,
    parse_url,
    show_duration,
    show_size,
)
from edge_runtime.options import Secret
from tests.config.street import BROKER_SECRET, CAMERA_SECRET, GOOD, furnish

FREE = {"low": None, "high": None}
HERE = Path("/etc/edge")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("300s", 300), ("1h30m", 5400), ("7d", 604800), ("500ms", 0.5), ("1.5s", 1.5), ("1d2h3m4s5ms", 93784.005), ("0s", 0)],
)
def test_parse_duration_of_units_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text, FREE, HERE) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "5", "m5", "5 m", "5M", "-5m", "5m5m", "5s5m", "1e3s", "٥m", "5m ", "∞", True, None, [], {}, float("nan"), 10**400, "9" * 41 + "s"]
)
def test_parse_duration_of_anything_else_is_wrong(value: Any) -> None:
    with pytest.raises(Wrong, match="expected a duration"):
        parse_duration(value, FREE, HERE)


@given(st.integers(1, 365 * 86400 * 1000))
def test_show_duration_is_read_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(show_duration(milliseconds // 1000 or 0.5), FREE, HERE) == (milliseconds // 1000 or 0.5)
    assert parse_duration(f"{milliseconds}ms", FREE, HERE) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "count"), [("256MB", 256_000_000), ("64MiB", 64 << 20), ("1.5GB", 1_500_000_000), ("10 kB", 10_000), ("7B", 7), ("2KiB", 2048)]
)
def test_parse_size_of_units_is_bytes(text: str, count: int) -> None:
    assert parse_size(text, FREE, HERE) == count


@pytest.mark.parametrize("value", ["", "5", "MB", "5mb", "-5MB", "5 M", "1e3B", "5MB ", True, 5.5, None, [], "9" * 41 + "B", "2000GB"])
def test_parse_size_of_anything_else_is_wrong(value: Any) -> None:
    with pytest.raises(Wrong, match="expected a size"):
        parse_size(value, FREE, HERE)


@given(st.integers(0, 10**12))
def test_show_size_is_read_back(count: int) -> None:
    assert parse_size(show_size(count), FREE, HERE) == count


@pytest.mark.parametrize(
    "url", ["mqtt://h", "mqtt://h:1", "mqtts://[::1]:8883", "ws://h:80/mqtt", "wss://h/x/y", "MQTT://h/", "mqtt://10.0.0.1:65535"]
)
def test_parse_url_takes_brokers(url: str) -> None:
    assert parse_url(url, FREE, HERE) == url


@pytest.mark.parametrize(
    "url",
    ["", " ", "h:1883", "mqtt:h", "mqtt://", "mqtt://:1", "mqtt://h:0", "mqtt://h:", "mqtt://h:65536", "mqtt://h:-1", "mqtt://h/x", "mqtt://h?x=1",
     "mqtt://h#x", "mqtt://a b", "mqtt://u@h", "mqtt://u:p@h", "mqtt://u:p/q@h", "mqtt://[::1", "mqtt://h\n", "http://h", 5, None, ["mqtt://h"]],
)  # fmt: skip
def test_parse_url_refuses_the_rest(url: Any) -> None:
    with pytest.raises(Wrong):
        parse_url(url, FREE, HERE)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("rtsp://10.0.0.7/stream1", "rtsp://10.0.0.7/stream1"),
        ("RTSP://cam:8554/x?token=1", "RTSP://cam:8554/x?token=1"),
        ("http://[fe80::1]/video.mjpg", "http://[fe80::1]/video.mjpg"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0"),
        ("gst:videotestsrc ! x264enc", "gst:videotestsrc ! x264enc"),
        ("sim:junction", "sim:junction"),
        ("sim:footpath?seed=7&weather=night-rain&size=640x360", "sim:footpath?seed=7&weather=night-rain&size=640x360"),
        ("clip.mp4", "/etc/edge/clip.mp4"),
        ("../clip.mp4?loop=1", "/etc/edge/../clip.mp4?loop=1"),
        ("/srv/clip.mp4", "/srv/clip.mp4"),
        ("file:a:b.mp4", "file:/etc/edge/a:b.mp4"),
        ("file:///srv/clip.mp4?loop=0", "file:/srv/clip.mp4?loop=0"),
    ],
)
def test_parse_source_resolves_files_and_keeps_urls(source: str, kept: str) -> None:
    assert parse_source(source, FREE, HERE) == kept


@pytest.mark.parametrize(
    "source",
    ["", "rtsp:", "rtsp:10.0.0.7", "rtsp://", "rtsp:///x", "rtsp://h:99999/", "rtsp://u:p@h/", "rtsp://h/a b", "rtmp://h/x", "foo:bar",
     "sim:", "sim:square", "sim://junction", "sim:road?sed=1", "sim:road?fps=0", "sim:load?rate=5", "v4l2:", "gst: ",
     "mqtt:x", "serial:/dev/ttyUSB0", "clip.mp4?fps=3", "clip.mp4?loop=2", "clip.mp4?loop=1&loop=1", "?loop=1", 5, None, "a\0b"],
)  # fmt: skip
def test_parse_source_refuses_the_rest(source: Any) -> None:
    with pytest.raises(Wrong):
        parse_source(source, FREE, HERE)


def test_parse_source_tells_everything_wrong_with_a_street_at_once() -> None:
    with pytest.raises(Wrong) as caught:
        parse_source("sim:junktion?density=9&wether=rain", FREE, HERE)
    for words in (
        'no scene "junktion": did you mean "junction"?',
        "density=9: expected a number, 0.1 to 3",
        'no option "wether": did you mean "weather"?',
    ):
        assert words in str(caught.value)


def test_parse_sensor_source_takes_a_load_and_nothing_else() -> None:
    assert parse_sensor_source("sim:load?rate=500", FREE, HERE) == "sim:load?rate=500"
    assert parse_sensor_source("sim:load", FREE, HERE) == "sim:load"
    for source in ("sim:load?rate=0", "sim:load?rate=1&rate=2", "sim:load?seed=1", "sim:junction", "serial:/dev/ttyUSB0", "", 5):
        with pytest.raises(Wrong, match="expected"):
            parse_sensor_source(source, FREE, HERE)


def test_parse_source_of_a_file_whose_name_has_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "what?.mp4").touch()
    assert parse_source("what?.mp4", FREE, tmp_path) == str(tmp_path / "what?.mp4")


# -- secrets ---------------------------------------------------------------------------------------------------------------------


def from_file(path: Path) -> Secret:
    return parse_secret({"file": Node(path.name, 1)}, FREE, path.parent)


def test_parse_secret_reads_one_line_of_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes("pässword with spaces\r\n".encode())
    file.chmod(0o600)
    assert from_file(file).reveal() == "pässword with spaces"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_parse_secret_of_a_file_that_others_can_read_says_chmod(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    file.chmod(mode)
    with pytest.raises(Wrong) as caught:
        from_file(file)
    assert f"mode {mode:04o}" in str(caught.value)
    assert f"chmod 600 {file}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two\nlines\n", "more than one line"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 5000, "more than one line"),
    ],
)
def test_parse_secret_of_an_odd_file_is_wrong(data: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(Wrong, match=words):
        from_file(file)


def test_parse_secret_of_a_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0o700)
    with pytest.raises(Wrong, match="no regular file"):
        from_file(tmp_path / "secret")


@pytest.mark.parametrize("raw", [{}, {"file": Node("", 1)}, {"env": Node(5, 1)}, {"env": Node("A B", 1)}, {"files": Node("x", 1)}, [], 5, True])
def test_parse_secret_of_another_form_is_wrong(raw: Any) -> None:
    with pytest.raises(Wrong):
        parse_secret(raw, FREE, HERE)


def test_parse_secret_of_an_empty_variable_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EMPTY", "")
    with pytest.raises(Wrong, match="TEST_EMPTY is empty"):
        parse_secret({"env": Node("TEST_EMPTY", 1)}, FREE, HERE)


def test_loaded_secrets_are_there_and_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)
    (tmp_path / "device.toml").write_text(GOOD)
    loaded = load(tmp_path / "device.toml")
    broker, camera = loaded.config.mqtt.password, loaded.config.camera[0].password
    assert broker is not None
    assert camera is not None
    assert (broker.reveal(), camera.reveal()) == (BROKER_SECRET, CAMERA_SECRET)
    for shown in (repr(loaded), repr(loaded.config), str(loaded.config), f"{broker} {camera!r}", repr(loaded.root)):
        assert BROKER_SECRET not in shown
        assert CAMERA_SECRET not in shown
