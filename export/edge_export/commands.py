"""What the verbs do. Each prints its result to stdout, and tables, progress and remarks to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from edge_export import shown
from edge_export.about import read_about
from edge_export.bundle import prepared, require_parity, require_room, write_bundle
from edge_export.card import ABOUT, FAILURES, write_card
from edge_export.convert import convert as converted
from edge_export.errors import ExportError
from edge_export.evaluate import contender
from edge_export.evaluate import evaluate as evaluated
from edge_export.framework import load_network
from edge_export.labelled import simulated, street_pictures
from edge_export.parity import Report, Subject, prove
from edge_export.pictures import Picture, find_pictures, read_picture, simulated_pictures
from edge_runtime.infer.bundle import load_bundle
from edge_runtime.infer.session import checked_model
from edge_runtime.types import Size

SIMULATED_SIZE = Size(640, 360)


def convert(args: argparse.Namespace) -> int:
    """Write the ONNX file, and say what is in it."""
    if args.out.exists() and not args.force:
        raise ExportError(f"{args.out}: exists already: name another file, or replace it with --force")
    made = converted(load_network(args.network))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    scratch = args.out.with_name(f".{args.out.name}.part")
    scratch.write_bytes(made.data)
    scratch.replace(args.out)
    print(f"{args.out}: {made.described}")
    return 0


def parity(args: argparse.Namespace) -> int:
    """Compare a bundle with the network that it was made of. Raises ParityError when the device would see something else."""
    bundle = load_bundle(args.bundle)
    data = checked_model(bundle.model_path, bundle.manifest)
    about = read_about(args.about or args.bundle / ABOUT)
    report = _proven(Subject(load_network(args.network), about, data, bundle.manifest), args)
    require_parity(report)
    if args.json is not None:
        _write_json(args.json, {"model": bundle.manifest.sha256, **report.as_json()})
    print(f"{bundle.manifest.identity}: parity holds on {report.pictures} pictures")
    return 0


def bundle(args: argparse.Namespace) -> int:
    """Convert, prove, write. Raises ParityError, and writes nothing, when the device would see something else."""
    require_room(args.out, force=args.force)
    if not args.licence_file.is_file():
        raise ExportError(f"{args.licence_file}: no such file: expected the text of the model's licence")
    made, subject = prepared(load_network(args.network), read_about(args.about))
    print(f"{args.network}: {made.described}", file=sys.stderr)
    folder = write_bundle(subject, _proven(subject, args), args.about, args.licence_file, args.out)
    print(f"{folder}: {subject.manifest.identity}, {made.size.width}×{made.size.height}, {', '.join(subject.manifest.labels)}")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Measure, print the table, write what was asked for."""
    from edge_export.failures import write_sheet, write_worst

    if args.data is None and not args.simulated:
        raise ExportError("nothing to measure on: name held-out pictures with --data DIR, or some of the simulated street with --simulated N")
    contenders = [contender(path) for path in (args.bundle, *args.against)]
    sources = {}
    if args.data is not None:
        pictures = street_pictures(args.data)
        sources["street"] = shown.progress(pictures, len(pictures), "photographs")
    if args.simulated:
        sources["simulated"] = shown.progress(simulated(args.simulated, Size(*args.simulated_size)), args.simulated, "simulated")
    report, looked = evaluated(contenders, sources)
    if args.simulated:
        report["simulated_size"] = list(args.simulated_size)
    shown.evaluation(report)
    if args.json is not None:
        _write_json(args.json, report)
        write_sheet(looked.get("simulated", []), args.json.with_name(FAILURES))
    if args.failures is not None:
        files = [file for each in looked.values() for file in write_worst(each, args.failures)]
        print(f"{args.failures}: {len(files)} pictures, amber missed, magenta false", file=sys.stderr)
    return 0


def train_street(args: argparse.Namespace) -> int:
    """Follow the recipe."""
    from edge_export.street.recipe import RecipeError, read_recipe
    from edge_export.street.train import Limits, train

    limits = Limits(epochs=args.epochs, minutes=args.minutes)
    try:
        recipe = read_recipe(args.recipe)
    except RecipeError as error:
        raise ExportError(str(error)) from None
    with shown.training() as told:
        file = train(recipe, args.data, args.out, resume=args.resume, seed=args.seed, limits=limits, progress=told)
    print(file)
    return 0


def card(args: argparse.Namespace) -> int:
    """Write the card from what lies in the folder."""
    print(write_card(args.bundle))
    return 0


def _proven(subject: Subject, args: argparse.Namespace) -> Report:
    """The parity report on the pictures that were asked for; its table goes to stderr."""
    files = [] if args.images is None else find_pictures(args.images, args.count)
    count = len(files) + args.simulated
    if count == 0:
        raise ExportError("no pictures to compare on: name a folder with --images DIR, or some of the simulated street with --simulated N")
    report = prove(subject, shown.progress(_pictures(files, args.simulated), count, "parity"), count)
    shown.parity(report)
    return report


def _pictures(files: list[Path], simulated: int) -> Iterator[tuple[str, Picture]]:
    for file in files:
        yield str(file), read_picture(file)
    yield from simulated_pictures(simulated, SIMULATED_SIZE)


def _write_json(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
