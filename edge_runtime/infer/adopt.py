"""Adopting: an .onnx file from somewhere becomes a bundle that says everything about itself.

    read ─► safe? ─► repair ─► families from the shapes ─► run on seeded noise ─► the one that decodes such numbers ─► write ─► prove

What is repaired: initializers that are graph inputs too (they block constant folding), an open batch (fixed to 1), open sizes (`size`; of outputs, as
they turn out), a second input for the size that boxes are scaled to (made a constant: the tensor's own). A file that needs none of it is kept as it
is, byte for byte. What nobody can read from a file is how pictures must be prepared for it: the family's usual way is written into the manifest, and
the model card says so.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode import DECODERS, family_of
from edge_runtime.errors import BundleError
from edge_runtime.infer.anatomy import Anatomy, Guess, describe, image_of, is_target_size, port_of
from edge_runtime.infer.bundle import CARD, LABELS, MANIFEST, MODEL, largest_difference, load_bundle, put_in_place, write_golden
from edge_runtime.infer.card import model_card
from edge_runtime.infer.manifestfile import VERSION_PATTERN, read_labels, write_manifest
from edge_runtime.infer.modelfile import read_model
from edge_runtime.infer.safety import parse_model, problems_in, shape_of, walk
from edge_runtime.infer.session import bare_session, input_shape, open_session
from edge_runtime.manifest import Dtype, Golden, ImageInput, Manifest
from edge_runtime.options import ID_PATTERN
from edge_runtime.types import Size

UNKNOWN = "unknown"
SHIPPED_LABELS = {"coco80": Path(__file__).parent / "labels" / "coco80.txt"}

_COUNTING = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})  # operators whose answer is as long as what they find
_NOISE_CELL = 16  # pixels: blocks of one value look more like a picture than noise of single pixels, and pack well


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person who adopts knows, or wants otherwise. None: worked out from the file."""

    family: str | None = None
    labels: str | None = None  # a name in SHIPPED_LABELS, or a file with one label a line
    size: Size | None = None  # for a model whose size is open
    name: str | None = None
    version: str = "1.0.0"
    licence: str = UNKNOWN
    source: str = UNKNOWN
    force: bool = False


def adopt(model: Path, out: Path, choices: Choices | None = None) -> Path:
    """Make a bundle in the folder `out`, which must not exist unless `force`; the folder appears whole or not at all. Returns it.

    Raises BundleError when the file is unsafe, of no known family, or lacks what only a person can say (and then says how to); CannotStart when the
    folder cannot be put there.
    """
    choices = choices or Choices()
    _require_sound(choices)
    _require_free(out, force=choices.force)
    data, anatomy = repaired(read_model(model), str(model), choices.size)
    tried = _tried(anatomy, choices.family, bare_session(data, str(model), ("cpu",), 1))
    manifest = Manifest(
        name=choices.name or _slug(model.stem),
        version=choices.version,
        task="detect",
        family=tried.family,
        licence=choices.licence,
        source=choices.source,
        sha256=hashlib.sha256(data).hexdigest(),
        inputs=(tried.image,),
        labels=_labels(choices.labels, tried.classes),
        thresholds=family_of(tried.family).usual_thresholds(),
        golden=Golden(),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".adopting-") as scratch:
        folder = Path(scratch) / out.name
        _write(folder, data, manifest, anatomy, (tried.tensor, tried.outputs))
        _prove(folder, tried.tensor, tried.outputs)
        put_in_place(folder, out)
    return out


def repaired(data: bytes, shown: str, size: Size | None = None) -> tuple[bytes, Anatomy]:
    """The model with every size fixed and no initializer among its inputs, and what is in it. Raises BundleError when it is unsafe."""
    model = parse_model(data, shown)
    problems = problems_in(model)
    if problems:
        raise BundleError(f"{shown}: refused: " + "; ".join(problems))
    before = model.SerializeToString(deterministic=True)
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name not in stored]
    sizes = [value for value in kept if is_target_size(port_of(value))]
    pictures = [value for value in kept if not is_target_size(port_of(value))]
    if len(pictures) != 1 or len(sizes) > 1:
        raise BundleError(f"{shown}: {len(kept)} inputs ({', '.join(value.name for value in kept)}): expected one, a picture")
    del graph.input[:]
    graph.input.extend(pictures)
    resized = _fix_input(graph.input[0], size, shown)
    for value in sizes:
        graph.initializer.append(_target_size(value, graph.input[0]))
    if resized or _needlessly_open(graph):
        del graph.value_info[:]  # sizes in between were written for an open one
        data = _with_fixed_outputs(model, shown)
    elif model.SerializeToString(deterministic=True) != before:
        data = model.SerializeToString(deterministic=True)
    return data, describe(parse_model(data, shown), shown, data)


