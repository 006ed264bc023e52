"""A simulated street through a whole replay: the same bytes each time, with truth beside the events and not among them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli.__main__ import main
from edge_runtime.errors import ConfigError
from edge_runtime.runtime.replay import Extras, Replay

pytestmark = pytest.mark.heavy

CONFIG = """
[device]
site = "test"
node = "box"

[spool]
path = "spool.db"

[[model]]
name = "street"
bundle = "{bundle}"

[[camera]]
name = "corner"
source = "{source}"
model = "street"
fps = 5
interval = "2s"

  [[camera.line]]
  name = "across"
  points = [[0.5, 0.0], [0.5, 1.0]]
"""
SOURCE = "sim:junction?seed=3&density=3&size=320x180&seconds=6"


class Quiet:
    def __init__(self) -> None:
        self.expected: int | None = None

    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None:
        self.expected = expected


@pytest.fixture
def config(tmp_path: Path, tiny_bundle: Path) -> Path:
    file = tmp_path / "device.toml"
    file.write_text(CONFIG.format(bundle=tiny_bundle, source=SOURCE), encoding="utf-8")
    return file


def replayed(config: Path, *overrides: str, **extras: Any) -> tuple[list[dict[str, Any]], str]:
    out = io.StringIO()
    Replay(config, overrides, Extras(**extras)).run(out, Quiet())
    return [json.loads(line) for line in out.getvalue().splitlines()], out.getvalue()


def test_replay_of_a_street_gives_the_same_bytes_with_and_without_truth(config: Path, tmp_path: Path) -> None:
    events, plain = replayed(config)
    _, watched = replayed(config, truth=tmp_path / "truth")
    assert plain == watched
    windows = [event for event in events if event["type"] == "count" and event["data"]["dir"] == "forward"]
    assert [window["seen"]["frames_processed"] for window in windows] == [10, 10, 10], "six seconds are three windows, and no fourth"
    assert all(window["clock"] == "footage" for window in windows)
    assert windows[0]["time"] == "1970-01-01T00:00:02Z"
    assert "speed_kmh" not in plain


def test_replay_ends_when_the_url_says_and_numbers_follow_from_it(config: Path) -> None:
    job, quiet = Replay(config), Quiet()
    summary = job.run(io.StringIO(), quiet)
    assert summary.cameras[0].frames == quiet.expected == 30
    ids = {event["id"].split("-")[0] for event in replayed(config)[0]}
    others = {event["id"].split("-")[0] for event in replayed(config, f"camera.corner.source={SOURCE.replace('seed=3', 'seed=4')}")[0]}
    assert len(ids) == len(others) == 1
    assert ids != others


def test_replay_truth_lies_in_a_folder_of_the_camera_and_begins_when_the_replay_does(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "truth"
    words = ["--out", str(tmp_path / "out.jsonl"), "--truth", str(folder), "--start", "2026-11-05T10:00:00Z", "--frames", "25"]
    assert main(["replay", "--config", str(config), *words]) == 0
    assert {file.name for file in (folder / "corner").iterdir()} == {"crossings.jsonl", "zones.jsonl", "gt.txt", "seqinfo.ini", "truth.json"}
    truth = json.loads((folder / "corner" / "truth.json").read_text())
    assert (truth["frames"], truth["fps"]) == (25, 5)
    assert list(truth["lines"]) == ["across"]
    crossings = [json.loads(line) for line in (folder / "corner" / "crossings.jsonl").read_text().splitlines()]
    assert crossings
    assert all("2026-11-05T10:00:00" <= row["time"] < "2026-11-05T10:00:05" for row in crossings)
    assert {row["rule"] for row in crossings} == {"across"}


def test_replay_truth_of_footage_is_refused_with_its_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    config.write_text(config.read_text().replace(SOURCE, "clip.mp4"))
    with pytest.raises(ConfigError, match=r'device.toml:15: camera "corner": source = .*nobody knows what really passed in footage'):
        Replay(config, (), Extras(truth=tmp_path / "truth"))
    assert not (tmp_path / "truth").exists()


def test_replay_of_a_wrong_street_is_refused_with_everything_wrong(config: Path) -> None:
    config.write_text(config.read_text().replace(SOURCE, "sim:juncton?seed=x"))
    with pytest.raises(ConfigError, match=r'device.toml:15: camera "corner": source = .*did you mean "junction".*seed=x: expected'):
        Replay(config)


def test_replay_film_of_a_street_shows_it(config: Path, tmp_path: Path) -> None:
    import av

    replayed(config, annotate=tmp_path / "film.mp4", frames=5)
    with av.open(str(tmp_path / "film.mp4")) as container:
        pictures = list(container.decode(video=0))
    assert [(picture.width, picture.height) for picture in pictures] == [(320, 180)] * 5
