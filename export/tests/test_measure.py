"""Judging: on made-up detections whose score is known, and through the whole walk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_export.cli import main
from edge_export.evaluate import contender, evaluate, speed
from edge_export.failures import draw, worst, write_sheet
from edge_export.labelled import Labelled
from edge_export.measure import LEAST_TRUTHS, Looked, Seen, faults, look, rows
from edge_export.walk import Walk

Box = tuple[float, float, float, float]


def truth(
    *objects: tuple[str, Box], labelled: tuple[str, ...] = ("car", "truck"), trusted: bool = True, source: str = "street", light: str = "day"
) -> Labelled:
    xyxy = np.array([box for _, box in objects], np.float64).reshape(-1, 4)
    return Labelled(
        name="made up",
        source=source,
        places=(("set", "s"), ("light", light)),
        picture=lambda: np.full((200, 300, 3), 100, np.uint8),
        xyxy=xyxy,
        label=np.array([label for label, _ in objects], np.str_),
        ignore=xyxy[:, 3] - xyxy[:, 1] < 16,
        labelled=frozenset(labelled),
        trusted=trusted,
    )


def seen(*objects: tuple[str, Box, float]) -> Seen:
    boxes = np.array([box for _, box, _ in objects], np.float64).reshape(-1, 4)
    return Seen(boxes, np.array([score for *_, score in objects], np.float64), np.array([label for label, *_ in objects], np.str_))


CAR, FAR, TRUCK = (10, 10, 60, 50), (100, 10, 120, 22), (150, 20, 290, 150)


def row(looked: list[Looked], what: str, where: str = "all") -> Any:
    """The row of that name, once there are enough objects: the pictures are repeated."""
    made = rows(looked * LEAST_TRUTHS, len(looked[0].seen))
    return next((each for each in made if (each["what"], each["where"]) == (what, where)), None)


def test_rows_judge_vehicles_whatever_they_are_called() -> None:
    right = seen(("car", CAR, 0.9), ("car", TRUCK, 0.8))  # the truck is taken for a car
    nothing = seen()
    looked = [Looked(truth(("car", CAR), ("truck", TRUCK)), (right, nothing))]
    any_vehicle = row(looked, "any vehicle")
    assert any_vehicle["truths"] == 2 * LEAST_TRUTHS
    assert [(each["ap50"], each["recall"]) for each in any_vehicle["models"]] == [(1.0, 1.0), (0.0, 0.0)]
    assert [each["precision"] for each in any_vehicle["models"]] == [1.0, None]
    assert row(looked, "truck")["models"][0]["ap50"] == 0.0
    assert row(looked, "car")["models"][0]["precision"] == 0.5


def test_rows_leave_out_what_is_not_labelled_small_or_not_trusted() -> None:
    found = seen(
        ("car", CAR, 0.9),
        ("car", FAR, 0.9),
        ("person", (200, 100, 220, 160), 0.9),
        ("bus", (5, 100, 80, 180), 0.9),
        ("car", (280, 180, 290, 190), 0.9),
    )
    looked = [Looked(truth(("car", CAR), ("car", FAR)), (found,))]
    assert row(looked, "any vehicle")["models"][0] | {"curve": 0} == {"ap50": 1.0, "recall": 1.0, "precision": 1.0, "curve": 0}
    assert row(looked, "any vehicle")["truths"] == LEAST_TRUTHS  # FAR is 12 px high
    assert row(looked, "person") is None
    doubted = [Looked(truth(("car", CAR), trusted=False), (found,))]
    assert row(doubted, "car") is None
    assert row(doubted, "any vehicle")["models"][0]["ap50"] == 1.0


def test_rows_split_by_height_and_light() -> None:
    looked = [
        Looked(truth(("car", CAR), ("truck", TRUCK)), (seen(("car", CAR, 0.9)),)),
        Looked(truth(("car", CAR), ("truck", TRUCK), light="night"), (seen(("truck", TRUCK, 0.9)),)),
    ]
    assert row(looked, "any vehicle", "height 32–96 px")["models"][0]["recall"] == 0.5
    assert row(looked, "any vehicle", "height from 96 px")["truths"] == 2 * LEAST_TRUTHS
    assert row(looked, "any vehicle", "light day")["pictures"] == LEAST_TRUTHS
    assert row(looked, "any vehicle", "light night")["models"][0]["ap50"] == 0.5
    assert row(looked, "any vehicle", "set s, light night") is None  # says no more than its light


def test_rows_do_not_call_a_rider_false() -> None:
    bicycle, walker = (50.0, 50.0, 100.0, 150.0), (200.0, 40.0, 230.0, 120.0)
    everything = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
    looked = [
        Looked(
            truth(("bicycle", bicycle), ("person", walker), labelled=everything),
            (seen(("bicycle", bicycle, 0.8), ("person", (50.0, 50.0, 100.0, 140.0), 0.9), ("person", walker, 0.7)),),
        )
    ]
    assert row(looked, "person")["models"][0]["ap50"] == 1.0
    assert row(looked, "person")["truths"] == LEAST_TRUTHS
    missed, false = faults(looked[0], 0)
    assert (len(missed), len(false)) == (0, 0)


def test_faults_are_what_is_missed_and_what_is_not_there() -> None:
    ghost = (200.0, 100.0, 260.0, 160.0)
    looked = Looked(truth(("car", CAR), ("truck", TRUCK), ("car", FAR)), (seen(("car", CAR, 0.9), ("car", ghost, 0.5), ("car", TRUCK, 0.2)),))
    missed, false = faults(looked, 0)
    assert missed.tolist() == [list(TRUCK)]
    assert false.tolist() == [list(ghost)]
    perfect = Looked(truth(("car", CAR)), (seen(("car", CAR, 0.9)),))
    assert worst([perfect, looked], 0, 5) == [looked]
    assert not np.array_equal(draw(looked, 0), looked.truth.picture())
    assert np.array_equal(draw(perfect, 0), perfect.truth.picture())


def test_sheet_holds_simulated_pictures_only(tmp_path: Path) -> None:
    photograph = Looked(truth(("car", CAR)), (seen(),))
    (tmp_path / "sheet.jpg").write_bytes(b"of another model")
    assert not write_sheet([photograph], tmp_path / "sheet.jpg")
    assert not (tmp_path / "sheet.jpg").exists()
    assert write_sheet([photograph, Looked(truth(("car", CAR), source="simulated"), (seen(),))], tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size < 200_000


@pytest.mark.material
def test_look_sends_pictures_through_the_walk_of_the_device(material: Path, tmp_path: Path) -> None:
    """YOLOX-nano finds most vehicles of the photographs in which they are large; its figures were measured by others as well."""
    from edge_export.labelled import street_pictures

    yolox = contender(material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx")
    pictures = [each for each in street_pictures(material / "streets") if dict(each.places)["set"] == "openimages_vehicles"][::2]
    report, looked = evaluate([yolox, yolox], {"street": pictures})
    first = report["rows"]["street"][0]
    assert (first["what"], first["where"]) == ("any vehicle", "all")
    assert 0.6 < first["models"][0]["ap50"] < 0.9
    assert first["models"][0] == first["models"][1]
    assert len(looked["street"]) == len(pictures)
    assert 0.5 < report["speed"]["models"][1]["inference_ratio"] < 2
    assert report["models"][0]["bytes"] > 3_000_000
    assert isinstance(yolox.walk, Walk)
    assert len(look([yolox.walk], pictures[:1])) == 1


def test_speed_needs_a_picture() -> None:
    assert speed([], None) is None


def test_evaluate_and_card_through_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder
    card = (out / "MODEL_CARD.md").read_text()
    assert "Not measured yet" in card
    assert "| raw outputs, Keras against ONNX Runtime |" in card
    assert main(["evaluate", str(out)]) == 2
    assert "nothing to measure on" in capsys.readouterr().err
    given = [
        "evaluate",
        str(out),
        "--against",
        str(out),
        "--simulated",
        "12",
        "--simulated-size",
        "480x270",
        "--json",
        str(tmp_path / "new" / "evaluation.json"),
        "--failures",
        str(tmp_path / "failures"),
    ]
    assert main(given) == 0
    assert "any vehicle" in capsys.readouterr().err
    for file in (tmp_path / "new").iterdir():  # the report and the sheet beside it
        file.replace(out / file.name)
    report = json.loads((out / "evaluation.json").read_text())
    assert report["pictures"] == {"simulated": 12}
    assert report["rows"]["simulated"]
    assert list((tmp_path / "failures").glob("simulated-*.png"))
    assert main(["card", str(out)]) == 0
    card = (out / "MODEL_CARD.md").read_text()
    for part in (
        "Measured by `edge-export evaluate models/tiny --against tiny --simulated 12 --simulated-size 480x270 --json models/tiny/evaluation.json`",
        "### Simulated streets (12 pictures)",
        "| any vehicle | all | 12 |",
        "![Precision over recall, any vehicle](precision.png)",
        "inference, ms",
    ):
        assert part in card
    for figure in ("precision.png", "recall.png", "failures.jpg"):
        assert 1_000 < (out / figure).stat().st_size < 200_000
    silent = {key: value for key, value in report.items() if key != "simulated_size"}
    (out / "evaluation.json").write_text(json.dumps(silent))
    assert main(["card", str(out)]) == 2
    assert "does not say how large" in capsys.readouterr().err
    report["models"][0]["model"] = "0" * 64  # numbers of another model are not quoted
    (out / "evaluation.json").write_text(json.dumps(report))
    assert main(["card", str(out)]) == 0
    assert "Not measured yet" in (out / "MODEL_CARD.md").read_text()
