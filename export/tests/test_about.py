"""about.toml: every problem at once, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_export.about import read_about
from edge_export.errors import ExportError
from edge_runtime.types import Size
from tests import tiny


def test_read_about_gives_a_manifest(about_file: Path) -> None:
    manifest = read_about(about_file).manifest("images", Size(96, 64), "0" * 64)
    assert manifest.identity == "tiny@0.1.0"
    assert manifest.labels == tiny.LABELS
    image = manifest.inputs[0]
    assert (image.name, image.size, image.layout, image.color, image.align, image.pad) == ("images", (96, 64), "NCHW", "BGR", "top-left", 114)
    assert image.scale == pytest.approx(1 / 255)
    assert (image.mean, image.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))


def test_read_about_reads_the_prose_of_the_card(about_file: Path) -> None:
    more = '[card]\nsummary = "s"\nlimits = ["a", "b"]\n[[card.data]]\nname = "n"\nwhat = "w"\nsource = "o"\nlicence = "l"\n'
    about_file.write_text(tiny.ABOUT + more)
    prose = read_about(about_file).prose
    assert (prose.summary, prose.limits, prose.intended) == ("s", ("a", "b"), ())
    assert prose.data[0].licence == "l"


def test_read_about_says_everything_that_is_wrong_at_once(about_file: Path) -> None:
    text = tiny.ABOUT.replace('color = "BGR"', 'colour = "BGR"').replace("pad = 114", "pad = 300").replace('version = "0.1.0"', "")
    about_file.write_text(text.replace('["person", "bicycle", "car"]', '["car", "car"]'))
    with pytest.raises(ExportError) as refused:
        read_about(about_file)
    said = str(refused.value)
    assert "5 problems" in said
    for part in (
        "[input] colour: unknown",
        "[input] color: expected one of RGB, BGR, found nothing",
        "pad: expected a number from 0 to 255, found 300",
        "[model] version: expected text like",
        "[model] labels: expected a list of different texts",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("text", "expected"), [(None, "no such file"), ("[model", "no valid TOML"), ("", "[model]: expected a table, found nothing")]
)
def test_read_about_refuses_what_is_none(tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / "about.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ExportError) as refused:
        read_about(file)
    assert expected in str(refused.value)
