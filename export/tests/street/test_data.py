"""The folder of street images as it is read: what is labelled, what is held out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_export.street.data import IGNORED, Labelled, StreetDataError, read_labels, read_streets, write_labels
from tests.street import small


def test_read_streets_gives_boxes_as_corners_and_what_was_looked_for(tmp_path: Path) -> None:
    images = read_streets(small.streets(tmp_path))
    assert [image.labelled.file for image in images] == [*(f"{index}.png" for index in range(8)), "plain.png"]
    np.testing.assert_allclose(images[0].labelled.boxes, small.example(0).boxes)
    assert images[0].known == {2, 4, 5} and images[-1].known == frozenset()


@pytest.mark.parametrize("listing", ["train.json", "unlabelled.txt"])
def test_read_streets_with_a_held_out_file_among_them_is_refused(tmp_path: Path, listing: str) -> None:
    folder = small.streets(tmp_path)
    leaked = "0.png" if listing == "train.json" else "plain.png"
    held = json.loads((folder / "holdout.json").read_text())
    held["images"][0]["file_name"] = leaked
    (folder / "holdout.json").write_text(json.dumps(held))
    with pytest.raises(StreetDataError, match=rf"1 files of holdout.json .* {leaked}"):
        read_streets(folder)


def test_read_streets_without_an_image_names_it(tmp_path: Path) -> None:
    folder = small.streets(tmp_path)
    (folder / "5.png").unlink()
    with pytest.raises(StreetDataError, match=r"1 images are missing, 5\.png"):
        read_streets(folder)


def test_read_streets_without_train_json_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(StreetDataError, match=r"train\.json.*COCO json"):
        read_streets(tmp_path)


def test_read_streets_of_an_image_that_says_too_little_says_what_is_missing(tmp_path: Path) -> None:
    folder = small.streets(tmp_path)
    table = json.loads((folder / "train.json").read_text())
    del table["images"][0]["labelled_categories"]
    (folder / "train.json").write_text(json.dumps(table))
    with pytest.raises(StreetDataError, match=r"not what export/README\.md describes: KeyError: 'labelled_categories'"):
        read_streets(folder)


def test_read_streets_takes_a_line_of_unlabelled_txt_as_one_name(tmp_path: Path) -> None:
    folder = small.streets(tmp_path)
    (folder / "plain.png").rename(folder / "main street.png")
    (folder / "unlabelled.txt").write_text("main street.png\n\n")
    assert read_streets(folder)[-1].labelled.file == "main street.png"


def test_the_tuning_split_keeps_a_site_on_one_side(tmp_path: Path) -> None:
    images = [image for image in read_streets(small.streets(tmp_path, 64, sites=16)) if image.known]
    sides: dict[int, set[str]] = {}
    for image in images:
        sides.setdefault(int(image.labelled.file.split(".")[0]) % 16, set()).add(image.labelled.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {side for each in sides.values() for side in each} == {"train", "tune"}


def test_labels_written_are_read_again(tmp_path: Path) -> None:
    made = [Labelled("a.jpg", "tune", np.array([[1, 2, 3, 4], [5, 6, 7.5, 8]], np.float32), np.array([IGNORED, 4], np.int8))]
    write_labels(tmp_path / "labels.json", [*made, Labelled("b.jpg", "train", np.empty((0, 4), np.float32), np.empty(0, np.int8))])
    first, second = read_labels(tmp_path / "labels.json")
    assert (first.file, first.split, list(first.labels)) == ("a.jpg", "tune", [IGNORED, 4])
    np.testing.assert_array_equal(first.boxes, made[0].boxes)
    assert second.boxes.shape == (0, 4)


def test_read_labels_of_a_broken_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("[{}]")
    with pytest.raises(StreetDataError, match="remove the file to make it anew"):
        read_labels(tmp_path / "labels.json")


@pytest.mark.material
def test_read_streets_of_the_material_holds_nothing_back_and_leaks_nothing(material: Path) -> None:
    images = read_streets(material / "streets")
    held = {image["file_name"] for image in json.loads((material / "streets" / "holdout.json").read_text())["images"]}
    files = {image.labelled.file for image in images}
    assert len(held) > 200 and not held & files
    assert not any("videos" in file or "stills" in file for file in files)
    assert len(files) == 602 + 438 and sum(image.labelled.split == "tune" for image in images) > 50
