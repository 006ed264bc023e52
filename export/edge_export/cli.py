"""The command line: `edge-export VERB`. Nothing heavy is imported before a verb runs, so that --help answers at once.

train      street images and the simulated street ─► network.keras, training.jsonl
convert    network.keras ─► model.onnx
parity     network.keras against model.onnx and the device's own walk
bundle     network.keras ─► a whole bundle, if parity holds
evaluate   bundles on held-out pictures: AP, recall, speed, in one table
card       what is known of a bundle ─► MODEL_CARD.md and its figures
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_export import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, dispatch, and turn expected errors into exit codes: 2 what the person gave, 3 what the machine refuses, 130 Ctrl-C."""
    from edge_runtime.errors import CannotStart, EdgeError

    parser = build_parser()
    args = parser.parse_args(argv)
    if "run" not in args:
        parser.print_help()
        return 2
    try:
        return int(args.run(args))
    except CannotStart as error:
        print(f"edge-export: {error}", file=sys.stderr)
        return 3
    except EdgeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="edge-export", description="Trains, converts, proves and bundles the small models that edge-runtime runs.")
    parser.add_argument("--version", action="version", version=f"edge-export {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    _add_train(verbs)
    _add_convert(verbs)
    _add_parity(verbs)
    _add_bundle(verbs)
    _add_evaluate(verbs)
    card = verbs.add_parser("card", help="write MODEL_CARD.md and its figures from what lies in the bundle")
    card.add_argument(
        "bundle", type=Path, metavar="DIR", help="about.toml, parity.json, evaluation.json, recipe.toml, training.jsonl: as far as there"
    )
    card.set_defaults(run=_run("card"))
    return parser


def _add_train(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = verbs.add_parser("train", help="train a network", description="Every number of a training stands in its recipe.")
    networks = train.add_subparsers(title="networks", metavar="NETWORK", required=True)
    street = networks.add_parser("street", help="street-nano, the detector of road users")
    street.add_argument("--recipe", type=Path, required=True, metavar="FILE", help="recipe.toml")
    street.add_argument("--data", type=Path, required=True, metavar="DIR", help="the street images: train.json, unlabelled.txt, pictures")
    street.add_argument("--out", "-o", type=Path, required=True, metavar="DIR", help="where checkpoints, log and network go")
    begin = street.add_mutually_exclusive_group()
    begin.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out, with its seed")
    begin.add_argument("--seed", type=_count, metavar="N", help="another seed than the recipe's")
    street.add_argument("--epochs", type=_positive, metavar="N", help="fewer epochs, for a trial")
    street.add_argument("--minutes", type=_minutes, metavar="M", help="stop after so much time, for a trial")
    street.set_defaults(run=_run("train_street"))


def _add_convert(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("convert", help="a Keras network as ONNX", description="The same network gives the same bytes.")
    parser.add_argument("network", type=Path, metavar="NETWORK.keras")
    parser.add_argument("--out", "-o", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--force", action="store_true", help="replace MODEL.onnx")
    parser.set_defaults(run=_run("convert"))


def _add_parity(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("parity", help="prove that the device sees what the framework saw", description="Exit 2 when it does not.")
    parser.add_argument("network", type=Path, metavar="NETWORK.keras")
    parser.add_argument("bundle", type=Path, metavar="DIR", help="the bundle that was made of it")
    parser.add_argument("--about", type=Path, metavar="FILE", help="what the network was trained on (default: about.toml in DIR)")
    _add_pictures(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, if parity holds")
    parser.set_defaults(run=_run("parity"))


def _add_bundle(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "bundle", help="convert, prove, and write a whole bundle", description="Writes nothing when parity is violated (exit 2)."
    )
    parser.add_argument("network", type=Path, metavar="NETWORK.keras")
    parser.add_argument(
        "--about", type=Path, required=True, metavar="FILE", help="about.toml: name, labels, what its pictures looked like in training"
    )
    parser.add_argument("--licence-file", type=Path, required=True, metavar="FILE", help="text of the model's licence")
    parser.add_argument("--out", "-o", type=Path, required=True, metavar="DIR", help="the bundle's folder; other files in it are kept")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is in DIR already")
    _add_pictures(parser)
    parser.set_defaults(run=_run("bundle"))


def _add_evaluate(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "evaluate", help="AP, recall and speed of bundles, in one table", description="Every bundle goes through the device's walk."
    )
    parser.add_argument("bundle", type=Path, metavar="DIR", help="the bundle that is judged")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="DIR|ONNX", help="another one beside it, on the same pictures")
    parser.add_argument("--data", type=Path, metavar="DIR", help="held-out street images (holdout.json)")
    parser.add_argument("--simulated", type=_count, default=0, metavar="N", help="N pictures of the simulated street, seeds from 1")
    parser.add_argument("--simulated-size", type=_size, default=(640, 360), metavar="WxH", help="how large they are (640x360)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--failures", type=Path, metavar="DIR", help="draw the worst misses and false alarms there; pictures are those of --data")
    parser.set_defaults(run=_run("evaluate"))


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, metavar="DIR", help="real pictures to compare on")
    parser.add_argument("--count", type=_positive, default=24, metavar="N", help="how many of them, evenly over the folder (24)")
    parser.add_argument("--simulated", type=_count, default=0, metavar="N", help="and N pictures of the simulated street")


def _run(verb: str) -> Callable[[argparse.Namespace], int]:
    """A verb's function, imported when it is called."""

    def run(args: argparse.Namespace) -> int:
        module = importlib.import_module("edge_export.commands")
        return int(getattr(module, verb)(args))

    return run


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) % 2 == int(height) % 2 == 0 and int(width) >= 160 and int(height) >= 90):
        raise argparse.ArgumentTypeError(f"{text!r}: expected even width x height from 160x90, like 1280x720")
    return int(width), int(height)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected minutes, more than 0")
    return minutes


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
