"""`edge-runtime replay`: recorded footage through the whole walk, deterministic, nothing dropped."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_runtime.errors import CannotStart, ConfigError, Problem

if TYPE_CHECKING:
    from edge_runtime.runtime.replay import Summary


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "replay",
        help="recorded footage to events, as fast as possible",
        description="Every frame that `fps` selects from the configured files, none dropped. Same input, config and plan: same bytes out.",
    )
    parser.add_argument("--config", "-c", type=Path, required=True, metavar="FILE", help="device.toml whose cameras are files or simulated streets")
    parser.add_argument("--out", "-o", default="-", metavar="FILE", help="events as JSON lines; - is standard output (default)")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override one key (repeatable)")
    parser.add_argument("--start", metavar="TIME", help="RFC 3339 time of the first frame (default: what the file says, else 1970)")
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after N selected frames of each camera")
    parser.add_argument(
        "--annotate", type=Path, metavar="OUT.mp4", help="the pictures with boxes, ids and counts, on this machine; of several cameras OUT-NAME.mp4"
    )
    parser.add_argument("--truth", type=Path, metavar="DIR", help="what really happened, as evaluation reads it; of sim: sources only")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write detections and tracks as JSON lines, no pixels")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object on standard error")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay and print a summary on standard error."""
    from edge_runtime.runtime import logs
    from edge_runtime.runtime.replay import Extras, Replay

    extras = Extras(start=args.start, frames=args.frames, annotate=args.annotate, record=args.record, truth=args.truth)
    job = Replay(args.config, args.set, extras)
    logs.set_up(job.config.log.format, job.config.log.level)
    try:
        with _opened(args.out) as out, _progress(enabled=sys.stderr.isatty() and not args.json) as tell:
            summary = job.run(out, tell)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotStart(f"--out {args.out}: {error.strerror}: the events up to here may be incomplete; give a place that takes them") from None
    print(json.dumps(summary.as_json()) if args.json else _plain(summary), file=sys.stderr)
    return 0


def positive(text: str) -> int:
    """An argument that counts something, from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdout
        return
    try:
        out = Path(name).open("w", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed below; only opening it is the user's mistake
    except OSError as error:
        raise ConfigError([Problem("--out", 0, "", f"{name}: {error.strerror}: expected a file that can be written")]) from None
    try:
        yield out
    finally:
        with contextlib.suppress(OSError):  # `run` has flushed it, or its refusal is on its way
            out.close()


@contextlib.contextmanager
def _progress(*, enabled: bool) -> Iterator[Progress]:
    if not enabled:
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _BarProgress(bars)


class Progress:
    """Told now and then how far a camera's footage is; this one keeps quiet."""

    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None:
        """`done` of about `expected` frames (None: unknown), at `rate` frames a second."""


class _BarProgress(Progress):
    def __init__(self, bars: object) -> None:
        from rich.progress import Progress as Bars
        from rich.progress import TaskID

        assert isinstance(bars, Bars)
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def update(self, camera: str, done: int, expected: int | None, rate: float) -> None:
        if camera not in self._tasks:
            self._tasks[camera] = self._bars.add_task(camera, total=expected, rate="")
        self._bars.update(self._tasks[camera], completed=done, total=expected, rate=f"{rate:.0f} frames/s")


def _plain(summary: Summary) -> str:
    lines = []
    for camera in summary.cameras:
        lines.append(f"{camera.name}: {camera.frames} frames in {camera.seconds:.2f} s = {camera.frames_per_s:.1f} frames/s; {camera.events} events")
        for rule, ways in camera.totals.items():
            lines.append(f"  {rule}: " + ", ".join(f"{way} {count}" for way, count in ways.items()))
    return "\n".join(lines)
