"""What people see while they wait, and the tables after. All of it goes to stderr: stdout is for results."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_export.parity import Report
from edge_export.tables import number
from edge_runtime.types import Json

if TYPE_CHECKING:
    from edge_export.street.train import Progress

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


def evaluation(report: Json) -> None:
    """Every row, the models side by side; then size and speed."""
    for source, rows in report["rows"].items():
        table = Table(title=f"{source}: {report['pictures'][source]} pictures", title_justify="left")
        for name in ("what", "where", "pictures", "truths"):
            table.add_column(name, justify="left" if name in ("what", "where") else "right")
        for model in report["models"]:
            table.add_column(f"{model['name']}\nAP50 · recall · precision", justify="right")
        for row in rows:
            values = [" · ".join(number(each[key]) for key in ("ap50", "recall", "precision")) for each in row["models"]]
            table.add_row(row["what"], row["where"], str(row["pictures"]), str(row["truths"]), *values)
        console().print(table)
    table = Table(title="size, and speed on one thread", title_justify="left")
    for name in ("model", "input", "parameters", "kB", "inference", "walk", "inference, ratio"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for model, speed in zip(report["models"], (report["speed"] or {"models": [None] * len(report["models"])})["models"], strict=True):
        times = [f"{speed['inference_ms']:.2f} ms", f"{speed['walk_ms']:.2f} ms", f"{speed['inference_ratio']:.2f}"] if speed else ["–"] * 3
        width, height = model["input"]
        table.add_row(model["name"], f"{width}×{height}", f"{model['parameters']:,}", f"{model['bytes'] / 1000:,.0f}", *times)
    console().print(table)


@contextmanager
def training() -> Iterator[Callable[[Progress], None]]:
    """A bar that what trains reports to."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.fields[state]}"))
    with Bar(*columns, console=console()) as bar:
        task = bar.add_task("training", total=None, state="")
        latest: dict[str, float] = {}

        def told(each: Progress) -> None:
            known = {"loss": each.loss, "AP50": math.nan if each.ap50 is None else each.ap50}
            latest.update({name: value for name, value in known.items() if not math.isnan(value)})
            state = ", ".join(f"{name} {value:.3f}" for name, value in latest.items())
            bar.update(task, description=each.phase, completed=each.step, total=each.steps, state=state)

        yield told
