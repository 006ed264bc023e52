"""A simulated street as a film, and what really happened in it: for players, for RTSP servers, for judging other people's counters.

python -m edge_runtime.sources.sim "sim:junction?seed=7&weather=rain" street.mp4 --seconds 30 --truth truth/
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from edge_runtime.errors import CannotStart, EdgeError, Exhausted
from edge_runtime.sources import SourceSpec, street_options


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
        count = film(args.url if args.seconds is None else _lasting(args.url, args.seconds), args.film, args.truth)
    except EdgeError as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, CannotStart) else 2
    print(f"{args.film}: {count} pictures")
    return 0


def film(url: str, path: Path, truth: Path | None = None) -> int:
    """Write a street's film at `path`, and its truth into the folder `truth`; how many pictures. Raises Unsupported, CannotStart."""
    from edge_runtime.sources.film import Film
    from edge_runtime.sources.sim.source import SimFootage
    from edge_runtime.sources.sim.truthfiles import TruthFiles

    options = street_options(url)
    source = SimFootage(SourceSpec(name=path.stem, url=url, fps=options.fps), options)
    count = 0
    with ExitStack() as stack:
        pictures = stack.enter_context(Film(path, options.fps))
        if truth is not None:
            stack.enter_context(TruthFiles(truth, source, options.fps, ((), ()), 0))
        source.open()
        while True:
            try:
                frame = source.read(0)
            except Exhausted:
                return count
            assert frame is not None  # a street is never waited for
            pictures.write(frame.planes[0], frame.stamp.mono_ns)
            count += 1


def _lasting(url: str, seconds: float) -> str:
    """The URL with another length."""
    scene, _, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair and not pair.startswith("seconds=")]
    return f"{scene}?{'&'.join([*pairs, f'seconds={seconds:.12g}'])}"


if __name__ == "__main__":
    sys.exit(main())
