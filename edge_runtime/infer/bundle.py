"""A model bundle: one folder with everything that the runtime must know about one model.

    model.onnx        manifest.toml     labels.txt        golden.npz                        MODEL_CARD.md
    what is run       how to feed it    its classes       inputs, and the outputs expected  for people

Loading a bundle is light: no ONNX library is imported; what stands in model.onnx is looked at when a session is opened (safety.py, session.py).
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import edge_runtime
from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer.archive import SUFFIXES, unpacked
from edge_runtime.infer.manifestfile import read_labels, read_manifest
from edge_runtime.infer.modelfile import sha256_of
from edge_runtime.manifest import Manifest

if TYPE_CHECKING:
    from edge_runtime.infer.engine import Engine

MODEL, MANIFEST, LABELS, CARD = "model.onnx", "manifest.toml", "labels.txt", "MODEL_CARD.md"
MAX_GOLDEN_BYTES = 1 << 28
GOLDEN_LIMIT_S = 120.0  # one inference on a slow board that does other things too
SEARCH_PATH = "EDGE_RUNTIME_MODELS"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One folder, read and found sound."""

    folder: Path
    manifest: Manifest
    model_path: Path


def find_bundle(name_or_path: str | Path, base: Path) -> Path:
    """The bundle's folder: a path (relative to `base`), a .tar.gz of one, or a name that is looked up on the model path.

    Raises BundleError, saying where it looked; CannotStart when an archive cannot be unpacked into the cache.
    """
    named = Path(name_or_path).expanduser()
    places = [folder / named for folder in search_path(base)] if len(named.parts) == 1 else [base / named]
    namesakes = []  # folders of that name which are no bundles hide none that lies farther away
    for place in places:
        if (place / MANIFEST).is_file():
            return place
        if place.is_dir():
            namesakes.append(place)
        if place.is_file():
            if place.name.endswith(SUFFIXES):
                return unpacked(place)
            hint = f"wrap it first: edge-runtime models adopt {place} --out FOLDER" if place.suffix == ".onnx" else "expected a folder or a .tar.gz"
            raise BundleError(f"{place}: a file, no bundle: {hint}")
    if namesakes:
        return namesakes[0]  # `load_bundle` says what it lacks
    raise BundleError(f"no bundle {str(name_or_path)!r}: looked at {', '.join(str(place) for place in places)}")


def search_path(base: Path) -> list[Path]:
    """The model path, where names of bundles are looked up, the nearest first: the config's folder (`base`) and `models` in it,
    the folders in EDGE_RUNTIME_MODELS, and the models that came with the package.
    """
    named = [Path(folder).expanduser() for folder in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if folder]
    places = [base, base / "models", *named, shipped_models()]
    nearest: dict[Path, Path] = {}
    for place in places:
        nearest.setdefault(place.resolve(), place)  # one folder may be named twice
    return list(nearest.values())


