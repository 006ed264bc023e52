"""What every row of the decoder table must keep, whatever its family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.decode import DECODERS, Decoder, family_of, make_decoder
from edge_runtime.decode.yolox import STRIDES
from edge_runtime.manifest import Manifest
from edge_runtime.types import Detections, Geometry, Size, Stamp

STAMP = Stamp("cam", 1, 2, 3)
LABELS = ("car", "bus", "person", "bicycle")
SIZE = Size(96, 64)
SOURCE = Size(192, 100)
GEOMETRY = Geometry((0.5, 0.5), (0.0, 0.0), SOURCE)  # letterboxed to the top left: rows 50 to 63 of the tensor are padding
FLOOR = 0.2

Outputs = list[NDArray[Any]]


@dataclass(frozen=True)
class Example:
    """How to speak a family's language: many random objects, nothing, or exactly these boxes (tensor pixels, score, label)."""

    random: Callable[[np.random.Generator], Outputs]
    nothing: Callable[[], Outputs]
    saying: Callable[[Sequence[tuple[Sequence[float], float, int]]], Outputs]


def yolox_random(rng: np.random.Generator) -> Outputs:
    raw = rng.normal(0, 0.7, (1, yolox_anchors(), 5 + len(LABELS))).astype(np.float32)
    raw[..., 2:4] += 1
    raw[..., 4:] = rng.uniform(0, 1, raw[..., 4:].shape)
    return [raw]


def yolox_saying(objects: Sequence[tuple[Sequence[float], float, int]]) -> Outputs:
    raw = np.zeros((1, yolox_anchors(), 5 + len(LABELS)), np.float32)
    for anchor, ((x1, y1, x2, y2), score, label) in enumerate(objects):  # anchors of the first row: cell (anchor, 0), stride 8
        raw[0, anchor, :2] = (x1 + x2) / 16 - anchor, (y1 + y2) / 16
        raw[0, anchor, 2:4] = np.log((x2 - x1) / 8), np.log((y2 - y1) / 8)
        raw[0, anchor, 4], raw[0, anchor, 5 + label] = score, 1
    return [raw]


