"""`edge-runtime --config F`: the daemon."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser("run", help="the daemon (default verb)", description="Runs until SIGTERM; SIGHUP reloads the config.")
    parser.add_argument("--config", "-c", type=Path, required=True, metavar="FILE", help="device.toml")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override one key, for scripts (repeatable)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop. Returns 0 after a clean drain."""
    from edge_runtime.runtime.daemon import Daemon

    return Daemon(args.config, args.set).run()
