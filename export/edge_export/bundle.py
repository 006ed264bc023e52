"""A bundle from a trained network: converted, proven, described, and only then in its place.

    network.keras, about.toml ─► convert ─► parity ─┬─ violated: nothing is written, exit 2
                                                    └─ kept: model.onnx manifest.toml labels.txt golden.npz about.toml parity.json MODEL_CARD.md
                                                             ─► loaded and run as the daemon does ─► renamed into place

The folder appears whole or not at all. Files that lay in it beside the bundle's own (the recipe, the log of the training) are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_export.about import About
from edge_export.card import ABOUT, PARITY, write_card
from edge_export.convert import INPUT, Conversion, convert
from edge_export.errors import ExportError, ParityError
from edge_export.framework import Network
from edge_export.parity import Report, Subject
from edge_export.plain import content_size, place
from edge_runtime.infer.bundle import LABELS, MANIFEST, MODEL, largest_difference, load_bundle, put_in_place, write_golden
from edge_runtime.infer.manifestfile import write_manifest
from edge_runtime.infer.session import open_session
from edge_runtime.types import Size

LICENCE = "LICENSE"

_LEVELS = 16  # between two shades of the golden picture: coarse shades pack into a tenth of the bytes and try every weight all the same


def prepared(network: Network, about: About) -> tuple[Conversion, Subject]:
    """Convert, and put everything side by side that parity compares. Raises ExportError when labels and network disagree."""
    made = convert(network, about.family)
    if made.classes != len(about.labels):
        raise ExportError(f"{network.path}: tells {made.classes} classes apart, about.toml names {len(about.labels)}: {', '.join(about.labels)}")
    manifest = about.manifest(INPUT, made.size, hashlib.sha256(made.data).hexdigest())
    return made, Subject(network, about, made.data, manifest)


def require_parity(report: Report) -> None:
    """Raises ParityError with everything that is beyond the limits."""
    if report.problems:
        raise ParityError("parity is violated, nothing is written:\n" + "\n".join(f"  {problem}" for problem in report.problems))


def require_room(out: Path, *, force: bool) -> None:
    """Raises ExportError when `out` holds a bundle already, or is something else than a folder."""
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out}: a file: expected a folder, or none yet")
    if (out / MANIFEST).exists() and not force:
        raise ExportError(f"{out}: holds a bundle already: name another folder, or replace it with --force")


def write_bundle(subject: Subject, report: Report, about_file: Path, licence: Path, out: Path) -> Path:
    """Write the bundle into `out`.

    Raises ParityError for a report with problems, ExportError when the files written do not compute the same, CannotStart when they cannot be put in
    place.
    """
    require_parity(report)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundling-") as scratch:
        folder = Path(scratch) / "bundle"
        if out.is_dir():
            shutil.copytree(out, folder)
        else:
            folder.mkdir()
        tensor = golden_tensor(subject)
        answer = subject.network(tensor)
        (folder / MODEL).write_bytes(subject.data)
        (folder / LABELS).write_text("".join(f"{label}\n" for label in subject.manifest.labels), encoding="utf-8")
        (folder / MANIFEST).write_text(write_manifest(subject.manifest), encoding="utf-8")
        (folder / PARITY).write_text(json.dumps({"model": subject.manifest.sha256, **report.as_json()}, indent=1) + "\n", encoding="utf-8")
        for source, name in ((about_file, ABOUT), (licence, LICENCE)):
            if not (folder / name).exists() or source.read_bytes() != (folder / name).read_bytes():
                shutil.copyfile(source, folder / name)
        assert subject.manifest.golden is not None  # about.py names one
        write_golden(folder / subject.manifest.golden.file, INPUT, tensor, [answer])
        _require_same(folder, tensor, answer)
        write_card(folder)
        put_in_place(folder, out)
    return out


def golden_tensor(subject: Subject) -> NDArray[np.float32]:
    """A picture as the network expects it: seeded blocks of colour, large ones and small ones, in a few shades so that they pack well."""
    image = subject.manifest.inputs[0]
    size: Size = content_size(image.size, image)
    rng = np.random.default_rng(20)
    picture = np.zeros((size.height, size.width, 3))
    for cell in (64, 16, 4):
        blocks = rng.integers(0, 256, (-(-size.height // cell), -(-size.width // cell), 3))
        picture += blocks.repeat(cell, 0).repeat(cell, 1)[: size.height, : size.width] / 3
    return place(np.rint(picture / _LEVELS) * _LEVELS, image).tensor


def _require_same(folder: Path, tensor: NDArray[np.float32], answer: NDArray[np.float32]) -> None:
    """Load what was written as the daemon would, and run it. Raises ExportError when it differs from the framework."""
    bundle = load_bundle(folder)
    found = open_session(bundle.model_path, bundle.manifest, ("cpu",), 1).run(None, {INPUT: tensor})
    assert bundle.manifest.golden is not None
    difference = largest_difference(found, [answer], str(folder))
    if not difference <= bundle.manifest.golden.atol:
        raise ExportError(f"{bundle.manifest.identity}: its golden outputs differ from the framework's by {difference:.3g}: convert it again")
