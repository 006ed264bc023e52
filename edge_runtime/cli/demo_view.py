"""How the demo looks: a live table on a terminal, lines elsewhere, and the summary at its end."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edge_runtime.cli.demo_tables import counts_table, groups_table, rate_of, sum_of
from edge_runtime.runtime.demo.score import EDGE_S

if TYPE_CHECKING:
    from edge_runtime.runtime.demo.device import DemoOptions
    from edge_runtime.runtime.demo.show import Demo, Sight, Summary
    from edge_runtime.types import Json

SIMULATED = "SIMULATED STREET: nothing here was filmed"
REDRAW_S = 0.5
LINE_S = 2.0  # between two lines where there is no terminal
_WIDTH = 100  # where there is no terminal


def make_view(options: DemoOptions, *, watched: bool, out: TextIO) -> View:
    """A table where somebody watches a terminal, else lines on `out`."""
    return TableView(options, out) if watched else View(options, out)


class View:
    """Plain lines: one every LINE_S, nothing that moves."""

    def __init__(self, options: DemoOptions, out: TextIO) -> None:
        from rich.console import Console

        self.options = options
        self.console = Console(file=out, highlight=False, width=None if out.isatty() else _WIDTH)
        self.setup_s = 0.0
        self._shown_s = 0.0
        self._counting = False
        self._warned: tuple[str, ...] = ()
        self._demo: Demo

    def prepare(self) -> None:
        """What happens once on a machine, with its progress: kernels are compiled."""
        from edge_runtime.runtime.demo.kernels import compile_kernels

        began_s = time.monotonic()
        with self._progress() as tell:
            compile_kernels(tell)
        self.setup_s = time.monotonic() - began_s
        self.say(f"set up in {self.setup_s:.1f} s (what was compiled is kept: the next start is quicker)")

    @contextmanager
    def running(self, demo: Demo, seconds: float | None) -> Iterator[None]:
        """Open and close what shows the run."""
        self._demo = demo
        for line in self.heading():
            self.say(line)
        if seconds is not None:
            self.say(f"ends after {seconds:g} s")
        yield

    def show(self, sight: Sight) -> None:
        """What there is to see now."""
        now_s = time.monotonic()
        if not self._counting and sight.first_count_s is not None:
            self._counting = True
            self.say(f"first count after {sight.first_count_s:.1f} s")
        for warning in sight.warnings:
            if warning not in self._warned:
                self.say(warning)
        self._warned = sight.warnings
        if now_s - self._shown_s >= LINE_S:
            self._shown_s = now_s
            self.say(f"{sight.elapsed_s:5.0f} s  {rate_of(sight)}; {sum_of(sight)}; spool {sight.health.spool_depth}; {sight.messages} messages")

    def heading(self) -> list[str]:
        """What this is, and where it can be heard."""
        demo = self._demo
        return [
            SIMULATED if demo.simulated else "YOUR CAMERA: nobody knows what is true, so only what was counted is shown",
            f"source     {demo.source_shown}",
            *([] if self.options.camera is None else ["line       across the middle of the picture; draw your own: --write-config"]),
            f"broker     {demo.broker.url}  (MQTT 3.1.1, only for this machine)",
            f"subscribe  mosquitto_sub -h 127.0.0.1 -p {demo.broker.port} -t 'edge/v1/#' -v",
        ]

    def conclude(self, demo: Demo, summary: Summary) -> None:
        """The summary, and what to type next."""
        sight = summary.sight
        self.say("")
        if demo.simulated:
            self.say(SIMULATED)
        self.console.print(counts_table(demo, sight, self.console))
        if sight.comparison.true is not None:
            self.console.print(groups_table(sight))
        for line in [*_closing(summary), "", *_next_steps(self.options)]:
            self.say(line)

    def as_json(self, demo: Demo, summary: Summary) -> Json:
        """Everything that the summary says, for scripts."""
        sight, compared = summary.sight, summary.sight.comparison
        return {
            "simulated": demo.simulated,
            "source": demo.source_shown,
            "broker": demo.broker.url,
            "setup_s": round(self.setup_s, 2),
            "first_count_s": None if sight.first_count_s is None else round(sight.first_count_s, 2),
            "seconds": round(sight.elapsed_s, 2),
            "frames": sight.health.processed,
            "dropped": sight.health.dropped,
            "wanted_fps": demo.wanted_fps,
            "limit_fps": None if sight.health.limit_fps is None else round(sight.health.limit_fps, 1),
            "published": sight.health.acked,
            "heard": sight.messages,
            "spool": sight.health.spool_depth,
            "windows_agree": summary.windows_agree,
            "counted": compared.counted,
            "true": compared.true,
            "error": None if compared.error is None else round(compared.error, 4),
            "left_out": compared.left_out,
            "lines": [
                {"line": row.line, "dir": row.way, "label": demo.words[row.line, row.way], "counted": row.counted, "true": row.true}
                for row in compared.rows
            ],
            "groups": [dict(zip(("line", "group", "counted", "true"), each, strict=True)) for each in compared.grouped()],
            "clean": summary.clean,
        }

    def say(self, text: str) -> None:
        """One line, never folded: it may be copied."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def _progress(self) -> Iterator[Any]:
        def tell(done: int, of: int) -> None:
            self.say(f"set-up: kernels {done} of {of}")

        yield tell


