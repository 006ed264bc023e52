"""The command line: `edge-runtime --config F` runs the daemon; every other verb is named.

Nothing heavy is imported here: a verb's module imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from edge_runtime import __version__

VERBS = ("run", "check", "demo", "replay", "bench", "watch", "models")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, dispatch, and turn expected errors into exit codes: 2 what the user wrote, 3 what the machine refuses, 130 Ctrl-C."""
    from edge_runtime.errors import BundleError, CannotStart, ConfigError, EdgeError

    words = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help", "--version"):
        words.insert(0, "run")
    args = parser.parse_args(words)
    if "run" not in args:
        parser.print_help()
        return 2
    try:
        return int(args.run(args))
    except (ConfigError, BundleError) as error:
        print(error, file=sys.stderr)
        return 2
    except (CannotStart, EdgeError) as error:
        print(f"edge-runtime: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, verbs included."""
    parser = argparse.ArgumentParser(
        prog="edge-runtime",
        description="The inference runtime for street hardware: cameras in, trustworthy counts out over MQTT.",
        epilog="edge-runtime --config device.toml  is short for  edge-runtime run --config device.toml",
    )
    parser.add_argument("--version", action="version", version=f"edge-runtime {__version__}")
    subparsers = parser.add_subparsers(title="verbs", metavar="VERB")
    for verb in VERBS:
        importlib.import_module(f"edge_runtime.cli.{verb}").add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
