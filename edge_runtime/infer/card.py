"""The model card that adopting writes: what is known, what is assumed, and what nobody looked at. Filled in further by whoever knows more."""

from __future__ import annotations

from importlib import metadata

from edge_runtime.infer.anatomy import Anatomy
from edge_runtime.manifest import ImageInput, Manifest

_LABELS_SHOWN = 12

_CARD = """\
# {name} {version}

| | |
|---|---|
| task | {task} |
| family | {family} |
| licence | {licence} |
| source | {source} |
| adopted from | `{file}`, {size_mb:.1f} MB, written by {producer} |
| model.onnx | sha256 `{sha256}`, {parameters:,} parameters, {opsets} |
| input | `{input}` {shape}, {dtype} |
| classes | {classes} |

## Known

- The file was checked before anything ran it: no data outside of it, no operators beyond the standard ones that this runtime allows.
- Its shapes, and the numbers of one inference, are those of the family.
- `golden.npz` was made when it was adopted, by ONNX Runtime {ort} on the processor, from seeded noise. It proves that another device computes
  the same as that one did; it says nothing about the framework that trained the model, and nothing about accuracy.

## Assumed

Pictures are prepared as the family's authors do it: {prepared}.
No file says whether this model was trained like that: try it on pictures whose content you know, and correct `manifest.toml` where it must be
otherwise.

## Not known

Training data, accuracy, and where it fails.{unknown}
"""


def model_card(manifest: Manifest, anatomy: Anatomy) -> str:
    """Markdown. Everything in it comes from the file, the manifest, or the versions installed here."""
    image = manifest.inputs[0]
    more = "" if len(manifest.labels) <= _LABELS_SHOWN else f" … ({len(manifest.labels)} in all)"
    missing = [name for name in ("licence", "source") if getattr(manifest, name) == "unknown"]
    return _CARD.format(
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        family=manifest.family,
        licence=manifest.licence,
        source=manifest.source,
        file=anatomy.file.rsplit("/", 1)[-1],
        size_mb=anatomy.size_bytes / 1e6,
        producer=anatomy.producer,
        sha256=manifest.sha256,
        parameters=anatomy.parameters,
        opsets=", ".join(f"{domain} opset {version}" for domain, version in sorted(anatomy.opsets.items())),
        input=image.name,
        shape=list(anatomy.inputs[0].shape),
        dtype=image.dtype,
        classes=", ".join(manifest.labels[:_LABELS_SHOWN]) + more,
        ort=metadata.version("onnxruntime"),
        prepared=_prepared(image),
        unknown="" if not missing else f" Its {' and '.join(missing)} too: find out before you use it, and write it into `manifest.toml`.",
    )


def _prepared(image: ImageInput) -> str:
    fitted = f"letterboxed to the {image.align} and padded with {image.pad}" if image.resize == "letterbox" else f"fitted by {image.resize}"
    plain = image.scale == 1 and not any(image.mean) and all(each == 1 for each in image.std)
    values = "values 0–255 as they are" if plain else f"value = (pixel · {image.scale:g} − {list(image.mean)}) / {list(image.std)}"
    return f"{image.color}, {fitted}, {values}"
