"""`edge-runtime bench`: what each stage costs here, how close the whole walk comes to the machine's limit, and how many cameras fit."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import ConfigError, Problem

if TYPE_CHECKING:
    from rich.console import Console

    from edge_runtime.config.schema import CameraConfig
    from edge_runtime.infer.bundle import Bundle
    from edge_runtime.runtime.capacity import CameraFigures
    from edge_runtime.types import Json

    Tell = Callable[[str], None]

STREET = "sim:junction?noise=3"  # at 1080p about 5 Mbit/s, as street cameras are set, and as dear to decode as their pictures
LONGEST_FILM_S = 120.0
FEWEST_FRAMES = 12  # selected ones, for a camera that wants few
LOG_WIDTH = 140  # of tables that no terminal shows


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "bench",
        help="each stage, the whole walk, the limit, and how many cameras fit",
        description="Measures on the cameras' own footage; for a live camera, and without a config, on the film of a simulated street.",
    )
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="device.toml: its cameras, rates, lines and models")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override one key (repeatable)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="without a config: a bundle folder or an .onnx file")
    parser.add_argument("--fps", type=float, default=10.0, metavar="N", help="without a config: frames a second wanted of a camera (default 10)")
    parser.add_argument("--size", type=_size, default=(1920, 1080), metavar="WxH", help="of the simulated street (default 1920x1080)")
    parser.add_argument("--seconds", type=_seconds, default=4.0, metavar="N", help="length of one measurement (default 4)")
    parser.add_argument("--rounds", type=int, choices=range(1, 101), default=3, metavar="N", help="how often each is measured, in turns (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from edge_runtime.runtime.capacity import Effort, measure_camera
    from edge_runtime.runtime.measure import machine
    from edge_runtime.runtime.station import cache_kernels

    if (args.config is None) == (args.model is None):
        raise ConfigError([Problem("bench", 0, "", "expected either --config device.toml or --model FILE; one of them says which model to run")])
    cache_kernels()
    effort = Effort(args.seconds, args.rounds)
    with tempfile.TemporaryDirectory(prefix="edge-runtime-bench-") as folder, _telling(enabled=sys.stderr.isatty() and not args.json) as tell:
        kinds = _from_config(args) if args.config else _from_model(args, Path(folder))
        figures = [
            measure_camera(kind.names, kind.camera, kind.bundle, effort, kind.providers, _prefixed(tell, kind))
            for kind in _with_footage(kinds, Path(folder), args, tell)
        ]
    report = {"machine": machine(), "cameras": [each.as_json() for each in figures], "load": load_of(figures) if args.config else None}
    if args.json:
        print(json.dumps(report))
    else:
        _print(report, figures)
    return 0


def load_of(figures: Sequence[CameraFigures]) -> float:
    """How much of this machine (the reserve left out) the cameras of the config take together, each with its best plan: 1 is all of it."""
    return round(sum(len(each.names) / each.best.cameras for each in figures), 3)


@dataclass(frozen=True)
class _Kind:
    """Cameras that cost the same: same model, footage, rate and rules."""

    names: tuple[str, ...]
    camera: CameraConfig
    bundle: Bundle
    providers: tuple[str, ...]


def _from_config(args: argparse.Namespace) -> list[_Kind]:
    from edge_runtime.config.check import bundle_of, require_sound
    from edge_runtime.config.load import load
    from edge_runtime.sources import SourceSpec, is_live

    loaded = load(args.config, args.set)
    require_sound(loaded)
    config = loaded.config
    if not config.camera:
        raise ConfigError([Problem(str(args.config), 0, "", "no [[camera]]: there is nothing to measure")])
    models = {model.name: model for model in config.model}
    kinds: dict[CameraConfig, list[str]] = {}
    for camera in config.camera:
        url = SourceSpec.of(camera).url
        alike = replace(camera, name="bench", source="" if is_live(url) else url, substream=None, username=None, password=None, live=False)
        kinds.setdefault(alike, []).append(camera.name)
    return [
        _Kind(tuple(names), replace(camera, name=names[0]), bundle_of(config, models[camera.model]), models[camera.model].providers)
        for camera, names in kinds.items()
    ]


def _from_model(args: argparse.Namespace, folder: Path) -> list[_Kind]:
    from edge_runtime.config.schema import CameraConfig
    from edge_runtime.infer.bundle import load_bundle

    bundle = load_bundle(_adopted(args.model, folder))
    return [_Kind(("street",), CameraConfig(name="street", source="", model="bench", fps=args.fps), bundle, ("cpu",))]


def _with_footage(kinds: Sequence[_Kind], folder: Path, args: argparse.Namespace, tell: Tell) -> list[_Kind]:
    """Kinds without footage share a simulated street, and a kind's own street is filmed too: a real camera's pictures have to be decoded.

    Each film is long enough for four cameras' worth of one measurement, and for its slowest camera.
    """
    from edge_runtime.sources import is_simulated
    from edge_runtime.sources.sim.filming import film

    width, height = args.size
    urls = [kind.camera.source or f"{STREET}&size={width}x{height}" for kind in kinds]
    clips: dict[str, Path] = {}
    for url in dict.fromkeys(url for url in urls if is_simulated(url)):
        clips[url] = folder / f"street-{len(clips)}.mp4"
        tell("filming a street")
        slowest = min(kind.camera.fps for kind, each in zip(kinds, urls, strict=True) if each == url)
        seconds = min(LONGEST_FILM_S, max(4 * args.seconds, FEWEST_FRAMES / slowest))
        film(url, clips[url], seconds=seconds)
    return [replace(kind, camera=replace(kind.camera, source=str(clips.get(url, url)))) for kind, url in zip(kinds, urls, strict=True)]


@contextlib.contextmanager
def _telling(*, enabled: bool) -> Iterator[Tell]:
    if not enabled:
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("bench") as status:
        yield status.update


def _prefixed(tell: Tell, kind: _Kind) -> Tell:
    return lambda what: tell(f"{', '.join(kind.names)}: {what}")


def _adopted(model: Path, folder: Path) -> Path:
    """The bundle to measure: the one given, or one made of an .onnx file for the occasion."""
    if model.is_dir():
        return model
    from edge_runtime.infer.adopt import adopt

    return adopt(model, folder / "bundle")


def _print(report: Json, figures: Sequence[CameraFigures]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=LOG_WIDTH)
    on = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in on["packages"].items())
    console.print(f"{on['cores']} cores, {on['cpu']}, {on['system']}, Python {on['python']}, {versions}", soft_wrap=True)
    for each in figures:
        _print_camera(console, each)
    if report["load"] is not None:
        verdict = "they fit" if report["load"] <= 1 else "they do not fit: lower fps, use a substream or a smaller model, or take cameras away"
        console.print(f"\nall cameras of the config together: {100 * report['load']:.0f} % of this machine with its reserve kept; {verdict}")


def _print_camera(console: Console, figures: CameraFigures) -> None:
    from rich.table import Table

    best = figures.best
    console.print(f"\n[bold]{', '.join(figures.names)}[/bold]: {figures.footage}, {figures.fps:g} frames/s wanted", soft_wrap=True)
    stages = Table("stage", "CPU ms a frame", title_justify="left")
    stages.columns[1].justify = "right"
    for stage, spent_ms in figures.stages_ms.items():
        stages.add_row(stage, f"{spent_ms:.3f}")
    stages.add_row("together", f"{sum(figures.stages_ms.values()):.3f}", style="bold")
    console.print(stages)
    plans = Table("workers × threads", "frames/s (min – max)", "CPU ms a frame", "of the limit", "cameras")
    for column in plans.columns[1:]:
        column.justify = "right"
    for plan in figures.plans:
        fps = f"{plan.fps.median:.1f} ({plan.fps.low:.1f} – {plan.fps.high:.1f})"
        row = (f"{plan.workers} × {plan.threads}", fps, f"{plan.cpu_ms.median:.2f}", f"{100 * plan.ratio.median:.0f} %", f"{plan.cameras:.1f}")
        plans.add_row(*row, style="bold" if plan is best else "")
    bare = f"{figures.limit_fps.median:.1f} ({figures.limit_fps.low:.1f} – {figures.limit_fps.high:.1f})"
    plans.add_row("limit", bare, f"decode {figures.decode_ms.median:.2f} a picture, infer {figures.infer_ms.median:.2f}", "", "")
    console.print(plans)
    console.print(
        f"set  workers = {best.workers}, threads = {best.threads}  in its [[model]]; room for {int(best.cameras)} such cameras", markup=False
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 160 <= int(width) <= 3840 and 90 <= int(height) <= 2160):
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT like 1920x1080, 160x90 to 3840x2160")
    return int(width) // 2 * 2, int(height) // 2 * 2  # H.264 wants even sides


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, 0.1 to 600")
    return value
