"""Figures with their targets, as a table for people and as bench.json for scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.runtime.measure import Spread, machine
from edge_runtime.types import Json

WIDTH = 140


@dataclass(frozen=True)
class Row:
    """One figure. `want` says on which side of `target` it should lie; without a target it is only told."""

    name: str
    unit: str
    figure: Spread
    target: float | None = None
    want: Literal["at most", "at least"] = "at least"

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.figure.median >= self.target if self.want == "at least" else self.figure.median <= self.target

    def as_json(self) -> Json:
        return {
            "name": self.name,
            "unit": self.unit,
            **self.figure.as_json(),
            "target": self.target,
            "want": self.want if self.target else None,
            "met": self.met,
        }


@dataclass(frozen=True)
class Section:
    """Rows that were measured together; `note` says how."""

    title: str
    note: str
    rows: Sequence[Row]


def show(sections: Sequence[Section]) -> None:
    """Print all of it; verdicts last."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)  # in a log nobody turns the window
    on = machine()
    versions = ", ".join(f"{name} {version}" for name, version in on["packages"].items())
    console.print(f"{on['cores']} cores, {on['cpu']}, {on['system']}, Python {on['python']}, {versions}", soft_wrap=True)
    for section in sections:
        table = Table(
            "", "median", "min", "max", "unit", "target", "", title=f"{section.title} [dim]{section.note}[/dim]", title_justify="left", min_width=100
        )
        for column in (1, 2, 3):
            table.columns[column].justify = "right"
        for row in section.rows:
            figures = (f"{value:.4g}" for value in (row.figure.median, row.figure.low, row.figure.high))
            target = "" if row.target is None else f"{row.want} {row.target:g}"
            verdict = {None: "", True: "[green]met[/green]", False: "[red]missed[/red]"}[row.met]
            table.add_row(row.name, *figures, row.unit, target, verdict)
        console.print(table)
    judged = [row for section in sections for row in section.rows if row.met is not None]
    missed = [row.name for row in judged if not row.met]
    console.print(f"{len(judged) - len(missed)} of {len(judged)} targets met" + (f"; missed: {', '.join(missed)}" if missed else ""), soft_wrap=True)


def write(path: Path, sections: Sequence[Section]) -> None:
    """The same as JSON."""
    body = {"machine": machine(), "sections": {section.title: [row.as_json() for row in section.rows] for section in sections}}
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
