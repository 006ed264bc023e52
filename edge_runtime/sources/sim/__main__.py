"""A simulated street as a film, and what really happened in it: for players, for RTSP servers, for judging other people's counters.

python -m edge_runtime.sources.sim "sim:junction?seed=7&weather=rain" street.mp4 --seconds 30 --truth truth/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge_runtime.errors import CannotStart, EdgeError
from edge_runtime.sources.sim.filming import film


def main(arguments: list[str] | None = None) -> int:
    """Film and truth of one street. 0 when both are complete, 2 for a URL that makes no sense, 3 when the machine refuses (a disk, a codec)."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_runtime.sources.sim", description="Writes a simulated street as an H.264 film, every picture of it."
    )
    parser.add_argument("url", metavar="URL", help="such as sim:junction?seed=7&weather=rain&size=1280x720&fps=30")
    parser.add_argument("film", type=Path, metavar="OUT.mp4")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long (default what the URL says with seconds=, else 60)")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="crossings, boxes and counts as files, by the lines and zones of the scene")
    args = parser.parse_args(arguments)
    try:
        count = film(args.url, args.film, seconds=args.seconds, truth=args.truth)
    except EdgeError as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, CannotStart) else 2
    print(f"{args.film}: {count} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
