"""Truth as files: formats that evaluation reads, numbers that agree with each other and with the log."""

from __future__ import annotations

import configparser
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.errors import CannotStart, Exhausted
from edge_runtime.sources import SourceSpec, make_footage
from edge_runtime.sources.sim.source import SimFootage
from edge_runtime.sources.sim.truthfiles import MOT_CLASS, TruthFiles
from edge_runtime.sources.truthful import TrueFrame

pytestmark = pytest.mark.heavy

URL = "sim:junction?seed=3&density=3&size=320x180"
START_NS = 1_762_336_800 * 10**9  # 2025-11-05T10:00:00Z
LINE = LineOptions(name="across", points=((160, 0), (160, 180)), units="px", size=(320, 180), anchor="bottom")
ZONE = ZoneOptions(name="middle", polygon=((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
SECONDS, FPS = 12, 5


class Story:
    """What one street left, read again."""

    def __init__(self, folder: Path) -> None:
        self.told: list[TrueFrame] = []
        source = make_footage(SourceSpec(name="street", url=f"{URL}&seconds={SECONDS}", fps=FPS))
        assert isinstance(source, SimFootage)
        with TruthFiles(folder, source, FPS, ((LINE,), (ZONE,)), START_NS):
            source.open()
            source._told, write = self._listen, source._told  # beside the files, to compare with them
            self._write = write
            while True:
                try:
                    source.read(0)
                except Exhausted:
                    break
        assert source.truth is not None
        self.log = source.truth
        self.folder = folder

    def _listen(self, frame: TrueFrame) -> None:
        self.told.append(frame)
        assert self._write is not None
        self._write(frame)

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def truth(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "truth.json").read_text()))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("truth") / "main-st")


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - START_NS / 1e9


def test_crossings_are_those_of_the_log_with_the_names_of_the_wire(story: Story) -> None:
    crossings = story.lines("crossings.jsonl")
    assert len(crossings) >= 3
    assert all(list(row) == ["rule", "dir", "class", "time", "id", "speed_kmh"] for row in crossings)
    for row, each in zip(crossings, sorted(story.log.crossings, key=lambda each: (each.time_s, each.line, each.id)), strict=True):
        assert (row["rule"], row["dir"], row["class"], row["id"], row["speed_kmh"]) == ("across", each.direction, each.label, each.id, each.speed_kmh)
        assert seconds_of(row["time"]) == pytest.approx(each.time_s, abs=0.001)
    assert [row["time"] for row in crossings] == sorted(row["time"] for row in crossings)


def test_truth_json_sums_up_the_crossings(story: Story) -> None:
    truth = story.truth()
    assert (truth["frames"], truth["fps"], truth["size"]) == (SECONDS * FPS, FPS, [320, 180])
    across = truth["lines"]["across"]
    assert (across["line"], across["anchor"]) == ([[160.0, 0.0], [160.0, 180.0]], "bottom")
    counted = Counter((row["dir"], row["class"]) for row in story.lines("crossings.jsonl"))
    assert {(way, label): n for way in ("forward", "backward") for label, n in across[way].items()} == counted


def test_stays_end_after_they_began_and_the_last_are_open(story: Story) -> None:
    stays = story.lines("zones.jsonl")
    assert all(list(row) == ["rule", "class", "id", "enter", "leave", "dwell_s"] for row in stays)
    ended = [row for row in stays if row["leave"] is not None]
    assert ended
    for row in ended:
        assert seconds_of(row["leave"]) - seconds_of(row["enter"]) == pytest.approx(row["dwell_s"], abs=0.002)
    still = {row["id"] for row in stays if row["leave"] is None}
    assert still == {stay.id for stay in story.log.staying}
    assert still, "a crowded junction is never empty"


def test_gt_has_a_row_for_each_body_that_overlaps_the_picture(story: Story) -> None:
    rows = [line.split(",") for line in (story.folder / "gt.txt").read_text().splitlines()]
    assert all(len(row) == 9 for row in rows)
    for number, frame in enumerate(story.told, start=1):
        here = {int(row[1]): row for row in rows if int(row[0]) == number}
        for index, identity in enumerate(frame.id.tolist()):
            x1, y1, x2, y2 = frame.xyxy[index]
            overlaps = x1 < 320 and y1 < 180 and x2 > 0 and y2 > 0
            assert (identity in here) == overlaps
            if overlaps:
                row = here[identity]
                left, top, width, height = (float(value) for value in row[2:6])
                assert (left - 1, top - 1) == pytest.approx((x1, y1), abs=0.0051)
                assert (left - 1 + width, top - 1 + height) == pytest.approx((x2, y2), abs=0.0101)
                assert (row[6], int(row[7])) == ("1", MOT_CLASS[frame.label[index]])
                assert float(row[8]) == pytest.approx(frame.visibility[index], abs=0.0051)
    assert {int(row[0]) for row in rows} <= set(range(1, SECONDS * FPS + 1))


def test_seqinfo_says_what_gt_is_about(story: Story) -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(story.folder / "seqinfo.ini")
    assert dict(parser["Sequence"]) == {
        "name": "main-st",
        "imDir": "img1",
        "frameRate": "5",
        "seqLength": str(SECONDS * FPS),
        "imWidth": "320",
        "imHeight": "180",
        "imExt": ".jpg",
    }


def test_every_label_of_the_street_has_a_class() -> None:
    from edge_runtime.sources.sim.street import LABEL_OF

    assert set(MOT_CLASS) == set(LABEL_OF.values())
    assert len(set(MOT_CLASS.values())) == len(MOT_CLASS)


def test_truth_that_was_broken_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("{}")
    source = make_footage(SourceSpec(name="street", url=f"{URL}&seconds=1", fps=FPS))
    assert isinstance(source, SimFootage)
    with pytest.raises(RuntimeError, match="on purpose"), TruthFiles(tmp_path, source, FPS, ((), ()), 0):
        source.open()
        source.read(0)
        raise RuntimeError("on purpose")
    assert not (tmp_path / "truth.json").exists()
    assert (tmp_path / "gt.txt").read_text().startswith("1,")


@pytest.mark.parametrize("name", ["gt.txt", "crossings.jsonl", "zones.jsonl"])
def test_truth_on_a_full_disk_says_so_and_leaves_no_sums(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    source = make_footage(SourceSpec(name="street", url=f"{URL}&seconds=12", fps=FPS))
    assert isinstance(source, SimFootage)
    with pytest.raises(CannotStart, match="truth cannot be written here: No space left"), TruthFiles(tmp_path, source, FPS, ((), ()), 0):
        source.open()
        while True:
            try:
                source.read(0)
            except Exhausted:
                break
    assert not (tmp_path / "truth.json").exists()


def test_truth_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = make_footage(SourceSpec(name="street", url=URL, fps=FPS))
    assert isinstance(source, SimFootage)
    with pytest.raises(CannotStart, match="truth cannot be written here"):
        TruthFiles(tmp_path / "file" / "below", source, FPS, ((), ()), 0).__enter__()
