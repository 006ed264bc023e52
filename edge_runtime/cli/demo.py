"""`edge-runtime demo`: the whole product at work, with nothing else installed: a simulated street, the shipped model, a broker in this process."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from edge_runtime.cli.replay import positive

if TYPE_CHECKING:
    from edge_runtime.cli.demo_view import View
    from edge_runtime.runtime.demo.device import DemoOptions

SCENES = ("junction", "road", "footpath")
WEATHERS = ("day", "dusk", "night", "rain", "night-rain")
UNWATCHED_S = 60.0
TURN_S = 0.25


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="see it all work: simulated street, shipped model, broker, live counts",
        description="A simulated street is counted by the shipped model and published to a broker of its own, on this machine only; the table shows "
        "what a subscriber hears, and what was true. Ctrl-C ends it. Without a terminal it prints lines, and ends after "
        f"{UNWATCHED_S:.0f} s unless --seconds or --frames says otherwise.",
    )
    parser.add_argument("--camera", metavar="URL", help="your own: rtsp://… http://… v4l2:/dev/video0, or a video file; a login may stand in the URL")
    parser.add_argument("--model", default="street-nano", metavar="NAME|DIR", help="another model bundle (default street-nano)")
    street = parser.add_argument_group("the simulated street")
    street.add_argument("--scene", choices=SCENES, default="junction", help="default junction")
    street.add_argument("--weather", choices=WEATHERS, default="day", help="default day")
    street.add_argument("--seed", type=_seed, default=1, metavar="N", help="which traffic (default 1)")
    street.add_argument("--density", type=_density, default=1.0, metavar="N", help="how much traffic, 0.1 to 3 (default 1)")
    how = parser.add_argument_group("for scripts")
    how.add_argument("--frames", type=positive, metavar="N", help="end after N frames")
    how.add_argument("--seconds", type=_seconds, metavar="N", help="end after N seconds")
    how.add_argument("--headless", action="store_true", help="lines instead of the table, as without a terminal")
    how.add_argument("--json", action="store_true", help="the summary as one JSON object on standard output; lines go to standard error")
    how.add_argument("--port", type=_port, default=0, metavar="N", help="of the embedded broker (default: any that is free)")
    how.add_argument("--write-config", type=Path, metavar="FILE", help="write the demo's device.toml for a broker of your own, and do nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show it until Ctrl-C, or as long as was asked for. 0 after a clean end."""
    from edge_runtime.cli.demo_view import make_view
    from edge_runtime.runtime.demo.device import DemoOptions

    names = ("camera", "model", "scene", "seed", "density", "weather")
    options = DemoOptions(**{name: getattr(args, name) for name in names})
    if args.write_config is not None:
        return _write(options, args.write_config)
    watched = sys.stdout.isatty() and not args.headless and not args.json
    view = make_view(options, watched=watched, out=sys.stderr if args.json else sys.stdout)
    view.prepare()
    seconds = args.seconds
    if seconds is None and args.frames is None and not sys.stdout.isatty():
        seconds = UNWATCHED_S
    return _show(options, view, args, seconds)


def _show(options: DemoOptions, view: View, args: argparse.Namespace, seconds: float | None) -> int:
    from edge_runtime.runtime.demo.show import Demo

    with _stopping() as stop, Demo(options, port=args.port, frames=args.frames) as demo:
        demo.start()
        stop.patient = True
        with view.running(demo, seconds):
            end_s = time.monotonic() + (seconds or float("inf"))
            while not (stop.asked or demo.over or time.monotonic() >= end_s):
                demo.turn(TURN_S)
                view.show(demo.sight())
            summary = demo.finish()
        if args.json:
            print(json.dumps(view.as_json(demo, summary)))
        view.conclude(demo, summary)
    return 0 if summary.clean else 3


def _write(options: DemoOptions, file: Path) -> int:
    from edge_runtime.cli.demo_view import typed
    from edge_runtime.runtime.demo.device import OWN_BROKER, write_device

    write_device(options, file, OWN_BROKER)
    here = typed()
    print(f"{file} is written. What to type next, with a broker of your own at {OWN_BROKER}:")
    print(f"  {here} check --config {file} --online     what it comes to here, and whether everything in it works")
    print(f"  {here} --config {file}                    the daemon, until Ctrl-C")
    print(f"  {here} watch {OWN_BROKER}      what it publishes")
    return 0


class _Stop:
    patient = False  # there is something to sum up
    asked = False


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """Ctrl-C and SIGTERM ask for an end with a summary, once there is one; asked before, or again, they end it at once."""
    stop = _Stop()

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        if stop.asked or not stop.patient:
            raise KeyboardInterrupt
        stop.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 0 to {2**31 - 1}")
    return int(text)


def _density(text: str) -> float:
    return _number(text, 0.1, 3.0, "a number, 0.1 to 3")


def _seconds(text: str) -> float:
    return _number(text, 1.0, 1e6, "seconds, 1 to 1000000")


def _port(text: str) -> int:
    return int(_number(text, 0, 65535, "a port, 1 to 65535")) if text.isdecimal() else int(_number("", 0, 0, "a port, 1 to 65535"))


def _number(text: str, low: float, high: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return value
