"""`edge-runtime models`: look inside any .onnx file, make a bundle of one, list the bundles that are here, prove one on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.infer.anatomy import Anatomy
    from edge_runtime.infer.bundle import Bundle
    from edge_runtime.types import Json, Size

_OPERATORS_SHOWN = 12


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser("models", help="look inside, adopt, list and verify models", description=__doc__)
    parser.set_defaults(run=lambda _: _show_help(parser))
    verbs = parser.add_subparsers(title="what to do", metavar="WHAT")
    _add_adopt(verbs)
    inspect = verbs.add_parser("inspect", help="what is inside a model file or bundle, and whether it would be taken")
    inspect.add_argument("path", type=Path, metavar="FILE|DIR", help="an .onnx file, or a bundle")
    inspect.add_argument("--json", action="store_true", help="as one JSON object")
    inspect.set_defaults(run=run_inspect)
    listing = verbs.add_parser(
        "list",
        help="the bundles on the model path, and where each was found",
        description="The model path is where a config finds bundles by name, the nearest first: its own folder, `models` in it, the folders in "
        "EDGE_RUNTIME_MODELS, and the models that came with the package.",
    )
    listing.add_argument("--config", "-c", type=Path, metavar="FILE", help="as this device.toml finds them (default: one in the present folder)")
    listing.add_argument("--json", action="store_true", help="as one JSON object")
    listing.set_defaults(run=run_list)
    verify = verbs.add_parser("verify", help="load a bundle as the daemon does, and run its golden inputs on this machine")
    verify.add_argument("bundle", metavar="NAME|DIR", help="a bundle")
    verify.add_argument("--provider", action="append", default=[], metavar="P", help="cpu (default), cuda, tensorrt, openvino, coreml, xnnpack")
    verify.set_defaults(run=run_verify)


def _add_adopt(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    adopt = verbs.add_parser(
        "adopt", help="make a bundle of an .onnx file", description="Checks and repairs the file, finds its family, writes a bundle."
    )
    adopt.add_argument("file", type=Path, metavar="FILE.onnx")
    adopt.add_argument("--out", "-o", type=Path, required=True, metavar="DIR", help="the bundle's folder, made anew")
    adopt.add_argument("--family", metavar="F", help="how its outputs are decoded (default: found from the shapes)")
    adopt.add_argument("--labels", metavar="coco80|FILE", help="names of its classes, one a line (default: coco80 where it tells 80 apart)")
    adopt.add_argument("--size", type=_size, metavar="WxH", help="size of the picture, for a model that leaves it open")
    adopt.add_argument("--name", help="name of the bundle, as events carry it (default: from the file's)")
    adopt.add_argument("--version", default="1.0.0", help="version of the bundle (default 1.0.0)")
    adopt.add_argument("--licence", default="unknown", help="SPDX name of the model's licence")
    adopt.add_argument("--source", default="unknown", help="where the model came from")
    adopt.add_argument("--force", action="store_true", help="replace a bundle that is in DIR already")
    adopt.set_defaults(run=run_adopt)


def run_adopt(args: argparse.Namespace) -> int:
    """Make the bundle and say what it is."""
    from edge_runtime.infer.adopt import Choices, adopt
    from edge_runtime.infer.bundle import load_bundle

    wanted = ("family", "labels", "size", "name", "version", "licence", "source", "force")
    bundle = load_bundle(adopt(args.file, args.out, Choices(**{key: getattr(args, key) for key in wanted})))
    print(f"{bundle.folder}: {_described(bundle)}")
    for key in ("licence", "source"):
        if getattr(bundle.manifest, key) == "unknown":
            print(f"  its {key} is unknown: find out, and write it into {bundle.folder / 'manifest.toml'} (or adopt it again with --{key})")
    return 0


def run_inspect(args: argparse.Namespace) -> int:
    """Print what is inside. 2 when this runtime would refuse it."""
    from edge_runtime.infer.anatomy import examine
    from edge_runtime.infer.bundle import find_bundle, load_bundle

    bundle = None if args.path.is_file() and args.path.suffix == ".onnx" else load_bundle(find_bundle(args.path, Path()))
    anatomy = examine(args.path if bundle is None else bundle.model_path)
    if args.json:
        print(json.dumps({**anatomy.as_json(), "bundle": None if bundle is None else _as_json(bundle)}))
    else:
        print("\n".join(_plain(anatomy, bundle)))
    return 2 if anatomy.unsafe or (bundle is not None and anatomy.repairs) else 0


def run_list(args: argparse.Namespace) -> int:
    """Every bundle on the model path; one that is broken is listed with what is wrong, one that a nearer one hides is said to be."""
    from edge_runtime.infer.bundle import search_path

    path = search_path(Path() if args.config is None else args.config.parent)
    rows = list(_bundles(path))
    if args.json:
        print(json.dumps({"path": [str(place) for place in path], "bundles": [row for row, _ in rows]}))
    else:
        missing = f"no bundle in {', '.join(str(place) for place in path)}; set EDGE_RUNTIME_MODELS to the folder that holds yours"
        print("\n".join(line for _, line in rows) or missing)
    return 0


def _bundles(path: Sequence[Path]) -> Iterator[tuple[Json, str]]:
    """Each as JSON, and as it is printed."""
    from edge_runtime.errors import BundleError
    from edge_runtime.infer.bundle import MANIFEST, load_bundle

    nearer: dict[str, Path] = {}
    for folder in (file.parent for place in path for file in sorted(place.glob(f"*/{MANIFEST}"))):
        hidden = nearer.get(folder.name)
        nearer.setdefault(folder.name, folder)
        note = f"; hidden by {hidden}" if hidden else ""
        try:
            bundle = load_bundle(folder)
        except BundleError as error:
            yield {"folder": str(folder), "wrong": str(error), "hidden": bool(hidden)}, f"{folder.name:24} broken: {error}{note}"
        else:
            yield {**_as_json(bundle), "hidden": bool(hidden)}, f"{folder.name:24} {_described(bundle)}; in {folder.parent.absolute()}{note}"


def run_verify(args: argparse.Namespace) -> int:
    """Prove a bundle on this machine. Raises BundleError when it fails, CannotStart without the provider."""
    from edge_runtime.infer.bundle import find_bundle, load_bundle, verify_golden
    from edge_runtime.infer.engine import Engine, EnginePlan

    bundle = load_bundle(find_bundle(args.bundle, Path()))
    providers = tuple(args.provider or ["cpu"])
    engine = Engine(bundle.model_path, bundle.manifest, EnginePlan(providers=providers))
    engine.open()
    try:
        difference = verify_golden(bundle, engine)
    finally:
        engine.close(5.0)
    golden = bundle.manifest.golden
    proof = "no golden outputs to compare with" if golden is None else f"golden outputs differ by at most {difference:.2g} (atol {golden.atol:g})"
    print(f"{bundle.manifest.identity}: sound; runs on {', '.join(providers)}; {proof}")
    return 0


def _show_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _size(text: str) -> Size:
    from edge_runtime.types import Size

    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected width x height in pixels, like 416x416")
    return Size(int(width), int(height))


def _classes(classes: int | None) -> str:
    return "fits, any number of classes" if classes is None else f"fits, {classes} classes"


def _described(bundle: Bundle) -> str:
    manifest = bundle.manifest
    width, height = manifest.inputs[0].size
    return f"{manifest.identity}, {manifest.family}, {width}×{height}, {len(manifest.labels)} classes, licence {manifest.licence}"


def _as_json(bundle: Bundle) -> Json:
    from dataclasses import asdict

    return {"folder": str(bundle.folder), **asdict(bundle.manifest)}


def _plain(anatomy: Anatomy, bundle: Bundle | None) -> list[str]:
    operators = list(anatomy.operators.items())
    more = f", and {len(operators) - _OPERATORS_SHOWN} kinds more" if len(operators) > _OPERATORS_SHOWN else ""
    rows = [
        ("file", f"{anatomy.file}, {anatomy.size_bytes:,} bytes"),
        ("sha256", anatomy.sha256),
        (
            "producer",
            f"{anatomy.producer}, IR {anatomy.ir_version}, " + ", ".join(f"{name} opset {version}" for name, version in anatomy.opsets.items()),
        ),
        *((f"input {index}", f"{value.name}  {value.dtype} {list(value.shape)}") for index, value in enumerate(anatomy.inputs)),
        *((f"output {index}", f"{value.name}  {value.dtype} {list(value.shape)}") for index, value in enumerate(anatomy.outputs)),
        ("parameters", f"{anatomy.parameters:,}"),
        ("operators", f"{sum(anatomy.operators.values())}: " + ", ".join(f"{name} {count}" for name, count in operators[:_OPERATORS_SHOWN]) + more),
        *(("family", f"{guess.family}: {guess.why_not or _classes(guess.classes)}") for guess in anatomy.guesses),
        ("safety", "nothing in it that is forbidden" if not anatomy.unsafe else "refused: " + "; ".join(anatomy.unsafe)),
        *(("repair", repair) for repair in anatomy.repairs),
    ]
    if bundle is not None:
        image = bundle.manifest.inputs[0]
        fitted = f"{image.resize} {image.align}, pad {image.pad}" if image.resize == "letterbox" else image.resize
        values = f"(pixel · {image.scale:g} − {list(image.mean)}) / {list(image.std)}"
        rows += [("bundle", _described(bundle)), ("source", bundle.manifest.source), ("prepared as", f"{image.color}, {fitted}, {values}")]
    return [f"{name:12} {text}" for name, text in rows]