class TableView(View):
    """A table that is drawn anew in its place."""

    def __init__(self, options: DemoOptions, out: TextIO) -> None:
        super().__init__(options, out)
        self._live: Any = None
        self._ends = ""

    @contextmanager
    def running(self, demo: Demo, seconds: float | None) -> Iterator[None]:
        """The table, until the end."""
        from rich.live import Live

        self._demo = demo
        self._ends = "" if seconds is None else f" after {seconds:g} s, or"
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            self._live.update(self._drawn(demo.sight()), refresh=True)
            yield

    def show(self, sight: Sight) -> None:
        """Draw it."""
        now_s = time.monotonic()
        if now_s - self._shown_s >= REDRAW_S:
            self._shown_s = now_s
            self._live.update(self._drawn(sight), refresh=True)

    def _drawn(self, sight: Sight) -> Any:
        from rich.console import Group
        from rich.text import Text

        head, *more = self.heading()
        first = "no count yet" if sight.first_count_s is None else f"first count after {sight.first_count_s:.1f} s"
        notes = [
            rate_of(sight),
            f"{sum_of(sight)}; {first}",
            f"spool {sight.health.spool_depth}; {sight.messages} messages; {sight.elapsed_s:.0f} s; ends{self._ends} with Ctrl-C",
        ]
        return Group(
            Text(head, style="bold black on yellow" if self._demo.simulated else "bold"),
            *(Text(line, overflow="fold") for line in more),
            counts_table(self._demo, sight, self.console),
            *(Text(line) for line in notes),
            *(Text(line, style="red", overflow="ellipsis", no_wrap=True) for line in sight.warnings),
        )

    @contextmanager
    def _progress(self) -> Iterator[Any]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("set-up: compiling kernels"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task("")
            yield lambda done, of: bars.update(task, completed=done, total=of)


def _closing(summary: Summary) -> Sequence[str]:
    sight, health, compared = summary.sight, summary.sight.health, summary.sight.comparison
    lines = [sum_of(sight) + (" (too many here and too few there do not cancel)" if compared.error is not None else "")]
    if compared.left_out:
        lines.append(f"left out: {compared.left_out} in the first or last {EDGE_S:g} s, seen too shortly to be sure of")
    first = "nothing crossed a line" if sight.first_count_s is None else f"first count after {sight.first_count_s:.1f} s"
    lines.append(f"{health.processed} frames in {sight.elapsed_s:.1f} s, {health.dropped} dropped; {first}")
    left = "all acknowledged" if not health.spool_depth else f"{health.spool_depth} still in the spool"
    lines.append(f"{health.acked} messages published, {left}; {sight.messages} heard by this table's subscriber")
    if not summary.windows_agree:
        lines.append("the count windows do not sum up to the crossings: please report this, with the line that you typed")
    if not summary.clean:
        lines.append("something hung at the end and was left behind")
    return [*lines, *sight.warnings]


def _next_steps(options: DemoOptions) -> Sequence[str]:
    """Lines that can be typed as they stand, whichever way this one was."""
    here = typed()
    harder = "--weather night-rain --density 2" if options.camera is None and options.weather == "day" else ""
    steps = [
        ("demo --camera rtsp://USER:PASSWORD@ADDRESS/PATH", "the same with a camera of yours"),
        (f"demo {harder}" if harder else "demo", "a harder street" if harder else "the simulated street"),
        ("models adopt FILE.onnx --out MODEL", "a detector of yours, to be given as demo --model MODEL"),
        ("demo --write-config device.toml", "the config, to change and to run as a service"),
    ]
    return ["What to type next:", *(line for words, why in steps for line in (f"  {why}", f"      {here} {words}"))]


def typed() -> str:
    """How the command was called: its name where the shell finds it, else the way to it."""
    if shutil.which("edge-runtime") is not None:
        return "edge-runtime"
    called = Path(sys.argv[0])
    return f"{sys.executable} -m edge_runtime" if called.suffix == ".py" else str(called)