def _target_size(value: Any, picture: Any) -> Any:
    """Width and height of the picture's tensor, in place of the input that would say them. Raises BundleError while they are open."""
    from onnx import numpy_helper

    width, height = image_of(port_of(picture))[0]
    return numpy_helper.from_array(np.array([[width, height]], port_of(value).dtype), value.name)


def noise(image: ImageInput) -> NDArray[Any]:
    """A tensor made of seeded grey-to-coloured blocks, prepared as `image` says: the same bytes everywhere."""
    _, channels, height, width = input_shape(replace(image, layout="NCHW"))
    cells = np.random.default_rng(20).integers(0, 256, (channels, -(-height // _NOISE_CELL), -(-width // _NOISE_CELL)))
    picture = cells.repeat(_NOISE_CELL, 1).repeat(_NOISE_CELL, 2)[:, :height, :width].astype(np.float64)
    mean, std = (np.array(each).reshape(3, 1, 1) for each in (image.mean, image.std))
    tensor = ((picture * image.scale - mean) / std)[None]
    return np.ascontiguousarray(tensor if image.layout == "NCHW" else tensor.transpose(0, 2, 3, 1), image.dtype)


def _fix_input(value: Any, size: Size | None, shown: str) -> bool:
    """Write batch 1 and `size` into an input's open dimensions. Whether anything was open. Raises BundleError when `size` contradicts it."""
    sides = value.type.tensor_type.shape.dim
    if len(sides) != 4:
        return False  # no picture: said later, when its family is looked for
    rows = 1 if sides[3].dim_value == 3 and sides[1].dim_value != 3 else 2
    wanted = {0: 1, **({rows: size.height, rows + 1: size.width} if size is not None else {})}
    changed = False
    for axis, side in wanted.items():
        if sides[axis].dim_value > 0 and sides[axis].dim_value != side:
            raise BundleError(
                f"{shown}: its input is fixed to {[each.dim_value for each in sides]}, not {side} on axis {axis}: export it for that size"
            )
        changed |= sides[axis].dim_value != side
        sides[axis].dim_value = side
    return changed


def _needlessly_open(graph: Any) -> bool:
    """Whether an output's size is declared open, though the input's tells it."""
    counting = any(node.op_type in _COUNTING for node in walk(graph))
    return not counting and any(isinstance(side, str) for output in graph.output for side in shape_of(output) or ())


def _with_fixed_outputs(model: Any, shown: str) -> bytes:
    """The serialised model, its outputs declared as large as they really are: found by running it.

    Where operators make as many rows as they find, sides that are open stay open: another picture gives another number.
    """
    value = model.graph.input[0]
    sides = [side.dim_value for side in value.type.tensor_type.shape.dim]
    if not all(side > 0 for side in sides):
        raise BundleError(f"{shown}: input {value.name!r} has an open size: say which one with --size WxH")
    counting = any(node.op_type in _COUNTING for node in walk(model.graph))
    declared = [shape_of(output) or () for output in model.graph.output]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    session = bare_session(model.SerializeToString(deterministic=True), shown, ("cpu",), 1)
    dtype = {"tensor(uint8)": np.uint8, "tensor(float16)": np.float16}.get(session.get_inputs()[0].type, np.float32)
    found = session.run(None, {value.name: np.zeros(sides, dtype)})
    for output, before, array in zip(model.graph.output, declared, found, strict=True):
        for axis, side in enumerate(array.shape):
            still_open = counting and axis < len(before) and isinstance(before[axis], str)
            output.type.tensor_type.shape.dim.add(**({"dim_param": before[axis]} if still_open else {"dim_value": side}))
    fixed: bytes = model.SerializeToString(deterministic=True)
    return fixed


@dataclass(frozen=True, slots=True)
class _Tried:
    """A family whose shapes a model has and whose numbers it gave, once: its input as that family prepares it, and what came out."""

    family: str
    classes: int | None
    image: ImageInput
    tensor: NDArray[Any]
    outputs: list[NDArray[Any]]


def _tried(anatomy: Anatomy, wanted: str | None, session: Any) -> _Tried:
    """The one family that this model is of. Raises BundleError when it is of none, or may be of several."""
    fitting, wrong = [], []
    for guess in _fitting(anatomy, wanted):
        size, layout = image_of(anatomy.inputs[0])
        usual = family_of(guess.family).usual_input(anatomy.inputs[0].name, size)
        image = replace(usual, layout=layout, dtype=cast("Dtype", anatomy.inputs[0].dtype))  # `_fitting` looked
        tensor = noise(image)
        outputs = session.run(None, {image.name: tensor})
        try:
            family_of(guess.family).require_raw(size, outputs)
        except ValueError as error:
            wrong.append(f"its shapes are those of {guess.family}, its numbers are not: {error}")
        else:
            fitting.append(_Tried(guess.family, guess.classes, image, tensor, outputs))
    if len(fitting) > 1:
        raise BundleError(f"{anatomy.file}: may be {' or '.join(each.family for each in fitting)}: say which one with --family")
    if not fitting:
        raise BundleError(f"{anatomy.file}: {'; '.join(wrong)}")
    return fitting[0]


def _fitting(anatomy: Anatomy, wanted: str | None) -> list[Guess]:
    """Families whose shapes these are. Raises BundleError when there is none."""
    if anatomy.inputs[0].dtype not in get_args(Dtype):
        raise BundleError(f"{anatomy.file}: input of {anatomy.inputs[0].dtype}: expected one of {', '.join(get_args(Dtype))}")
    if wanted is not None and wanted not in DECODERS:
        raise BundleError(f"--family {wanted}: known are {', '.join(DECODERS)}")
    fitting = [guess for guess in anatomy.guesses if not guess.why_not and wanted in (None, guess.family)]
    if fitting:
        return fitting
    reasons = "; ".join(f"{guess.family}: {guess.why_not}" for guess in anatomy.guesses if wanted in (None, guess.family))
    raise BundleError(f"{anatomy.file}: no model that this runtime can decode: {reasons}")


def _labels(wanted: str | None, classes: int | None) -> tuple[str, ...]:
    if wanted is None and classes != 80:
        many = "it does not say how many classes it tells apart" if classes is None else f"it tells {classes} classes apart"
        raise BundleError(f"{many}: name them with --labels FILE, one a line in the model's order")
    name = wanted or "coco80"
    labels = read_labels(SHIPPED_LABELS.get(name, Path(name)), name)
    if classes not in (None, len(labels)):
        raise BundleError(f"{name}: {len(labels)} labels for a model that tells {classes} classes apart")
    return labels


def _require_sound(choices: Choices) -> None:
    for option, value, pattern in (("--name", choices.name, ID_PATTERN), ("--version", choices.version, VERSION_PATTERN)):
        if value is not None and not re.fullmatch(pattern, value):
            raise BundleError(f"{option} {value!r}: expected text like {pattern}")


def _require_free(out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if not force:
        raise BundleError(f"{out}: exists already: name another folder, or replace it with --force")
    if not (out / MANIFEST).is_file():
        raise BundleError(f"{out}: exists and is no bundle: it is not replaced, not even with --force; name another folder")


def _write(folder: Path, data: bytes, manifest: Manifest, anatomy: Anatomy, golden: tuple[NDArray[Any], list[NDArray[Any]]]) -> None:
    folder.mkdir()
    (folder / MODEL).write_bytes(data)
    (folder / LABELS).write_text("".join(f"{label}\n" for label in manifest.labels), encoding="utf-8")
    (folder / MANIFEST).write_text(write_manifest(manifest), encoding="utf-8")
    write_golden(folder / Golden().file, manifest.inputs[0].name, *golden)
    (folder / CARD).write_text(model_card(manifest, anatomy), encoding="utf-8")


def _prove(folder: Path, tensor: NDArray[Any], outputs: list[NDArray[Any]]) -> None:
    """Load what was written as the daemon would. Raises BundleError when it does not compute the same again."""
    bundle = load_bundle(folder)
    session = open_session(bundle.model_path, bundle.manifest, ("cpu",), 1)
    assert bundle.manifest.golden is not None
    for _ in range(2):  # random numbers begin alike in every session: a second run tells
        found = session.run(None, {bundle.manifest.inputs[0].name: tensor})
        if not largest_difference(found, outputs, str(folder)) <= bundle.manifest.golden.atol:
            raise BundleError(f"{bundle.manifest.identity}: two runs on the same input differ: it draws random numbers, or is not deterministic here")


def _slug(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "model"
