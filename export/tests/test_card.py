"""The card's other sources: the recipe, the log of the training, the prose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_export.card import write_card
from edge_export.errors import ExportError
from edge_export.tables import number, percent, table
from tests import tiny

RECIPE = """\
seed = 7
[[phases]]
name = "real"
steps = 1000
batch = 32
simulated = 0.25
rate = 2e-3
last_rate = 1e-4
"""
PROSE = """
[card]
summary = "Sees nothing."
limits = ["It is a test | only."]
[[card.data]]
name = "none"
what = "w"
source = "s"
licence = "l"
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """A bundle with everything that a card may tell."""
    (folder / "about.toml").write_text(tiny.ABOUT + PROSE)
    (folder / "recipe.toml").write_text(RECIPE)
    log = [
        {"seconds": 60, "phase": "real", "step": 500, "loss": 2.0},
        {"seconds": 125, "phase": "real", "step": 1000, "tune": {"real vehicles": {"ap50": 0.5}}},
    ]
    log += [
        {"seconds": 55, "phase": "fine", "step": 100, "loss": 1.0},
        {"seconds": 115, "phase": "fine", "step": 200, "tune": {"real vehicles": {"ap50": 0.6}}},
    ]
    (folder / "training.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    write_card(folder)
    return folder


def test_card_tells_how_it_was_trained_and_what_people_know(folder: Path) -> None:
    card = (folder / "MODEL_CARD.md").read_text()
    for part in (
        "# tiny 0.1.0",
        "Sees nothing.",
        "| real | 1,000 | 32 | 25 % | 0.002 → 0.0001 |",
        "Seed 7, 4 minutes.",
        "![Loss and AP50 over steps](training.png)",
        "- It is a test | only.",
        "| none | w | s | l |",
    ):
        assert part in card
    assert 1_000 < (folder / "training.png").stat().st_size < 100_000


def test_card_is_the_same_when_written_again(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    write_card(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_card_refuses_a_log_that_cannot_be_read(folder: Path) -> None:
    (folder / "training.jsonl").write_text("half a li")
    with pytest.raises(ExportError, match="no line of JSON"):
        write_card(folder)


def test_tables_and_numbers() -> None:
    assert table(("a", "b"), [("1|2", "3")]) == ["| a | b |", "| --- | --- |", "| 1\\|2 | 3 |"]
    assert (number(0.12345), number(None), percent(0.3)) == ("0.123", "–", "30 %")
