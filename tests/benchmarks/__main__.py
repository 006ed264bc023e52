"""Every figure of the project, with its target: `python -m tests.benchmarks` (make bench does this). Writes bench.json.

    stages      what each stage of the walk costs, alone on one thread
    walk        limit · usual script (three ways) · replay, in turns: A B C D E, A B C D E …
    kernels     planes to tensor, and outputs to boxes, against what people write, in turns
    drawing     a simulated street, against decoding the same pictures
    spool       messages stored a second, against SQLite alone
    start       --help, and the package's import
    daemon      start to ready, and memory with one live camera

Times of one thread are CPU times. Frames a second are wall time of the whole machine: nothing else should run meanwhile, and how much
did is one of the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime import measure
from edge_runtime.runtime.measure import Spread, alternate
from tests.benchmarks import drawing, footprint, prepare, process, spool
from tests.benchmarks.street import LINE, Street, street
from tests.benchmarks.table import Row, Section, show, write

OF_LIMIT, OVER_USUAL, TENSOR_RATIO, BOXES_RATIO = 0.80, 1.5, 2.5, 5.0
HELP_S = 0.3
USUAL = {
    "as people write it": (),
    "1 thread, no spinning": ("--threads", "1", "--no-spin"),
    "2 threads, no spinning": ("--threads", "2", "--no-spin"),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, in turns (default 5)")
    parser.add_argument("--only", nargs="+", choices=[*SECTIONS], default=[*SECTIONS], help="some of the sections")
    parser.add_argument("--out", type=Path, default=process.ROOT / "bench.json", help="where the figures go (default bench.json)")
    args = parser.parse_args(argv)
    sections = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, street(Path(folder)) as place:
        for name in args.only:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            sections.append(SECTIONS[name](place, args.rounds))
    show(sections)
    write(args.out, sections)
    print(f"written: {args.out}")
    return 0


def stages(place: Street, rounds: int) -> Section:
    """CPU time a frame by stage."""
    camera = _camera(place)
    from edge_runtime.infer.bundle import load_bundle

    bundle = load_bundle(place.bundle)
    measured = [measure.stage_times_s(camera, bundle, 200) for _ in range(rounds)]
    rows = [Row(stage, "ms", Spread.of([1000 * times[stage] for times in measured])) for stage in measure.STAGES]
    rows.append(Row("together", "ms", Spread.of([1000 * sum(times.values()) for times in measured])))
    return Section("stages", "CPU a frame on one thread, 1080p H.264, YOLOX-nano 416", rows)


def walk(place: Street, rounds: int) -> Section:
    """The limit, the usual script and the replay, in turns."""
    config = place.config("replay")
    _replay(config)  # compiles the kernels where that was never done
    runs = alternate(rounds, lambda: _limit(place), *[_usual(place, words) for words in USUAL.values()], lambda: _replay(config))
    limits, usuals, replays = runs[0], runs[1:-1], runs[-1]

    def figure(name: str, unit: str, of: Sequence[dict[str, Any]], key: str) -> Row:
        return Row(name, unit, Spread.of([run[key] for run in of]))

    best_usual = [max(run["fps"] for run in turn) for turn in zip(*usuals, strict=True)]
    rows = [
        figure("limit", "frames/s", limits, "fps"),
        figure("  bare decoding, CPU", "ms", limits, "decode_ms"),
        figure("  bare inference, CPU", "ms", limits, "infer_ms"),
        *[figure(f"usual script, {way}", "frames/s", runs, "fps") for way, runs in zip(USUAL, usuals, strict=True)],
        *[figure(f"  {way}, CPU", "ms", runs, "cpu_ms") for way, runs in zip(USUAL, usuals, strict=True)],
        figure("replay", "frames/s", replays, "frames_per_s"),
        figure("  CPU", "ms", replays, "cpu_ms"),
        figure("  start-up before its first frame", "s", replays, "startup_s"),
        _ratio("replay ÷ limit", replays, [run["fps"] for run in limits], OF_LIMIT),
        _ratio("replay ÷ usual script, as people write it", replays, [run["fps"] for run in usuals[0]], OVER_USUAL),
        _ratio("replay ÷ usual script, its best way", replays, best_usual, None),
        Row("replay, CPU ÷ bare CPU", "", Spread.of([a["cpu_ms"] / (b["decode_ms"] + b["infer_ms"]) for a, b in zip(replays, limits, strict=True)])),
        figure("other processes during the replay", "cores", replays, "others"),
        figure("other processes during the usual script", "cores", usuals[0], "others"),
    ]
    return Section("walk", f"{place.clip.name}, all {replays[0]['frames']} frames, YOLOX-nano 416, after start-up", rows)


def kernels(place: Street, rounds: int) -> Section:
    """Preprocessing and decoding against what people write."""
    rows = []
    for turn in zip(*[prepare.measure() for _ in range(rounds)], strict=True):
        rows.append(Row(f"planes to tensor, {turn[0].tensor}", "µs", Spread.of([timing.ours_us for timing in turn])))
        rows.append(Row("  usual chain ÷ ours", "", Spread.of([timing.ratio for timing in turn]), TENSOR_RATIO))
    rows.append(Row("motion gate, beside the tensor", "µs", Spread.of([prepare.measure_gate() for _ in range(rounds)])))
    decoded = [json.loads(process.run(["-m", "tests.benchmarks.decode", "--json"]).out) for _ in range(rounds)]
    rows.append(Row("outputs to boxes", "µs", Spread.of([1000 * run["ms"]["ours"] for run in decoded])))
    for way, name in (("vector", "careful NumPy"), ("demo", "the model's demo code")):
        rows.append(Row(f"  {name} ÷ ours", "", Spread.of([run["ratio"][way] for run in decoded]), BOXES_RATIO))
    return Section("kernels", "CPU on one thread, in turns with the usual ways", rows)


def drawn(place: Street, rounds: int) -> Section:
    """What the simulated street costs."""
    return drawing.section(place.folder, rounds)


def stored(place: Street, rounds: int) -> Section:
    """What group commit gives."""
    return spool.section(place.folder, rounds)


def start(place: Street, rounds: int) -> Section:
    """What a person at a prompt waits for."""
    runs = alternate(rounds, lambda: process.run(["-m", "edge_runtime", "--help"]), lambda: process.run(["-c", "import edge_runtime"]))
    rows = [
        Row("edge-runtime --help", "s", Spread.of([run.wall_s for run in runs[0]]), HELP_S, "at most"),
        Row("import edge_runtime", "s", Spread.of([run.wall_s for run in runs[1]])),
    ]
    return Section("start", "wall time of the whole process", rows)


def daemon(place: Street, rounds: int) -> Section:
    """Readiness and memory."""
    return footprint.section(place, rounds)


SECTIONS: dict[str, Callable[[Street, int], Section]] = {
    "stages": stages,
    "walk": walk,
    "kernels": kernels,
    "drawing": drawn,
    "spool": stored,
    "start": start,
    "daemon": daemon,
}


def _camera(place: Street) -> CameraConfig:
    from edge_runtime.config.load import load

    return load(place.config("stages"), ()).config.camera[0]


def _limit(place: Street) -> dict[str, Any]:
    return dict(json.loads(process.run(["-m", "tests.benchmarks.limit", str(place.clip), str(place.bundle)]).out))


def _usual(place: Street, words: Sequence[str]) -> Callable[[], dict[str, Any]]:
    line = [str(value) for value in LINE]
    command = ["-m", "tests.benchmarks.usual", str(place.clip), str(place.model), "--line", *line, "--broker", place.broker, *words]

    def measured() -> dict[str, Any]:
        done = process.run(command)
        return {"others": done.others, **json.loads(done.out)}

    return measured


def _replay(config: Path) -> dict[str, Any]:
    done = process.run(["-m", "edge_runtime", "replay", "--config", str(config), "--json", "--out", str(config.parent / "events.jsonl")])
    summary = json.loads(done.err.splitlines()[-1])
    return {"others": done.others, "startup_s": summary["startup_s"], **summary["cameras"][0]}


def _ratio(name: str, replays: Sequence[dict[str, Any]], others: Sequence[float], target: float | None) -> Row:
    return Row(name, "", Spread.of([run["frames_per_s"] / other for run, other in zip(replays, others, strict=True)]), target)


if __name__ == "__main__":
    sys.exit(main())
