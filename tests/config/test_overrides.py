"""--set: one key replaced, and what is wrong with a --set is said with its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.config.load import load
from tests.config.street import GOOD, furnish, problems_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path, monkeypatch)
    path = tmp_path / "device.toml"
    path.write_text(GOOD)
    return path


def test_set_replaces_keys_of_named_tables(file: Path) -> None:
    config = load(
        file,
        [
            "camera.main-st-n.fps=5",
            "camera.main-st-n.line.lane1.anchor=bottom",
            "camera.side.interval=1h30m",
            "camera.side.classes=['car', \"bus\"]",
            "camera.side.source=rtsp://10.0.0.9/x?a=b",
            "device.location=[1.5, 2]",
            "log.level = debug",
            "camera.main-st-n.gate=true",
            "privacy.mode=strict",
        ],
    ).config
    main, side = config.camera
    assert (main.fps, main.line[0].anchor, main.gate) == (5.0, "bottom", True)
    assert (side.interval_s, side.classes, side.source) == (5400.0, ("car", "bus"), "rtsp://10.0.0.9/x?a=b")
    assert (config.device.location, config.log.level, config.privacy.mode) == ((1.5, 2.0), "debug", "strict")


def test_set_the_last_of_one_key_wins(file: Path) -> None:
    assert load(file, ["camera.side.fps=5", "camera.side.fps=7"]).config.camera[1].fps == 7.0


WRONG = [
    ("fps", "--set", "expected path.to.key=value"),
    ("=5", "--set", "expected path.to.key=value"),
    ("a..b=5", "--set", "expected path.to.key=value"),
    ("camera.side.fps=", "--set camera.side.fps", "the value is missing"),
    ("camera.side.fps=0", "--set camera.side.fps", 'camera "side": fps = 0: expected 0.1–120'),
    ("camera.side.fsp=5", "--set camera.side.fsp", 'unknown key "fsp": did you mean "fps"?'),
    ("camera.sid.fps=5", "--set camera.sid.fps", '[[camera]]: there is none of the name "sid": did you mean "side"?'),
    ("camera.main-st-n.line.lane2.anchor=bottom", "--set camera.main-st-n.line.lane2.anchor", '[[camera.line]]: there is none of the name "lane2"'),
    ("camera.side.line.x.anchor=bottom", "--set camera.side.line.x.anchor", "the file has none"),
    ("camera.side.fps.x=5", "--set camera.side.fps.x", "fps"),
    ("device.site.x=5", "--set device.site.x", "holds no keys"),
    ("device.site.x.y=5", "--set device.site.x.y", "no table"),
    ("camera=5", "--set camera", "camera = 5: expected tables, each written as [[camera]]"),
    ("camera.fps=5", "--set camera.fps", "holds no keys"),
    ("device.location=[1, 2", "--set device.location", "no TOML"),
    ("device.site=a\nnode = 'b'", "--set device.site", "expected an id"),
    ("device.site='a'\nnode = 'b'", "--set device.site", "no TOML"),
    ("web.listen=1", "--set web.listen", "[web] is not in this version"),
]


@pytest.mark.parametrize(("text", "place", "words"), WRONG, ids=[row[0].replace("\n", "|") for row in WRONG])
def test_set_wrong_names_the_override_and_no_line(file: Path, text: str, place: str, words: str) -> None:
    found = [problem for problem in problems_of(file, [text]) if problem.file.startswith("--set")]
    assert found, problems_of(file, [text])
    assert all(problem.file == place and problem.line == 0 for problem in found)
    assert any(words in str(problem) for problem in found), [str(problem) for problem in found]


def test_set_never_shows_a_secret(file: Path) -> None:
    (problem,) = [problem for problem in problems_of(file, ["mqtt.password=hunter2"]) if problem.file.startswith("--set")]
    assert str(problem).startswith("--set mqtt.password: [mqtt]: password: it is written in the clear")
    assert "hunter2" not in str(problem)
