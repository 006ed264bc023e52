"""The same frames through the whole walk on two machines: what they saw must be equal.

    footage.py prepare MATERIAL CASE          a folder with the clip, the adopted model and device.toml
    footage.py replay CASE FRAMES --out NAME  replays it and writes CASE/NAME.jsonl; --root: where CASE lies under this folder
    footage.py compare CASE                   here.jsonl against inside.jsonl; exit 1 where they differ

Floats differ in their last digits between processors, so a box is not equal to the bit; what is counted must be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CONFIG = """\
[device]
site = "arm"
node = "twin"

[[model]]
name = "street"
bundle = "bundle"
threads = 1
workers = 1

[[camera]]
name = "road"
source = "busy_road.mp4"
model = "street"
fps = 10
classes = ["car", "bus", "truck"]
interval = "2s"

  [[camera.line]]
  name = "lanes"
  points = [[0.0625, 0.694], [0.7266, 0.694]]
"""


def main() -> int:
    """Parse and dispatch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("prepare")
    step.add_argument("material", type=Path)
    step.add_argument("case", type=Path)
    step.set_defaults(run=lambda args: prepare(args.material, args.case))
    step = steps.add_parser("replay")
    step.add_argument("case", type=Path)
    step.add_argument("frames", type=int)
    step.add_argument("--out", required=True)
    step.add_argument("--root", type=Path)
    step.set_defaults(run=lambda args: replay(args.case, args.frames, args.out, args.root))
    step = steps.add_parser("compare")
    step.add_argument("case", type=Path)
    step.set_defaults(run=lambda args: compare(args.case))
    args = parser.parse_args()
    return int(args.run(args))


def prepare(material: Path, case: Path) -> int:
    """Copy the clip, adopt the model, write the config."""
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir(parents=True)
    shutil.copyfile(material / "videos/busy_road/busy_road.mp4", case / "busy_road.mp4")
    (case / "device.toml").write_text(CONFIG)
    model = material / "models/yolox_nano/yolox_nano_416x416.onnx"
    edge_runtime("models", "adopt", str(model), "--out", str(case / "bundle"))
    return 0


def replay(case: Path, frames: int, name: str, root: Path | None) -> int:
    """Replay `frames` frames and say how long it took."""
    folder = case if root is None else root / case.relative_to("/")
    began = time.monotonic()
    edge_runtime("replay", "--config", str(folder / "device.toml"), "--frames", str(frames), "--out", str(folder / f"{name}.jsonl"))
    print(f"{name}: {os.uname().machine}, {frames} frames, {time.monotonic() - began:.1f} s with the start")
    return 0


def compare(case: Path) -> int:
    """Crossings (when, where, which way, what, which track) and counts of every window."""
    here, inside = (read(case / f"{name}.jsonl") for name in ("here", "inside"))
    crossings = [row for row in here if row["type"] == "crossing"]
    if not crossings:
        print("no crossing in these frames: nothing to compare, replay more of them", file=sys.stderr)
        return 1
    differences = [f"  here   {ours}\n  inside {theirs}" for ours, theirs in zip(seen(here), seen(inside), strict=False) if ours != theirs]
    if differences or len(here) != len(inside):
        print(f"{len(here)} events here, {len(inside)} inside, {len(differences)} differ:", *differences, sep="\n", file=sys.stderr)
        return 1
    scores = [abs(a["data"]["score"] - b["data"]["score"]) for a, b in zip(here, inside, strict=True) if a["type"] == "crossing"]
    print(f"equal: {len(crossings)} crossings and {len(here) - len(crossings)} other events; scores differ by at most {max(scores):.2g}")
    return 0


def seen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be equal: all but the scores, and the ids, which carry a hash of each side's own paths."""
    return [{**{k: v for k, v in row.items() if k != "id"}, "data": {k: v for k, v in row["data"].items() if k != "score"}} for row in rows]


def read(file: Path) -> list[dict[str, Any]]:
    """The events of one replay."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def edge_runtime(*words: str) -> None:
    """Run a verb with this Python; its error ends this script too."""
    done = subprocess.run([sys.executable, "-m", "edge_runtime", *words], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
