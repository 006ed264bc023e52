"""manifest.toml: every problem at once with its line, and what is written is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import BundleError
from edge_runtime.infer.manifestfile import read_labels, read_manifest, write_manifest
from edge_runtime.manifest import Golden, ImageInput, Manifest, Thresholds
from edge_runtime.types import Size

GOOD = """\
schema = 1
name = "tiny"
version = "1.0.0"
task = "detect"
family = "yolox"
licence = "Apache-2.0"
source = "https://example.org"
sha256 = "{sha}"

[[input]]
name = "images"
kind = "image"
size = [416, 320]
color = "BGR"
align = "top-left"

[thresholds]
score = 0.25
""".format(sha="ab" * 32)


def read(tmp_path: Path, text: str) -> Manifest:
    file = tmp_path / "manifest.toml"
    file.write_text(text, encoding="utf-8")
    return read_manifest(file, "m.toml")


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(BundleError) as caught:
        read(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_read_fills_in_what_is_not_written(tmp_path: Path) -> None:
    manifest = read(tmp_path, GOOD)
    assert manifest.inputs == (ImageInput(name="images", size=Size(416, 320), color="BGR", align="top-left"),)
    assert manifest.thresholds == Thresholds(score=0.25)
    assert manifest.golden is None
    assert manifest.identity == "tiny@1.0.0"


def test_every_problem_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace('"detect"', '"detekt"').replace("[416, 320]", "[416, 0]").replace('color = "BGR"', 'colour = "BGR"').replace("0.25", "7")
    assert problems(tmp_path, text) == [
        "m.toml:4: task = 'detekt': expected one of detect, classify, embed, forecast, anomaly, text",
        "m.toml:13: [input[0]]: size = [416, 0]: expected 2 numbers, each a whole number from 8 to 4096",
        "m.toml:14: [input[0]]: unknown key 'colour': did you mean 'color'?",
        "m.toml:18: [thresholds]: score = 7: expected a number from 0 to 1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("schema = 1", "schema = 2", 1, "this runtime reads 1"),
        ('name = "tiny"', 'name = "Tiny Model"', 2, "expected text like"),
        ('family = "yolox"', 'family = "yolov9"', 5, "expected one of detr"),
        ('licence = "Apache-2.0"\n', "", 0, "licence is missing"),
        ("ab" * 32, "AB" * 32, 8, "expected text like [0-9a-f]{64}"),
        ("[416, 320]", '"416x320"', 13, "expected 2 numbers"),
        ("[416, 320]", "[416, 320, 3]", 13, "expected 2 numbers"),
        ("[416, 320]", "[416.5, 320]", 13, "a whole number"),
        ('kind = "image"', 'kind = "sound"', 12, "expected one of image"),
        ("score = 0.25", "score = true", 18, "expected a number"),
        ("score = 0.25", "score = nan", 18, "expected a number"),
        ("[thresholds]\nscore = 0.25", '[golden]\nfile = "../../etc/passwd"', 18, "expected text like"),
        ("schema = 1", 'schema = 1\ngolden = "golden.npz"', 2, "expected a table"),
        ("[[input]]", "[input]", 10, "expected tables [[input]]"),
        ("[thresholds]", '[[input]]\nname = "second"\nkind = "image"\nsize = [8, 8]\n[thresholds]', 10, "expected exactly one"),
        ("[thresholds]", "[treshold]", 17, "did you mean 'thresholds'"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new))
    assert any(said in each for each in found), found
    assert any(each.startswith(f"m.toml:{line}:" if line else "m.toml:") and said in each for each in found), found


@pytest.mark.parametrize(("text", "line"), [("schema = 1\nname = tiny\n", 2), ("schema = 1\nschema = 1\n", 2), ("= 3", 1)])
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (said,) = problems(tmp_path, text)
    assert "no valid TOML" in said
    assert said.startswith(f"m.toml:{line}:" if line else "m.toml: ")


def test_keys_inside_long_texts_are_no_keys(tmp_path: Path) -> None:
    text = 'licence = """\nfamily = 2\n"""\n' + GOOD.replace('licence = "Apache-2.0"\n', "").replace('family = "yolox"', 'family = "yolo"')
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("m.toml:8: family = 'yolo': expected one of ")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"m\.toml: cannot be read: No such file"):
        read_manifest(tmp_path / "absent.toml", "m.toml")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(BundleError, match="expected at most"):
        read_manifest(tmp_path / "manifest.toml", "m.toml")


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(BundleError, match="byte 8 is no UTF-8"):
        read_manifest(tmp_path / "manifest.toml", "m.toml")


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
NUMBER = st.floats(1e-3, 1e3)
IMAGES = st.builds(
    ImageInput,
    name=TEXT,
    size=st.builds(Size, st.integers(8, 4096), st.integers(8, 4096)),
    layout=st.sampled_from(["NCHW", "NHWC"]),
    dtype=st.sampled_from(["float32", "uint8", "float16"]),
    color=st.sampled_from(["RGB", "BGR"]),
    resize=st.sampled_from(["letterbox", "stretch", "crop"]),
    align=st.sampled_from(["top-left", "center"]),
    pad=st.integers(0, 255),
    scale=NUMBER,
    mean=st.tuples(NUMBER, NUMBER, NUMBER),
    std=st.tuples(NUMBER, NUMBER, NUMBER),
)
MANIFESTS = st.builds(
    Manifest,
    name=st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True),
    version=st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.+-]*", fullmatch=True),
    task=st.sampled_from(["detect", "classify", "text"]),
    family=st.just("yolox"),
    licence=TEXT,
    source=TEXT,
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    inputs=st.tuples(IMAGES),
    thresholds=st.builds(Thresholds, score=st.floats(0, 1), iou=st.floats(0, 1)),
    golden=st.none() | st.builds(Golden, file=st.just("golden.npz"), atol=st.floats(0, 10)),
)


@given(MANIFESTS)
def test_what_is_written_is_read_back(tmp_path_factory: Any, manifest: Manifest) -> None:
    assert read(tmp_path_factory.mktemp("written"), write_manifest(manifest)) == manifest


def test_labels_are_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("car\n  bus \nfire truck\n\n")
    assert read_labels(file, "labels.txt") == ("car", "bus", "fire truck")


def test_labels_that_would_shift_or_repeat_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("car\n\nbus\ncar\n")
    with pytest.raises(BundleError) as caught:
        read_labels(file, "labels.txt")
    assert [(problem.line, problem.message.split(":")[0]) for problem in caught.value.problems] == [
        (2, "an empty line"),
        (4, 'label "car" stands in line 1 already'),
    ]


def test_no_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n\n")
    with pytest.raises(BundleError, match="0 labels"):
        read_labels(tmp_path / "labels.txt", "labels.txt")
