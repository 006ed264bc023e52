"""Numbers as text, and Markdown's tables."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; a cell's own bars are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def number(value: float | None) -> str:
    """Three digits, or a dash for what nothing was measured of."""
    return "–" if value is None else f"{value:.3f}"


def percent(share: float) -> str:
    """30 %"""
    return f"{share * 100:g} %"
