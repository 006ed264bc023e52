"""The same simulated street on two machines: the same truth, and pictures that nobody could tell apart.

    street.py draw FOLDER FRAMES --out NAME    FOLDER/NAME/street/: pictures.npy [n, h, w, 3], and the street's truth as files
    street.py compare FOLDER                   here against inside; exit 1 where they differ

Truth must be equal to the letter, but for visibility, which is counted in drawn pixels. Pixels may differ by one level, one in a thousand by more:
libraries round the last bit of a resize or a blend as their processor does it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

URL = "sim:junction?seed=7&density=2&weather=night-rain&size=640x360"
FPS = 10.0
SAME_SHARE = 0.999
VISIBLE = 0.02


def main() -> int:
    """Parse and dispatch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("draw")
    step.add_argument("folder", type=Path)
    step.add_argument("frames", type=int)
    step.add_argument("--out", required=True)
    step.set_defaults(run=lambda args: draw(args.folder / args.out / "street", args.frames))
    step = steps.add_parser("compare")
    step.add_argument("folder", type=Path)
    step.set_defaults(run=lambda args: compare(args.folder / "here" / "street", args.folder / "inside" / "street"))
    args = parser.parse_args()
    return int(args.run(args))


def draw(folder: Path, frames: int) -> int:
    """Pictures and truth of the first `frames` frames."""
    from edge_runtime.sources import SourceSpec, make_footage
    from edge_runtime.sources.sim.truthfiles import TruthFiles
    from edge_runtime.sources.truthful import Truthful

    source = make_footage(SourceSpec(name="street", url=f"{URL}&seconds={frames / FPS}", fps=FPS))
    assert isinstance(source, Truthful)
    pictures = []
    with TruthFiles(folder, source, FPS, ((), ()), 0):
        source.open()
        for _ in range(frames):
            frame = source.read(0)
            assert frame is not None
            pictures.append(frame.planes[0])
    np.save(folder / "pictures.npy", np.stack(pictures))
    print(f"{folder.parent.name}: {len(pictures)} pictures drawn")
    return 0


def compare(here: Path, inside: Path) -> int:
    """Truth line by line, pixels level by level."""
    wrong = []
    for name in ("crossings.jsonl", "zones.jsonl", "truth.json", "seqinfo.ini"):
        if (here / name).read_bytes() != (inside / name).read_bytes():
            wrong.append(f"{name} differs")
    ours, theirs = (rows(folder / "gt.txt") for folder in (here, inside))
    if not ours:
        wrong.append("gt.txt is empty: there is nothing to compare")
    if [row[:-1] for row in ours] != [row[:-1] for row in theirs]:
        wrong.append("gt.txt differs")
    elif any(abs(float(a[-1]) - float(b[-1])) > VISIBLE for a, b in zip(ours, theirs, strict=True)):
        wrong.append(f"visibility differs by more than {VISIBLE}")
    share, largest = same(np.load(here / "pictures.npy"), np.load(inside / "pictures.npy"))
    if share < SAME_SHARE:
        wrong.append(
            f"{100 * share:.3f} % of all pixels differ by at most one level, expected {100 * SAME_SHARE} %; the largest difference is {largest}"
        )
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    print(f"equal: {len(ours)} boxes; {100 * share:.4f} % of all pixels within one level, the largest difference is {largest}")
    return 0


def same(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, int]:
    """The share of pixels (all three channels together) within one level, and the largest difference."""
    assert ours.shape == theirs.shape, f"{ours.shape} here, {theirs.shape} inside"
    apart = np.abs(ours.astype(np.int16) - theirs).max(axis=-1)
    return float((apart <= 1).mean()), int(apart.max())


def rows(file: Path) -> list[list[str]]:
    """The fields of a MOTChallenge file."""
    return [line.split(",") for line in file.read_text(encoding="ascii").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
