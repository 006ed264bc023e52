"""The demo's numbers as tables and phrases: counted, and beside it what was true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.runtime.demo.score import CLASSES, error_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edge_runtime.runtime.demo.score import Row
    from edge_runtime.runtime.demo.show import Demo, Sight

_SHORT = {"motorcycle": "moto", "bicycle": "bike"}
_ENDLESS = 1000  # columns


def counts_table(demo: Demo, sight: Sight, console: Console) -> Table:
    """A row for each line and direction, a column for each class: counted, and beside it what was true. As airy as the console is wide."""
    from rich.measure import Measurement

    for short, gap in ((False, 2), (True, 2), (True, 1), (True, 0)):
        table = _counts_table(demo, sight, short=short, gap=gap)
        if Measurement.get(console, console.options.update(max_width=_ENDLESS), table).maximum <= console.width:
            break
    return table


def _counts_table(demo: Demo, sight: Sight, *, short: bool, gap: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    compared = sight.comparison
    known = compared.true is not None
    seen: set[str] = {label for row in compared.rows for label in (*row.counted, *(row.true or ()))} | set(demo.classes)
    classes = [label for label in CLASSES if label in seen] + sorted(seen - set(CLASSES))
    speeds = any(row.counted_kmh is not None for row in compared.rows)
    names: list[str] = [_SHORT.get(label, label) if short else label for label in classes]
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, gap, 0, 0), caption="counted/true" if known else None, caption_justify="left")
    table.add_column("line", no_wrap=True)
    table.add_column("direction", no_wrap=True)
    for name in (*names, "all", *(["error"] if known else []), *(["km/h"] if speeds else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for row in compared.rows:
        cells = [_cell(row.counted.get(label, 0), None if row.true is None else row.true.get(label, 0)) for label in classes]
        cells.append(_cell(sum(row.counted.values()), None if row.true is None else sum(row.true.values())))
        if known:
            cells.append(_share(error_of(row)))
        if speeds:
            cells.append(_speed(row))
        table.add_row(row.line, demo.words[row.line, row.way], *cells)
    return table


def rate_of(sight: Sight) -> str:
    """Frames a second, done and possible; or why there are none."""
    health = sight.health
    if health.state not in ("live", "ended") or health.fps is None:
        if sight.simulated and health.state == "connecting":
            return "the street is being built"
        return f"camera {health.state}" + (f": {health.reason}" if health.reason else "")
    text = f"{health.fps:.1f} of {sight.wanted_fps:g} frames/s"
    if health.infer_ms is not None and health.limit_fps is not None:
        text += f" (inference {health.infer_ms:.0f} ms: {health.limit_fps:.0f} at most), {health.latency_ms:.0f} ms behind"
    return text


def sum_of(sight: Sight) -> str:
    """All lines and classes together."""
    compared = sight.comparison
    if compared.true is None:
        return f"counted {compared.counted}"
    return f"counted {compared.counted}, true {compared.true}" + (f", error {_share(compared.error)}" if compared.error is not None else "")


def _cell(counted: int, true: int | None) -> str:
    if true is None:
        return str(counted) if counted else "[dim]·[/dim]"
    if not counted and not true:
        return "[dim]·[/dim]"
    return f"[{'green' if counted == true else 'yellow'}]{counted}/{true}[/]"


def _share(error: float | None) -> str:
    return "" if error is None else f"{100 * error:.0f} %" if error >= 0.1 or not error else f"{100 * error:.1f} %"


def _speed(row: Row) -> str:
    def shown(kmh: float | None) -> str:
        return "?" if kmh is None else f"{kmh:.0f}"

    return shown(row.counted_kmh) if row.true is None else f"{shown(row.counted_kmh)}/{shown(row.true_kmh)}"


def groups_table(sight: Sight) -> Table:
    """A row for each line and kind, directions together."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("line", "kind", box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    for name in ("counted", "true", "error"):
        table.add_column(name, justify="right")
    for line, group, counted, true in sight.comparison.grouped():
        table.add_row(line, group, str(counted), str(true), _share(abs(counted - true) / true if true else None))
    return table