def shipped_models() -> Path:
    """The models of this version: inside the package as it is installed, beside it in a checkout."""
    package = Path(edge_runtime.__file__).resolve().parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def load_bundle(folder: Path) -> Bundle:
    """Read the manifest and the labels, and check that model.onnx is the file that they were written for.

    Raises BundleError, with every problem of the manifest.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder: expected a bundle ({MANIFEST}, {MODEL}, {LABELS})")
    manifest = read_manifest(folder / MANIFEST, str(folder / MANIFEST))
    manifest = replace(manifest, labels=read_labels(folder / LABELS, str(folder / LABELS)))
    model_path = folder / MODEL
    digest = sha256_of(model_path)
    if digest != manifest.sha256:
        raise BundleError(
            f"{model_path}: not the model that {MANIFEST} describes: sha256 {manifest.sha256[:12]}… expected, {digest[:12]}… found; "
            "restore the file, or adopt the new one"
        )
    if manifest.golden is not None and not (folder / manifest.golden.file).is_file():
        raise BundleError(f"{folder / manifest.golden.file}: missing, though {MANIFEST} names it under [golden]")
    return Bundle(folder, manifest, model_path)


def put_in_place(folder: Path, out: Path) -> None:
    """Rename a finished bundle to `out`. What was there comes to lie beside the finished one, in a folder that the caller throws away.

    Raises CannotStart when that fails: then `out` is what it was, or, where something else took its place meanwhile, what it was is kept beside it.
    """
    before = folder.with_name(f"{out.name}.before")
    try:
        if out.exists():
            out.rename(before)
        folder.rename(out)
    except OSError as error:
        kept = _put_back(before, out)
        raise CannotStart(f"{out}: the finished bundle cannot be put there: {error.strerror}{kept}") from None


def _put_back(before: Path, out: Path) -> str:
    """What the error adds where that cannot be done."""
    if not before.exists():
        return ""
    try:
        before.rename(out)
    except OSError:
        aside = before.rename(tempfile.mkdtemp(dir=out.parent, prefix=f"{before.name}-"))
        return f"; what was there is kept as {aside}"
    return ""


def verify_golden(bundle: Bundle, engine: Engine) -> float:
    """Run the bundle's golden inputs here and return the largest absolute difference; 0.0 for a bundle without.

    Raises BundleError when it is beyond the manifest's tolerance, or what is stored does not fit the model; CannotStart when no answer comes.
    """
    golden = bundle.manifest.golden
    if golden is None:
        return 0.0
    file = bundle.folder / golden.file
    data, expected = _read_golden(file, bundle.manifest.inputs[0].name)
    try:
        found = engine.submit(data).result(GOLDEN_LIMIT_S)
    except FutureTimeout:
        raise CannotStart(f"{bundle.manifest.identity}: one inference did not end within {GOLDEN_LIMIT_S:.0f} s on this machine") from None
    difference = largest_difference(found, expected, str(file))
    if not difference <= golden.atol:  # NaN is beyond every tolerance
        raise BundleError(
            f"{bundle.manifest.identity}: on this machine its outputs differ by {difference:.3g} from {file}, more than atol = {golden.atol:g} "
            "allows: this provider or library computes something else; try another provider, or ask whoever made the bundle"
        )
    return difference


def largest_difference(found: Sequence[NDArray[Any]], expected: Sequence[NDArray[Any]], shown: str) -> float:
    """Over all outputs; NaN where only one of the two is. Raises BundleError when number or shapes differ."""
    if [each.shape for each in found] != [each.shape for each in expected]:
        raise BundleError(f"{shown}: holds outputs {[each.shape for each in expected]}, the model makes {[each.shape for each in found]}")
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            difference = np.where(same, 0.0, np.abs(ours.astype(np.float64) - theirs.astype(np.float64)))
        worst = float(np.maximum(worst, np.max(difference, initial=0.0)))  # NaN stays
    return worst


def write_golden(file: Path, name: str, data: NDArray[Any], outputs: Sequence[NDArray[Any]]) -> None:
    """golden.npz: `input.<name>`, and `output.0`, `output.1` … in the model's order."""
    arrays: dict[str, Any] = {f"input.{name}": data, **{f"output.{index}": output for index, output in enumerate(outputs)}}
    np.savez_compressed(file, **arrays)


def _read_golden(file: Path, name: str) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_GOLDEN_BYTES:
            raise BundleError(f"{file}: {size:,} bytes unpacked: expected at most {MAX_GOLDEN_BYTES:,}")
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise BundleError(f"{file}: no readable .npz: {error}") from None
    outputs = sorted((key for key in arrays if key.startswith("output.")), key=lambda key: (len(key), key))
    if f"input.{name}" not in arrays or not outputs:
        raise BundleError(f"{file}: expected arrays input.{name} and output.0 …, found {', '.join(sorted(arrays)) or 'none'}")
    return arrays[f"input.{name}"], [arrays[key] for key in outputs]
