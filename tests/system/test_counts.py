"""The whole walk on real footage against what people counted, with the settings that a user gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli.__main__ import main

pytestmark = pytest.mark.material


def write(folder: Path, bundle: Path, clip: Path, line: list[list[int]], size: tuple[int, int]) -> Path:
    text = f"""
[device]
site = "test"
node = "box"

[[model]]
name = "street"
bundle = "{bundle}"

[[camera]]
name = "main"
source = "{clip}"
model = "street"
fps = 30

  [[camera.line]]
  name = "row"
  points = {line}
  units = "px"
  size = {list(size)}
"""
    (folder / "device.toml").write_text(text)
    return folder / "device.toml"


def replayed(config: Path, out: Path, *more: str) -> list[dict[str, Any]]:
    assert main(["replay", "--config", str(config), "--out", str(out), *more]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def totals(events: list[dict[str, Any]]) -> dict[str, int]:
    """Crossings by direction; the windows must say the same."""
    ways = {"forward": 0, "backward": 0}
    sums = dict(ways)
    for event in events:
        if event["type"] == "crossing":
            ways[event["data"]["dir"]] += 1
        elif event["type"] == "count":
            sums[event["data"]["dir"]] += sum(event["data"]["counts"].values())
    assert sums == ways, "windows and crossings agree"
    return ways


@pytest.mark.parametrize("fps", [30, 15, 10, 7.5, 5])
def test_busy_road_is_counted_alike_at_any_rate(fps: float, tmp_path: Path, bundle_folder: Path, busy_road: Path, material: Path) -> None:
    truth = json.loads((material / "videos" / "truth.json").read_text())["busy_road/busy_road.mp4"]
    config = write(tmp_path, bundle_folder, busy_road, truth["line"], (640, 360))
    ways = totals(replayed(config, tmp_path / "out.jsonl", "--set", f"camera.main.fps={fps}"))
    assert abs(ways["forward"] - truth["down"]) <= 1
    assert ways["backward"] == truth["up"]


def test_two_replays_are_the_same_byte_for_byte(tmp_path: Path, bundle_folder: Path, busy_road: Path) -> None:
    config = write(tmp_path, bundle_folder, busy_road, [[40, 250], [465, 250]], (640, 360))
    for name in ("first", "second"):
        replayed(config, tmp_path / name, "--set", "camera.main.fps=10", "--set", "camera.main.interval='5s'")
    first = (tmp_path / "first").read_bytes()
    assert first.count(b'"crossing"') >= 23
    assert first == (tmp_path / "second").read_bytes()


def test_cars_from_above_are_counted_whatever_the_model_calls_them(tmp_path: Path, bundle_folder: Path, material: Path) -> None:
    truth = json.loads((material / "videos" / "truth.json").read_text())["car_detection/car-detection.mp4"]
    clip = material / "videos" / "car_detection" / "car-detection.mp4"
    config = write(tmp_path, bundle_folder, clip, truth["line"], (768, 432))
    events = replayed(config, tmp_path / "out.jsonl", "--start", "1970-01-01T00:00:00Z")
    assert totals(events) == {"forward": 2, "backward": 2}
    ways = {"down": "forward", "up": "backward"}
    expected = [(ways[each["dir"]], each["frame"] / 12.5) for each in truth["crossings"]]
    found = [(event["data"]["dir"], _seconds(event["time"])) for event in events if event["type"] == "crossing"]
    assert [way for way, _ in found] == [way for way, _ in expected]
    for (_, at_s), (_, true_s) in zip(found, expected, strict=True):
        assert abs(at_s - true_s) <= (truth["tolerance_frames"] + 1) / 12.5  # the truth counts frames, an event's time lies between two


def _seconds(time: str) -> float:
    minutes, seconds = time.removesuffix("Z").split("T")[1].split(":")[1:]
    return 60 * int(minutes) + float(seconds)
