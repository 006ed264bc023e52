"""What people see while they wait, and the tables after. All of it goes to stderr: stdout is for results."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_export.parity import Report

Item = TypeVar("Item")


def console() -> Console:
    """Standard error, as it is now: tests and pipes replace it. A file or a pipe has no width, and gets room for every table."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 140)


def progress(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """The items, with a bar that goes once they are through."""
    yield from track(items, description=what, total=count, console=console(), transient=True)


def parity(report: Report) -> None:
    """One row for the raw outputs, one for each walk."""
    table = Table(title=f"parity on {report.pictures} pictures", title_justify="left")
    for name in ("compared", "n", "median", "p99", "largest", "limit", "excused", "missing"):
        table.add_column(name, justify="left" if name == "compared" else "right")
    raw = report.as_json()["raw"]
    table.add_row("raw outputs", "", f"mean {raw['mean']:.1e}", "", f"{raw['largest']:.1e}", f"{raw['limit']:g}", "", "")
    for row in report.as_json()["device"]:
        for key, unit in (("box_px", "boxes, px"), ("score", "scores")):
            limit = f"{row['limits'][key]:g}" if row["limits"] else "(shown)"
            numbers = [f"{value:.2g}" for value in row["median_p99_max"][key]]
            counts = [str(row[each]) for each in ("excused", "missing")] if key == "box_px" else ["", ""]
            table.add_row(f"{row['what']}: {unit}", str(row["detections"]), *numbers, limit, *counts)
    console().print(table)
