"""MODEL_CARD.md, written from what lies in a bundle's folder."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.infer.bundle import CARD

FAILURES = "failures.jpg"


def write_card(folder: Path) -> Path:
    """Write the card and its figures."""
    file = folder / CARD
    file.write_text("# card\n", encoding="utf-8")
    return file
