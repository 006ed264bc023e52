"""A simulated street as a film, every picture of it, and what really happened in it as files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from edge_runtime.errors import Exhausted
from edge_runtime.sources import SourceSpec, street_options


def film(url: str, path: Path, *, seconds: float | None = None, truth: Path | None = None) -> int:
    """Write a street's film at `path`, and its truth into the folder `truth`; how many pictures.

    It lasts `seconds`, else what the URL says. Raises Unsupported, CannotStart.
    """
    from edge_runtime.sources.film import Film
    from edge_runtime.sources.sim.source import SimFootage
    from edge_runtime.sources.sim.truthfiles import TruthFiles

    options = street_options(url if seconds is None else _lasting(url, seconds))
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
