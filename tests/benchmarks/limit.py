"""The limit: what bare PyAV decoding and bare ONNX Runtime leave possible on this machine, one thread each.

limit  =  cores ÷ (CPU s a picture of decoding  +  CPU s a frame of inference)            every picture is inferred here

python -m tests.benchmarks.limit CLIP BUNDLE [--frames 100]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edge_runtime.config.plan import usable_cores
from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime import measure


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.limit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--frames", type=int, default=100, help="real frames that are inferred (default 100); the clip is decoded whole")
    args = parser.parse_args(argv)
    found = limit(args.clip, args.bundle, args.frames)
    print(json.dumps({"fps": found.fps, "decode_ms": 1000 * found.decode_s, "infer_ms": 1000 * found.infer_s, "cores": found.cores}))
    return 0


def limit(clip: Path, bundle_folder: Path, frames: int) -> measure.Limit:
    """Decode the whole clip, infer its first `frames` frames."""
    from edge_runtime.infer.bundle import load_bundle

    bundle = load_bundle(bundle_folder)
    camera = CameraConfig(name="bench", source=str(clip), model="bench", fps=120)
    bare = measure.BareInference(bundle.model_path, measure.real_tensors(camera, bundle, frames))
    return measure.Limit(measure.bare_decode_s(clip), bare.cost_s(), usable_cores())


if __name__ == "__main__":
    sys.exit(main())
