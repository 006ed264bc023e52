"""One row a way to be wrong: the place, and what the message must say. Every row starts from the same good file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime.config.load import load
from edge_runtime.errors import ConfigError
from tests.config.street import BROKER_SECRET, CAMERA_SECRET, GOOD, changed, furnish, line_of, problems_of


@dataclass(frozen=True)
class Row:
    """`before` -> `after` in GOOD; the problem stands in the line that holds `at`, and its sentence holds all of `says`."""

    name: str
    before: str
    after: str
    at: str
    says: tuple[str, ...]


NORTH = 'camera "main-st-n"'
LINE = f'{NORTH}: line "lane1"'
ZONE = f'{NORTH}: zone "stop"'

ROWS = [
    # names of keys and tables
    Row("unknown-key", "fps = 10", "fsp = 10", "fsp", (NORTH, 'unknown key "fsp"', 'did you mean "fps"?')),
    Row("unknown-key-without-neighbour", "fps = 10", "zzz = 10", "zzz", (NORTH, 'unknown key "zzz"', "expected one of: classes, fps")),
    Row("key-of-another-table", 'protocol = "5"', "fps = 5", "fps = 5", ("[mqtt]", 'unknown key "fps"', "it belongs in [[camera]]")),
    Row("key-at-the-top", "[device]\n", "fps = 5\n[device]\n", "fps = 5", ('unknown key "fps"', "it belongs in [[camera]]")),
    Row("unit-in-the-key", 'interval = "5m"', 'interval_s = "5m"', "interval_s", (NORTH, 'unknown key "interval_s"', 'did you mean "interval"?')),
    Row("unknown-table", "[log]", "[lgo]", "[lgo]", ("unknown table [lgo]", 'did you mean "log"?')),
    Row("unknown-table-below", "[log]", "[log.extra]\nx = 1\n[log]", "[log.extra]",
        ("[log]", "unknown table [log.extra]", "expected one of: format, level")),
    Row("single-brackets", '[[model]]\nname = "street"', '[model]\nname = "street"', "[model]",
        ("[model] stands in single brackets", "expected tables", "[[model]]")),
    Row("value-for-a-table", '[log]\nformat = "plain"', "[x]\n[log]\nlevel = 5", "level = 5", ("[log]", "level = 5", '"debug"', "quotes")),
    # what must be written
    Row("no-site", 'site = "north"\n', "", "[device]", ("[device]", "site is missing", "expected an id", "Group of devices")),
    Row("no-points", "points = [[0.06, 0.69],\n            [0.73, 0.69]]\n", "", "[[camera.line]]", (LINE, "points is missing")),
    Row("misspelt-is-not-missing-too", 'model = "street"\nfps', 'modle = "street"\nfps', "modle",
        (NORTH, 'unknown key "modle"', 'did you mean "model"?')),
    # types
    Row("text-for-number", "fps = 10", 'fps = "10"', "fps", (NORTH, 'fps = "10"', "expected 0.1–120 frames/s", "without quotes")),
    Row("bool-for-number", "commit_ms = 200", "commit_ms = true", "commit_ms", ("[spool]", "commit_ms = true", "expected 1–5000 ms")),
    Row("float-for-int", "commit_ms = 200", "commit_ms = 200.5", "commit_ms", ("commit_ms = 200.5", "expected 1–5000 ms")),
    Row("number-for-text", 'site = "north"', "site = 5", "site", ("[device]", "site = 5", "expected an id")),
    Row("text-for-bool", "gate = false", 'gate = "no"', "gate", (NORTH, 'gate = "no"', "expected true or false", "write false without quotes")),
    Row("number-for-bool", "gate = false", "gate = 0", "gate", ("gate = 0", "expected true or false")),
    Row("number-for-choice", 'protocol = "5"', "protocol = 5", "protocol", ("[mqtt]", "protocol = 5", '"5" or "3.1.1"', "write it in quotes")),
    Row("date-for-text", 'format = "plain"', "format = 2026-11-05", "format", ("[log]", "format = 2026-11-05", '"plain" or "json"')),
    Row("text-for-list", 'classes = ["car", "bus"]', 'classes = "car"', "classes", (NORTH, 'classes = "car"', "expected a list")),
    Row("element-of-a-list", 'classes = ["car", "bus"]', 'classes = ["car", 5]', "classes", ("classes[1] = 5", "expected a text in quotes")),
    Row("empty-text", 'model = "street"\nfps', 'model = ""\nfps', 'model = ""', (NORTH, 'model = ""', "expected a text in quotes")),
    Row("control-character", 'forward = "southbound"', r'forward = "a\u0000b"', "forward", (LINE, "forward =", "expected a text in quotes")),
    # numbers
    Row("too-small", "fps = 10", "fps = 0", "fps = 0", (NORTH, "fps = 0", "expected 0.1–120 frames/s")),
    Row("too-large", "fps = 10", "fps = 121", "fps = 121", ("fps = 121", "expected 0.1–120")),
    Row("nan", "fps = 10", "fps = nan", "fps", ("fps = nan", "expected 0.1–120")),
    Row("infinity", "min_score = 0.3", "min_score = inf", "min_score", ("min_score = inf", "expected 0.01–1")),
    Row("huge-int", "fps = 10", "fps = 1" + "0" * 400, "fps", (NORTH, "fps = 1000", "expected 0.1–120")),
    Row("auto-or-number", 'threads = "auto"', 'threads = "many"', "threads", ('model "street"', 'threads = "many"', '1–64 or "auto"')),
    Row("floor-above-score", "track_floor = 0.1", "track_floor = 0.5", "track_floor", (NORTH, "track_floor = 0.5", "at most min_score (0.3)")),
    Row("score-below-floor", "min_score = 0.3\ntrack_floor = 0.1", "min_score = 0.05", "min_score",
        ("min_score = 0.05", "at least track_floor (0.1)")),
    # durations and sizes
    Row("duration-without-unit", 'interval = "5m"', "interval = 300", "interval",
        (NORTH, "interval = 300", "expected a duration", 'did you mean "300s"?')),
    Row("duration-in-words", 'interval = "5m"', 'interval = "5 minutes"', "interval", ('"5 minutes"', "expected a duration", '"1h30m"', "1s to 1d")),
    Row("duration-too-long", 'max_age = "7d"', 'max_age = "1s"', "max_age", ("[spool]", 'max_age = "1s"', "1m to ")),
    Row("duration-upside-down", 'interval = "5m"', 'interval = "30s1h"', "interval", ('"30s1h"', "larger unit goes first")),
    Row("size-without-unit", 'max_bytes = "256MB"', "max_bytes = 256000000", "max_bytes", ("max_bytes = 256000000", 'did you mean "256MB"?')),
    Row("size-too-small", 'max_bytes = "256MB"', 'max_bytes = "1kB"', "max_bytes", ("[spool]", 'max_bytes = "1kB"', "1MB to")),
    # words
    Row("id-with-capitals", 'node = "cam-017"', 'node = "Cam_017"', "node",
        ("[device]", 'node = "Cam_017"', "expected an id", 'did you mean "cam-017"?')),
    Row("choice", 'anchor = "center"', 'anchor = "centre"', "anchor", (LINE, 'anchor = "centre"', '"center" or "bottom"', 'did you mean "center"?')),
    Row("name-twice", 'name = "side"', 'name = "main-st-n"', 'name = "main-st-n"\nsource = "v4l2',
        (NORTH, 'name = "main-st-n"', "stands in line 29", "each once")),
    Row("reserved-name", 'name = "side"', 'name = "node"', 'name = "node"', ('camera "node"', "another name")),
    Row("no-such-model", 'model = "street"\nfps', 'model = "stret"\nfps', "stret",
        (NORTH, 'model = "stret"', "no [[model]]", 'did you mean "street"?')),
    Row("listed-twice", 'classes = ["car", "bus"]', 'classes = ["car", "car"]', "classes", ('classes[1] = "car"', "listed twice")),
    Row("empty-list", 'classes = ["car", "bus"]', "classes = []", "classes", ("classes = []", "at least one")),
    Row("one-word-for-both-ways", 'forward = "southbound"', 'forward = "x"\nbackward = "x"', "backward", (LINE, 'backward = "x"', "two different")),
    # places
    Row("latitude-first", "[-4.728, 41.655]", "[41.655, -104.7]", "location",
        ("[device]", "location", "longitude, latitude", "longitude goes first")),
    Row("location-short", "[-4.728, 41.655]", "[-4.728]", "location", ("expected [longitude, latitude]",)),
    Row("outside-the-picture", "[0.73, 0.69]]", "[0.73, 1.69]]", "1.69", (LINE, "points[1] = [0.73, 1.69]", "outside the picture", 'units = "px"')),
    Row("outside-in-pixels", "[384, 324]", "[384, 361]", "361", (ZONE, "polygon[2] = [384, 361]", "0–640 and 0–360 pixels")),
    Row("nan-in-a-point", "[0.73, 0.69]]", "[nan, 0.69]]", "[nan", (LINE, "points[1][0] = nan", "expected a number")),
    Row("three-coordinates", "[0.73, 0.69]]", "[0.73, 0.69, 1]]", "0.69, 1", (LINE, "points[1]", "expected [a number, a number], found 3 values")),
    Row("one-end", "[[0.06, 0.69],\n            [0.73, 0.69]]", "[[0.06, 0.69]]", "points", (LINE, "points", "found 1 value")),
    Row("no-length", "[0.73, 0.69]]", "[0.06, 0.69]]", "points = [[0.06", (LINE, "points", "no length", "two different ends")),
    Row("two-corners", "[384, 180], [384, 324], [64, 324]]", "[384, 180]]", "polygon", (ZONE, "polygon", "2 distinct corners", "three or more")),
    Row("crossing-itself", "[384, 324], [64, 324]]", "[64, 324], [384, 324]]", "polygon", (ZONE, "polygon", "cross", "in their order")),
    Row("no-area", "[384, 180], [384, 324], [64, 324]]", "[100, 180], [384, 180]]", "polygon", (ZONE, "polygon", "no area", "one line")),
    Row("mask-outside", "[0.2, 0.3]]]", "[0.2, 3]]]", "mask", (NORTH, "mask[0][2] = [0.2, 3]", "outside the picture")),
    Row("pixels-of-what", "  size = [640, 360]\n", "", 'units = "px"', (ZONE, 'units = "px"', "add size = [width, height]")),
    Row("size-without-pixels", '  units = "px"\n', "", "size", (ZONE, 'add units = "px"')),
    Row("size-of-nothing", "size = [640, 360]", "size = [640, 0]", "size", (ZONE, "size = [640, 0]", "1–16384 pixels")),
    # URLs and sources
    Row("broker-scheme", "mqtts://broker", "tcp://broker", "url", ("[mqtt]", "url", "mqtts://", "expected a URL")),
    Row("broker-without-host", "mqtts://broker.city.example:8883", "mqtts://:8883", "url", ("the host is missing", "mqtts://host")),
    Row("broker-port", ":8883", ":88883", "url", ("port 1–65535",)),
    Row("broker-port-in-words", ":8883", ":secure", "url", ("port 1–65535",)),
    Row("broker-path", ":8883", ":8883/mqtt", "url", ("has no path",)),
    Row("login-in-broker-url", "mqtts://broker", "mqtts://cam:hunter2@broker", "url",
        ("[mqtt]", "holds credentials", "username = …", "password = { file = … }")),
    Row("login-in-source", "rtsp://10.0.0.7", "rtsp://viewer:hunter2@10.0.0.7", "source = \"rtsp",
        (NORTH, "source", "holds credentials", "username = …")),
    Row("login-with-slash", "rtsp://10.0.0.7", "rtsp://viewer:hunt/er2@10.0.0.7", "source = \"rtsp", ("holds credentials",)),
    Row("source-scheme", "rtsp://10.0.0.7", "rtps://10.0.0.7", "rtps", (NORTH, "source", "rtps:", 'did you mean "rtsps"?')),
    Row("source-without-host", "rtsp://10.0.0.7/stream1", "rtsp:///stream1", "rtsp:", ("the host is missing",)),
    Row("source-query", "rtsp://10.0.0.7/stream1", "clip.mp4?lop=1", "clip", ("expected loop=1",)),
    Row("device-without-name", "v4l2:/dev/video0", "v4l2:", '"v4l2:"', ('camera "side"', "expected v4l2:/dev/video0")),
    Row("login-for-a-device", "rtsp://10.0.0.7/stream1", "v4l2:/dev/video1", "viewer",
        (NORTH, "username", "only rtsp(s):// and http(s)://", "remove it")),
    Row("password-without-user", 'username = "viewer"\n', "", "TEST_CAMERA_PASSWORD", (NORTH, "password", "no username")),
    # secrets
    Row("secret-in-the-clear", '{ file = "mqtt.password" }', '"hunter2"', "password = \"",
        ("[mqtt]", "password", "in the clear", "{ file = … }", "chmod 600")),
    Row("secret-of-two-kinds", '{ file = "mqtt.password" }', '{ file = "a", env = "B" }', "env = \"B\"", ("[mqtt]", "{ file = … } or { env = … }")),
    Row("secret-file-missing", "mqtt.password", "mqtt.pasword", "pasword", ("[mqtt]", "password", 'no file "mqtt.pasword"')),
    Row("secret-variable-missing", "TEST_CAMERA_PASSWORD", "NOT_SET_ANYWHERE", "NOT_SET", (NORTH, "NOT_SET_ANYWHERE is not set", "Environment=")),
    # keys that need each other
    Row("tls-without-tls", 'url = "mqtts://broker.city.example:8883"', 'url = "mqtt://b"\nca = "ca.pem"', "ca =",
        ("ca is for TLS", 'url = "mqtts://…"', "remove ca")),
    Row("cert-without-key", 'protocol = "5"', 'cert = "c.pem"', "cert", ("cert without key", "add key = …")),
    # not in this version
    Row("web", "[log]", '[web]\nlisten = "127.0.0.1:8080"\n[log]', "[web]", ("[web] is not in this version", "remove it")),
    Row("sensor", "[log]", '[[sensor]]\nname = "air"\nsource = "serial:/dev/ttyUSB0"\n[log]', "serial:",
        ('sensor "air"', "expected sim:load?rate=EVENTS_PER_SECOND", "no other source of a sensor")),
    Row("sensor-channel", "[log]", '[[sensor]]\nname = "air"\nsource = "sim:load"\n[[sensor.channel]]\nname = "pm25"\n[log]', "[[sensor.channel]]",
        ('sensor "air"', "[[sensor.channel]] is not in this version")),
    Row("sensor-of-a-camera's-name", "[log]", '[[sensor]]\nname = "side"\nsource = "sim:load"\n[log]', 'name = "side"\nsource = "sim:load"',
        ('sensor "side"', "a camera has this name", "give the sensor another")),
    Row("sensor-called-node", "[log]", '[[sensor]]\nname = "node"\nsource = "sim:load"\n[log]', 'name = "node"\nsource',
        ('sensor "node"', "the stream of the node itself")),
    Row("report", "[log]", '[[report]]\nname = "r"\n[log]', "[[report]]", ("[[report]] is not in this version",)),
    Row("calibration", "[[camera]]\nname = \"side\"", "[camera.calibration]\nimage = []\n[[camera]]\nname = \"side\"", "calibration",
        (NORTH, "[camera.calibration] is not in this version")),
    Row("formats", 'protocol = "5"', 'formats = ["homeassistant"]', "formats", ("[mqtt]", 'formats[0] = "homeassistant"', "not in this version")),
    Row("unknown-format", 'protocol = "5"', 'formats = ["xml"]', "formats", ('formats[0] = "xml"', 'expected "cloudevents"')),
    Row(
        "format-for-the-newer-protocol",
        'protocol = "5"',
        'protocol = "3.1.1"\nformats = ["cloudevents"]',
        "formats",
        ('formats[0] = "cloudevents"', "has no user properties", 'protocol = "5"'),
    ),
    Row("privacy", "[log]", '[privacy]\nmode = "blurred"\n[log]', "mode =",
        ("[privacy]", 'mode = "blurred"', "not in this version", 'write "strict"')),
    Row("zone-measure", "size = [640, 360]", 'size = [640, 360]\n  measure = ["dwell"]', "measure",
        (ZONE, 'measure[0] = "dwell"', "not in this version")),
    Row("simulated-street", "v4l2:/dev/video0", "sim:juncton?seed=x&weather=snow", "sim:",
        ('camera "side"', 'did you mean "junction"?', "seed=x: expected a whole number", "weather=snow: expected one of day, dusk")),
    Row("load-as-a-camera", "v4l2:/dev/video0", "sim:load?rate=5", "sim:", ('camera "side"', "sim:load shows nothing", "[[sensor]]")),
    # TOML itself
    Row("no-quotes", 'site = "north"', "site = north", "site", ("not valid TOML", "a text needs quotes")),
    Row("no-value", 'site = "north"', "site =", "site", ("not valid TOML", "the value is missing")),
    Row("open-quote", 'site = "north"', 'site = "north', "site", ("not valid TOML", "a quote is not closed in this line")),
    Row("key-twice", "fps = 10", "fps = 10\nfps = 5", "fps = 5", ('"fps" is written twice', "line 34", "keep one")),
    Row("table-twice", "[log]", "[spool]", '[spool]\nformat', ("[spool] is written twice", "line 13")),
]  # fmt: skip


def place(text: str, words: str) -> int:
    """The line where `words` begin; they may run over several lines."""
    assert text.count(words) == 1 or "\n" not in words, words
    return text[: text.index(words)].count("\n") + 1 if "\n" in words else line_of(text, words)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_load_says_where_what_and_what_to_do(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)
    text = changed(row.before, row.after)
    file = tmp_path / "device.toml"
    file.write_text(text, encoding="utf-8")
    found = [problem for problem in problems_of(file) if "no bundle" not in problem.message]
    at = place(text, row.at)
    here = [problem for problem in found if problem.line == at]
    assert here, (at, [str(problem) for problem in found])
    for words in row.says:
        assert any(words in str(problem) for problem in here), (words, [str(problem) for problem in here])
    assert all(problem.file == str(file) for problem in found)
    everything = "\n".join(str(problem) for problem in found)
    for secret in ("hunter2", "hunt/er2", BROKER_SECRET, CAMERA_SECRET):
        assert secret not in everything


def test_rows_are_many_and_each_has_its_own_name() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 50


def test_load_tells_everything_at_once_in_the_order_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path, monkeypatch)
    text = GOOD
    for before, after in (
        ("fps = 10", "fps = 0"),
        ('"drop_oldest"', '"drop"'),
        ("[0.73, 0.69]", "[7.3, 0.69]"),
        ('"v4l2:/dev/video0"', '"gone.mp4"'),
        ('"street-nano"', '"no-such-model"'),
    ):
        text = text.replace(before, after)
    (tmp_path / "device.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "device.toml")
    lines = [problem.line for problem in caught.value.problems]
    expected = [line_of(text, words) for words in ('"drop"', "no-such-model", "fps = 0", "[7.3", "gone.mp4")]
    assert lines == expected, str(caught.value)
