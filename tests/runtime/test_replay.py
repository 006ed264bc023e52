"""Replay: the same input gives the same bytes; what the user wrote wrong is said before anything is touched."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.runtime.replay import Extras, Replay, Summary

pytestmark = pytest.mark.material

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
name = "main"
source = "{source}"
model = "street"
fps = 30
interval = "1s"

  [[camera.line]]
  name = "south"
  points = [[40, 250], [465, 250]]
  units = "px"
  size = [640, 360]
"""


class Told:
    """Progress, kept."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, int, int | None]] = []

    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None:
        self.updates.append((camera, done, expected))


@pytest.fixture
def config(tmp_path: Path, bundle_folder: Path, busy_road: Path) -> Path:
    file = tmp_path / "device.toml"
    file.write_text(CONFIG.format(bundle=bundle_folder, source=busy_road), encoding="utf-8")
    return file


def _run(config: Path, *overrides: str, **extras: Any) -> tuple[str, Summary]:
    out = io.StringIO()
    summary = Replay(config, overrides, Extras(**{"frames": 60, **extras})).run(out, Told())
    return out.getvalue(), summary


def test_replay_twice_gives_the_same_bytes(config: Path) -> None:
    first, summary = _run(config)
    second, _ = _run(config)
    assert first == second
    assert summary.cameras[0].frames == 60
    assert summary.cameras[0].totals["south"]["forward"] > 0, "a replay without a crossing would agree with anything"


def test_replay_with_one_worker_says_the_same_as_with_three(config: Path) -> None:
    alone, _ = _run(config, "model.street.workers=1")
    crowd, _ = _run(config, "model.street.workers=3")
    assert _without_ids(alone) == _without_ids(crowd)


def test_replay_numbers_events_under_an_epoch_that_the_input_decides(config: Path) -> None:
    events = [json.loads(line) for line in _run(config)[0].splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    epoch = {event["id"].split("-")[0] for event in events}
    other = {json.loads(line)["id"].split("-")[0] for line in _run(config, "camera.main.min_score=0.35")[0].splitlines()}
    assert len(epoch) == len(other) == 1
    assert epoch != other


def test_replay_windows_carry_the_frames_that_they_rest_on(config: Path) -> None:
    events = [json.loads(line) for line in _run(config, "camera.main.fps=10", frames=20)[0].splitlines()]
    windows = [event for event in events if event["type"] == "count" and event["data"]["dir"] == "forward"]
    assert sum(window["seen"]["frames_processed"] for window in windows) == 20
    whole = [window for window in windows if not window.get("partial")]
    assert whole
    assert all(window["seen"]["frames_expected"] == window["seen"]["frames_processed"] == 10 for window in whole)
    assert all(window["clock"] == "footage" for window in windows)


def test_replay_expects_no_more_frames_than_the_footage_has(config: Path) -> None:
    events = [json.loads(line) for line in _run(config, "camera.main.fps=120")[0].splitlines()]
    whole = [event["seen"] for event in events if event["type"] == "count" and not event.get("partial")]
    assert whole
    assert all(seen["frames_expected"] == seen["frames_processed"] == 30 for seen in whole), "30 pictures/s, whatever is wanted"


def test_replay_start_moves_the_clock_of_the_events(config: Path) -> None:
    events = [json.loads(line) for line in _run(config, start="2026-11-05T10:00:00.700Z")[0].splitlines()]
    crossing = next(event for event in events if event["type"] == "crossing")
    assert "2026-11-05T10:00:00.700Z" <= crossing["time"] < "2026-11-05T10:00:03Z"
    ends = [event["time"] for event in events if event["type"] == "count"]
    assert ends[0] == "2026-11-05T10:00:01Z", "windows are aligned to the clock, so the first one is short"


def test_replay_start_that_is_no_time_is_refused(config: Path) -> None:
    with pytest.raises(ConfigError, match="RFC 3339"):
        Replay(config, (), Extras(start="yesterday"))


def test_replay_tells_how_far_it_is(config: Path) -> None:
    told = Told()
    Replay(config, (), Extras(frames=30)).run(io.StringIO(), told)
    assert told.updates[-1] == ("main", 30, 30)


def test_replay_of_whole_footage_ends_with_it(config: Path) -> None:
    told = Told()
    summary = Replay(config, ("camera.main.fps=3",)).run(io.StringIO(), told)
    assert summary.cameras[0].frames == 50
    assert told.updates[-1] == ("main", 50, 50)
    assert summary.cameras[0].footage_s == pytest.approx(499 / 30, abs=0.35)


def test_replay_records_detections_and_tracks_without_pixels(config: Path, tmp_path: Path) -> None:
    plain, _ = _run(config)
    recorded, _ = _run(config, record=tmp_path / "record")
    assert recorded == plain, "being watched changes nothing"
    rows = [json.loads(line) for line in (tmp_path / "record" / "main.detections.jsonl").read_text().splitlines()]
    assert [row["seq"] for row in rows] == list(range(60))
    assert any("car" in row["class"] for row in rows)
    tracks = [json.loads(line) for line in (tmp_path / "record" / "main.tracks.jsonl").read_text().splitlines()]
    assert all(len(row["id"]) == len(row["xyxy"]) == len(set(row["id"])) for row in tracks)
    assert {path.name for path in (tmp_path / "record").iterdir()} == {"main.detections.jsonl", "main.tracks.jsonl"}


def test_replay_annotates_every_selected_frame(config: Path, tmp_path: Path) -> None:
    import av

    film = tmp_path / "out.mp4"
    plain, _ = _run(config, "camera.main.fps=10", frames=20)
    annotated, _ = _run(config, "camera.main.fps=10", frames=20, annotate=film)
    assert annotated == plain
    with av.open(str(film)) as container:
        pictures = list(container.decode(video=0))
    assert len(pictures) == 20
    assert (pictures[0].width, pictures[0].height) == (640, 360)


def test_replay_annotates_several_cameras_into_films_of_their_own(config: Path, tmp_path: Path) -> None:
    text = config.read_text()
    config.write_text(text + text[text.index("[[camera]]") :].replace('name = "main"', 'name = "side"'))
    _run(config, "camera.main.fps=10", frames=5, annotate=tmp_path / "out.mp4")
    assert {path.name for path in tmp_path.glob("*.mp4")} == {"out-main.mp4", "out-side.mp4"}


class Refusing(io.StringIO):
    """An output on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_replay_whose_output_refuses_leaves_no_film_that_could_be_taken_for_a_whole_one(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    replay = Replay(config, ("camera.main.fps=30",), Extras(annotate=folder / "out.mp4"))
    with pytest.raises(OSError, match="No space"):
        replay.run(Refusing(), Told())
    assert not list(folder.iterdir())


def test_replay_of_a_live_camera_is_refused_by_name(config: Path) -> None:
    with pytest.raises(ConfigError, match=r'"main".*files and simulated streets only'):
        Replay(config, ("camera.main.source=rtsp://10.0.0.7/stream",))


def test_replay_command_with_a_wrong_config_leaves_the_old_output_alone(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    out.write_text("precious\n")
    words = ["replay", "--config", str(config), "--out", str(out), "--set", f"camera.main.source={tmp_path / 'absent.mp4'}"]
    done = _command(*words)
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_text() == "precious\n"


def test_replay_command_prints_events_on_stdout_and_one_json_summary_on_stderr(config: Path) -> None:
    done = _command("replay", "--config", str(config), "--frames", "30", "--json")
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line)["v"] == 1 for line in done.stdout.splitlines())
    camera = json.loads(done.stderr.splitlines()[-1])["cameras"][0]
    assert (camera["name"], camera["frames"]) == ("main", 30)
    assert camera["events"] == len(done.stdout.splitlines())


@pytest.mark.parametrize(("words", "said"), [(["--frames", "0"], "whole number from 1"), (["--out", "/absent/events.jsonl"], "/absent/events.jsonl")])
def test_replay_command_with_a_wrong_argument_exits_2_saying_which(config: Path, words: list[str], said: str) -> None:
    done = _command("replay", "--config", str(config), *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_replay_command_into_a_full_disk_exits_3_saying_so(config: Path) -> None:
    done = _command("replay", "--config", str(config), "--frames", "30", "--out", "/dev/full")
    assert done.returncode == 3
    assert "--out /dev/full: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_command_whose_reader_leaves_ends_quietly(config: Path) -> None:
    command = [sys.executable, "-u", "-W", "error", "-m", "edge_runtime", "replay", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert said == ""


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-m", "edge_runtime", *words], capture_output=True, text=True, timeout=120, check=False)


def _without_ids(lines: str) -> list[dict[str, Any]]:
    """The epoch is part of every id, and the overrides are part of the epoch."""
    return [{key: value for key, value in json.loads(line).items() if key != "id"} for line in lines.splitlines()]
