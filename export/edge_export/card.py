"""MODEL_CARD.md, written from what lies in a bundle's folder, and from nothing else: whoever doubts a number runs the command beside it.

    manifest.toml model.onnx    what it is                          about.toml                    what only people know
    recipe.toml training.jsonl  how it was made                     parity.json evaluation.json   what was measured, of this very model

Numbers of another model (by checksum) are left out, and the card says which command makes them anew. What is missing is said to be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_export import plots
from edge_export.about import Prose, read_about
from edge_export.errors import ExportError
from edge_export.street.recipe import FIRST_SEED
from edge_export.tables import number, percent, table
from edge_runtime.infer.anatomy import Anatomy, examine
from edge_runtime.infer.bundle import CARD, Bundle, load_bundle
from edge_runtime.types import Json

ABOUT, PARITY, EVALUATION, RECIPE, LOG = "about.toml", "parity.json", "evaluation.json", "recipe.toml", "training.jsonl"
FAILURES, CURVE, PRECISION, RECALL = "failures.jpg", "training.png", "precision.png", "recall.png"


def write_card(folder: Path) -> Path:
    """The card and its figures. Raises BundleError for a folder that is no bundle, ExportError when a file in it cannot be read."""
    bundle = load_bundle(folder)
    anatomy = examine(bundle.model_path)
    prose = read_about(folder / ABOUT).prose if (folder / ABOUT).is_file() else Prose()
    parts = [
        _head(bundle, anatomy, prose),
        _numbers(folder, bundle, _measured(folder, EVALUATION, bundle)),
        _parity(_measured(folder, PARITY, bundle)),
        _training(folder),
        _words(prose),
    ]
    text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")
    return folder / CARD


def _measured(folder: Path, name: str, bundle: Bundle) -> Json:
    """A report about this very model; None where there is none, or one of another."""
    if not (folder / name).is_file():
        return None
    report = _read(folder / name)
    model = report.get("model") or report["models"][0]["model"]
    return report if model == bundle.manifest.sha256 else None


def _read(file: Path) -> Json:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{file}: no readable JSON: {error}; make it anew, or take it away") from None


def _head(bundle: Bundle, anatomy: Anatomy, prose: Prose) -> list[str]:
    manifest, image = bundle.manifest, bundle.manifest.inputs[0]
    size_kb, operators = anatomy.size_bytes / 1000, sum(anatomy.operators.values())
    facts = [
        ("task, family", f"{manifest.task}, {manifest.family}"),
        ("classes", ", ".join(manifest.labels)),
        ("input", f"`{image.name}` {list(anatomy.inputs[0].shape)} {image.dtype}, {image.color}, {image.resize} {image.align}, pad {image.pad}"),
        ("model.onnx", f"{size_kb:,.0f} kB, {anatomy.parameters:,} parameters, {operators} operators, opset {anatomy.opsets.get('ai.onnx', '?')}"),
        ("sha256", f"`{manifest.sha256}`"),
        ("licence", f"{manifest.licence} (LICENSE)"),
        ("source", manifest.source),
    ]
    return [f"# {manifest.name} {manifest.version}", "", *([prose.summary, ""] if prose.summary else []), *table(("", ""), facts)]


def _numbers(folder: Path, bundle: Bundle, report: Json) -> list[str]:
    command = _command(bundle, report)
    lines = ["## Accuracy and speed", ""]
    if report is None:
        return [*lines, "Not measured yet. This command does it:", "", "```", command, "```"]
    rules = report["rules"]
    lines += [
        f"Measured by `{command}`: every model on the same pictures, through the runtime's own preprocessing, session and decoding, one thread. "
        f"Each cell: AP50 (area under all points, overlap {rules['iou']:g}) · recall · precision at score {rules['score']:g}. Objects lower than "
        f"{rules['least_height_px']:g} px, and simulated ones of which less than {percent(rules['least_visibility'])} is seen, are neither demanded "
        "nor forbidden; so are classes that a set does not label.",
        "",
        *_speed(report),
    ]
    for source, rows in sorted(report["rows"].items(), reverse=True):
        lines += ["", f"### {_SOURCES[source]} ({report['pictures'][source]} pictures)", "", *_rows(report, rows)]
        lines += ["", _REMARKS[source]]
    plots.precision_recall(report, folder / PRECISION)
    plots.recall_by_height(report, folder / RECALL)
    lines += ["", f"![Precision over recall, any vehicle]({PRECISION})", "", f"![Recall by height, any vehicle]({RECALL})"]
    if (folder / FAILURES).is_file():
        remark = f"Simulated pictures with most faults; amber was missed, magenta is false. `{_failing(bundle)}` draws "
        lines += [
            "",
            "### Where it fails",
            "",
            f"{remark}those of photographs, which are not ours to spread.",
            "",
            f"![The simulated pictures]({FAILURES})",
        ]
    return lines


_SOURCES = {"street": "Held-out photographs", "simulated": "Simulated streets"}
_REMARKS = {
    "street": "None of these pictures was trained on, nor was any other of two whole sessions among them; night is split by picture. Pictures in "
    "which YOLOX-nano found a vehicle that was not labelled had been left out of this selection, which favours YOLOX-nano. “bus” includes minivans "
    "in the toll-road set.",
    "simulated": f"Seeds from 1; training used seeds from {FIRST_SEED}: the same scenes, other traffic. A detector that never saw simulated "
    "pictures is at a disadvantage here: these rows show what this model makes of known truth, not which one is better on a real street. A rider "
    "counts as the two-wheeler; a person found on one is not counted as false.",
}


def _command(bundle: Bundle, report: Json) -> str:
    """What measured `report`, or would measure it."""
    folder = f"models/{bundle.manifest.name}"
    if report is None:
        return f"edge-export evaluate {folder} --data STREETS --simulated 240 --json {folder}/{EVALUATION}"
    against = "".join(f" --against {model['given']}" for model in report["models"][1:])
    sources = "".join(" --data STREETS" if source == "street" else _simulated(report, count) for source, count in report["pictures"].items())
    return f"edge-export evaluate {folder}{against}{sources} --json {folder}/{EVALUATION}"


def _simulated(report: Json, count: int) -> str:
    if "simulated_size" not in report:
        raise ExportError(f"{EVALUATION}: does not say how large its simulated pictures are: measure anew")
    width, height = report["simulated_size"]
    return f" --simulated {count} --simulated-size {width}x{height}"


def _failing(bundle: Bundle) -> str:
    return f"edge-export evaluate models/{bundle.manifest.name} --data STREETS --failures DIR"


def _speed(report: Json) -> list[str]:
    if report["speed"] is None:
        return []
    rows = []
    for model, speed in zip(report["models"], report["speed"]["models"], strict=True):
        width, height = model["input"]
        size = (f"{width}×{height}", f"{model['parameters']:,}", f"{model['bytes'] / 1000:,.0f}")
        times = (f"{speed['inference_ms']:.2f}", f"{speed['walk_ms']:.2f}", f"{speed['inference_ratio']:.2f}", f"{speed['walk_ratio']:.2f}")
        rows.append((f"{model['name']} {model['version']}", *size, *times))
    head = ("model", "input", "parameters", "kB", "inference, ms", f"walk from {report['speed']['frame']}, ms", "ratio", "walk, ratio")
    machine = report["machine"]
    return [
        *table(head, rows),
        "",
        f"In turns on one thread, medians; {machine['processor']}, ONNX Runtime {machine['onnxruntime']}. Ratios travel, milliseconds do not.",
    ]


def _rows(report: Json, rows: Sequence[Json]) -> list[str]:
    head = ("what", "where", "pictures", "objects", *(model["name"] for model in report["models"]))
    body = []
    for row in rows:
        cells = (" · ".join(number(each[key]) for key in ("ap50", "recall", "precision")) for each in row["models"])
        body.append((row["what"], row["where"], str(row["pictures"]), str(row["truths"]), *cells))
    return table(head, body)


def _parity(report: Json) -> list[str]:
    lines = ["## Parity with the framework", ""]
    if report is None:
        return [*lines, "Not proven for this file: `edge-export parity NETWORK.keras DIR --images DIR --json DIR/parity.json` does it."]
    raw = report["raw"]
    rows = [("raw outputs, Keras against ONNX Runtime", "", f"{raw['largest']:.1e}", f"{raw['limit']:g}")]
    for row in report["device"]:
        for key, unit in (("box_px", "boxes, px"), ("score", "scores")):
            limit = f"{row['limits'][key]:g}" if row["limits"] else "shown only"
            rows.append((f"{row['what']}: {unit}", str(row["detections"]), f"{row['median_p99_max'][key][2]:.1e}", limit))
    head = ("compared", "detections", "largest difference", "limit")
    remark = f"On {report['pictures']} pictures; a bundle is written only when every limit holds. The last two rows compare with colours made before "
    return [*lines, f"{remark}resizing instead of after, as scripts usually do.", "", *table(head, rows)]


def _training(folder: Path) -> list[str]:
    lines = ["## Training", ""]
    if not (folder / RECIPE).is_file():
        return []
    import tomlkit

    recipe = tomlkit.parse((folder / RECIPE).read_text(encoding="utf-8")).unwrap()
    lines += [f"`edge-export train street --recipe {RECIPE} --data STREETS --out DIR`, every number in [{RECIPE}]({RECIPE}).", ""]
    phases = [
        (each["name"], f"{each['steps']:,}", str(each["batch"]), percent(each["simulated"]), f"{each['rate']:g} → {each['last_rate']:g}")
        for each in recipe.get("phases", [])
    ]
    lines += table(("phase", "steps", "batch", "simulated pictures", "learning rate"), phases)
    if (folder / LOG).is_file():
        rows = list(_log(folder / LOG))
        plots.training(rows, folder / CURVE)
        seconds = _seconds(rows)
        lines += ["", f"Seed {recipe.get('seed')}, {seconds / 60:.0f} minutes.", "", f"![Loss and AP50 over steps]({CURVE})"]
    return lines


def _seconds(rows: Sequence[Json]) -> float:
    """How long it took; the clock of a training that was resumed begins anew."""
    taken = [0.0, *(float(row["seconds"]) for row in rows)]
    return sum(before for before, after in zip(taken, [*taken[1:], 0.0], strict=True) if after < before)


def _log(file: Path) -> Iterator[Json]:
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError as error:
            raise ExportError(f"{file}: no line of JSON: {line[:60]!r}: {error}") from None


def _words(prose: Prose) -> list[str]:
    lines: list[str] = []
    for title, entries in (("Intended use", prose.intended), ("Limits", prose.limits), ("People", prose.ethics)):
        if entries:
            lines += [f"## {title}", "", *(f"- {each}" for each in entries), ""]
    if prose.data:
        rows = [(each.name, each.what, each.source, each.licence) for each in prose.data]
        lines += ["## Data", "", *table(("set", "what", "source", "licence"), rows), ""]
    return lines[:-1]
