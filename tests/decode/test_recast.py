"""One network in the words of each family: adopted as that family, and seeing on photographs what YOLOX's own decoder sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_runtime.decode import make_decoder
from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.bundle import Bundle, load_bundle
from edge_runtime.infer.manifestfile import write_manifest
from edge_runtime.types import Detections
from tests.decode.recast import CASTS, Recast
from tests.decode.stills import FORMATS, STAMP, Walk, photographs
from tests.infer.tiny import LABELS, tiny_yolox, write_labels

PHOTOGRAPHS = 12


@pytest.mark.parametrize("family", sorted(CASTS))
def test_small_model_is_adopted_as_what_it_says(family: str, tmp_path: Path) -> None:
    """By shapes and numbers alone, where those can tell."""
    file = tmp_path / "recast.onnx"
    file.write_bytes(CASTS[family](Recast(tiny_yolox(width=96))).SerializeToString())
    manifest = load_bundle(adopt(file, tmp_path / "out", Choices(labels=str(write_labels(tmp_path))))).manifest
    assert (manifest.family, manifest.labels) == (family, LABELS)


@pytest.fixture(scope="module")
def original(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"
    return load_bundle(adopt(model, tmp_path_factory.mktemp("bundle") / "yolox-nano"))


@pytest.fixture(scope="module", params=sorted(CASTS))
def recast(request: pytest.FixtureRequest, original: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Adopted as another family, then told to see pictures as the original does."""
    folder = tmp_path_factory.mktemp(request.param)
    file = folder / "recast.onnx"
    file.write_bytes(CASTS[request.param](Recast(onnx.load(original.model_path))).SerializeToString())
    out = adopt(file, folder / "out", Choices(family=request.param, labels="coco80"))
    manifest = load_bundle(out).manifest
    image = replace(original.manifest.inputs[0], name=manifest.inputs[0].name)
    (out / "manifest.toml").write_text(write_manifest(replace(manifest, inputs=(image,))))
    return load_bundle(out)


@pytest.fixture(scope="module")
def expected(original: Bundle, material: Path) -> dict[str, list[Detections]]:
    """What the original sees, by how the photographs are shown."""
    return {name: list(seen(original, material, name)) for name in FORMATS}


def seen(bundle: Bundle, material: Path, pixels: str) -> Iterator[Detections]:
    walk, decoder = Walk(bundle), make_decoder(bundle.manifest, 0.1, None, 0.45)
    for _, picture in islice(photographs(material), PHOTOGRAPHS):
        outputs, geometry = walk(FORMATS[pixels](picture))
        yield decoder.decode(outputs, STAMP, geometry)


@pytest.mark.material
@pytest.mark.parametrize("pixels", sorted(FORMATS))
def test_photographs_are_seen_as_by_the_original(recast: Bundle, material: Path, expected: dict[str, list[Detections]], pixels: str) -> None:
    count = 0
    for found, known in zip(seen(recast, material, pixels), expected[pixels], strict=True):
        np.testing.assert_allclose(found.xyxy, known.xyxy, atol=0.5)
        np.testing.assert_allclose(found.score, known.score, atol=1e-3)
        np.testing.assert_array_equal(found.label, known.label)
        count += len(found.score)
    assert count > 30