def yolox_anchors() -> int:
    return sum((SIZE.width // stride) * (SIZE.height // stride) for stride in STRIDES)


EXAMPLES = {"yolox": Example(yolox_random, lambda: yolox_saying([]), yolox_saying)}


def manifest(family: str) -> Manifest:
    image = family_of(family).usual_input("images", SIZE)
    about = {"version": "1", "licence": "x", "source": "x", "sha256": "0" * 64}
    return Manifest(name="m", task="detect", family=family, inputs=(image,), labels=LABELS, **about)  # type: ignore[arg-type]


def decoder(family: str, keep: Sequence[bool] | None = None) -> Decoder:
    return make_decoder(manifest(family), FLOOR, None if keep is None else np.array(keep))


def decode(family: str, outputs: Outputs, keep: Sequence[bool] | None = None) -> Detections:
    return decoder(family, keep).decode(outputs, STAMP, GEOMETRY)


def test_every_row_has_an_example() -> None:
    assert set(EXAMPLES) == set(DECODERS), "a new family needs an example here, so that this suite runs over it"


@pytest.fixture(params=sorted(DECODERS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_nothing_is_an_answer(family: str) -> None:
    found = decode(family, EXAMPLES[family].nothing())
    assert len(found.score) == 0
    assert found.xyxy.shape == (0, 4)
    assert found.stamp == STAMP


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_inside_the_picture_scores_above_the_floor_and_best_first(family: str, seed: int) -> None:
    found = decode(family, EXAMPLES[family].random(np.random.default_rng(seed)))
    x1, y1, x2, y2 = found.xyxy.T
    assert len(found.score) > 3
    assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= SOURCE.width).all() and (y2 <= SOURCE.height).all()
    assert (x2 > x1).all() and (y2 > y1).all()
    assert (found.score >= FLOOR).all() and (found.score <= 1).all()
    assert (np.diff(found.score) <= 0).all()
    assert set(found.label.tolist()) <= set(range(len(LABELS)))
    assert (found.xyxy.dtype, found.score.dtype, found.label.dtype) == (np.float32, np.float32, np.int16)


def test_boxes_come_back_in_source_pixels(family: str) -> None:
    found = decode(family, EXAMPLES[family].saying([((10, 20, 30, 44), 0.8, 1)]))
    np.testing.assert_allclose(found.xyxy, [[20, 40, 60, 88]], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.8], atol=1e-6)
    assert found.label.tolist() == [1]


def test_box_in_the_padding_is_not_there(family: str) -> None:
    found = decode(family, EXAMPLES[family].saying([((10, 52, 30, 60), 0.9, 1), ((40, 40, 60, 60), 0.8, 1)]))
    np.testing.assert_allclose(found.xyxy, [[80, 80, 120, 100]], atol=1e-3)


def test_one_object_seen_twice_is_one_box_also_under_two_labels(family: str) -> None:
    same = [((10, 10, 40, 40), 0.8, 0), ((11, 10, 41, 40), 0.9, 0)]
    assert decode(family, EXAMPLES[family].saying(same)).score.tolist() == pytest.approx([0.9])
    crosswise = [((10, 10, 40, 40), 0.8, 0), ((11, 10, 41, 40), 0.9, 1)]
    assert decode(family, EXAMPLES[family].saying(crosswise)).label.tolist() == [1]


def test_rider_and_bicycle_are_two(family: str) -> None:
    both = [((10, 5, 30, 40), 0.8, 2), ((10, 17, 30, 47), 0.9, 3)]  # overlap 0.55
    assert decode(family, EXAMPLES[family].saying(both)).label.tolist() == [3, 2]


def test_unwanted_label_pushes_no_wanted_one_away(family: str) -> None:
    crosswise = [((10, 10, 40, 40), 0.8, 0), ((11, 10, 41, 40), 0.9, 1)]
    found = decode(family, EXAMPLES[family].saying(crosswise), keep=[True, False, True, True])
    assert found.label.tolist() == [0]


def test_outputs_are_only_read(family: str) -> None:
    outputs = EXAMPLES[family].random(np.random.default_rng(1))
    before = [output.copy() for output in outputs]
    for output in outputs:
        output.setflags(write=False)
    decode(family, outputs)
    for output, earlier in zip(outputs, before, strict=True):
        np.testing.assert_array_equal(output, earlier)


def test_what_was_given_out_stays_when_the_next_frame_is_decoded(family: str) -> None:
    one = decoder(family)
    first = one.decode(EXAMPLES[family].random(np.random.default_rng(1)), STAMP, GEOMETRY)
    kept = first.xyxy.copy(), first.score.copy(), first.label.copy()
    one.decode(EXAMPLES[family].random(np.random.default_rng(2)), STAMP, GEOMETRY)
    for now, then in zip((first.xyxy, first.score, first.label), kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_same_outputs_give_the_same_detections(family: str) -> None:
    outputs = EXAMPLES[family].random(np.random.default_rng(4))
    one, other = decode(family, outputs), decode(family, outputs)
    np.testing.assert_array_equal(one.xyxy, other.xyxy)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_give_no_boxes(family: str, odd: float) -> None:
    outputs = [np.full_like(output, odd) for output in EXAMPLES[family].nothing()]
    assert len(decode(family, outputs).score) == 0


def test_outputs_of_another_shape_are_refused(family: str) -> None:
    outputs = EXAMPLES[family].nothing()
    with pytest.raises(ValueError, match="expected"):
        decode(family, [output[:, :-1] for output in outputs])
    with pytest.raises(ValueError, match="expected"):
        decode(family, [output.astype(np.float64) for output in outputs])


def test_own_shapes_are_known_and_others_refused(family: str) -> None:
    shapes = [output.shape for output in EXAMPLES[family].nothing()]
    assert family_of(family).classes_in(SIZE, shapes) == len(LABELS)
    for wrong in ([], [*shapes, shapes[0]], [(1, 3)], [("?",)], [tuple(side + 1 for side in shape) for shape in shapes]):
        with pytest.raises(ValueError, match=r"expected|multiple"):
            family_of(family).classes_in(SIZE, wrong)


def test_raw_numbers_are_told_from_others(family: str) -> None:
    outputs = EXAMPLES[family].random(np.random.default_rng(5))
    family_of(family).require_raw(SIZE, outputs)
    with pytest.raises(ValueError, match="finite"):
        family_of(family).require_raw(SIZE, [np.full_like(output, np.nan) for output in outputs])


def test_flags_must_match_the_labels(family: str) -> None:
    with pytest.raises(ValueError, match="3 flags for the 4 labels"):
        decoder(family, keep=[True, True, False])


def test_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known are yolox"):
        family_of("yolov99")
