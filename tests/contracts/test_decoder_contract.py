"""What every row of the decoder table must keep, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.decode import DECODERS, family_of, make_decoder
from edge_runtime.manifest import Manifest
from edge_runtime.types import Detections, Geometry, Size, Stamp
from tests.contracts.heads import EXAMPLES, SIZE, Outputs
from tests.naive_heads import TWINS

pytestmark = pytest.mark.heavy

STAMP = Stamp("cam", 1, 2, 3)
SOURCE = Size(192, 100)
GEOMETRY = Geometry((0.5, 0.5), (0.0, 0.0), SOURCE)  # letterboxed to the top left: rows 50 to 63 of the tensor are padding
FLOOR = 0.2
ODD = [np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0, -3.0]

MANY = sorted(name for name, example in EXAMPLES.items() if len(example.labels) > 1)
"""Families that tell several labels apart."""


def manifest(family: str) -> Manifest:
    image = family_of(family).usual_input("images", SIZE)
    about = {"version": "1", "licence": "x", "source": "x", "sha256": "0" * 64}
    return Manifest(name="m", task="detect", family=family, inputs=(image,), labels=EXAMPLES[family].labels, **about)  # type: ignore[arg-type]


def decoder(family: str, keep: Sequence[bool] | None = None) -> Any:
    return make_decoder(manifest(family), FLOOR, None if keep is None else np.array(keep))


def decode(family: str, outputs: Outputs, keep: Sequence[bool] | None = None) -> Detections:
    found: Detections = decoder(family, keep).decode(outputs, STAMP, GEOMETRY)
    return found


def test_every_row_has_an_example() -> None:
    assert set(EXAMPLES) == set(TWINS) == set(DECODERS), "a new family needs an example and a plain twin, so that this suite runs over it"


@pytest.fixture(params=sorted(DECODERS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", sorted(DECODERS))
@given(
    seed=st.integers(0, 2**32 - 1),
    odd=st.lists(st.tuples(st.integers(0, 1 << 20), st.sampled_from(ODD)), max_size=12),
    floor=st.sampled_from([0.1, 0.5]),
)
def test_candidates_equal_the_plain_twin_s(name: str, seed: int, odd: list[tuple[int, float]], floor: float) -> None:
    rng = np.random.default_rng(seed)
    outputs = EXAMPLES[name].random(rng)
    floats = [output.reshape(-1) for output in outputs if output.dtype == np.float32]
    for place, number in odd:
        floats[place % len(floats)][place // len(floats) % floats[place % len(floats)].size] = number
    keep = rng.random(len(EXAMPLES[name].labels)) < 0.7
    one: Any = make_decoder(manifest(name), floor, keep)
    try:
        xyxy, score, label = TWINS[name](outputs, SIZE, floor, keep)
    except ValueError:  # a label that has no name
        with pytest.raises(ValueError, match="labels"):
            one.candidates(outputs)
        return
    found = one.candidates(outputs)
    finite = np.isfinite(found.xyxy).all(axis=1)
    np.testing.assert_array_equal(found.label[finite], label)
    np.testing.assert_allclose(found.score[finite], score, rtol=1e-5)
    np.testing.assert_allclose(found.xyxy[finite], xyxy, rtol=1e-5, atol=1e-3)


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
    assert set(found.label.tolist()) <= set(range(len(EXAMPLES[family].labels)))
    assert (found.xyxy.dtype, found.score.dtype, found.label.dtype) == (np.float32, np.float32, np.int16)


def test_boxes_come_back_in_source_pixels(family: str) -> None:
    last = len(EXAMPLES[family].labels) - 1
    found = decode(family, EXAMPLES[family].saying([((10, 20, 30, 44), 0.8, last)]))
    np.testing.assert_allclose(found.xyxy, [[20, 40, 60, 88]], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.8], atol=1e-6)
    assert found.label.tolist() == [last]


def test_box_in_the_padding_is_not_there(family: str) -> None:
    found = decode(family, EXAMPLES[family].saying([((10, 52, 30, 60), 0.9, 0), ((40, 40, 60, 60), 0.8, 0)]))
    np.testing.assert_allclose(found.xyxy, [[80, 80, 120, 100]], atol=1e-3)


def test_one_object_seen_twice_is_one_box(family: str) -> None:
    same = [((10, 10, 40, 40), 0.8, 0), ((11, 10, 41, 40), 0.9, 0)]
    assert decode(family, EXAMPLES[family].saying(same)).score.tolist() == pytest.approx([0.9])


@pytest.mark.parametrize("family", MANY)
def test_one_object_seen_as_two_labels_is_the_better_one(family: str) -> None:
    crosswise = [((10, 10, 40, 40), 0.8, 0), ((11, 10, 41, 40), 0.9, 1)]
    assert decode(family, EXAMPLES[family].saying(crosswise)).label.tolist() == [1]


@pytest.mark.parametrize("family", MANY)
def test_rider_and_bicycle_are_two(family: str) -> None:
    both = [((10, 5, 30, 40), 0.8, 2), ((10, 17, 30, 47), 0.9, 3)]  # overlap 0.55
    assert decode(family, EXAMPLES[family].saying(both)).label.tolist() == [3, 2]


@pytest.mark.parametrize("family", MANY)
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
    outputs = [np.full_like(output, odd) if output.dtype == np.float32 else output for output in EXAMPLES[family].random(np.random.default_rng(0))]
    assert len(decode(family, outputs).score) == 0


def test_outputs_of_another_shape_are_refused(family: str) -> None:
    outputs = EXAMPLES[family].nothing()
    with pytest.raises(ValueError, match="expected"):
        decode(family, [output[..., :-1] for output in outputs])
    with pytest.raises(ValueError, match="expected"):
        decode(family, [output.astype(np.float64) for output in outputs])
    with pytest.raises(ValueError, match="expected"):
        decode(family, outputs[:-1])


def test_own_outputs_are_known_and_others_refused(family: str) -> None:
    ports = EXAMPLES[family].ports(EXAMPLES[family].nothing())
    told = len(EXAMPLES[family].labels) if EXAMPLES[family].told else None
    assert family_of(family).classes_in(SIZE, ports) == told
    first = ports[0]
    for wrong in (
        [],
        [*ports, first],
        [replace(first, shape=(1, 3))],
        [replace(first, shape=("?",))],
        [replace(port, dtype="float64") for port in ports],
        [replace(port, shape=tuple(side + 1 if isinstance(side, int) else side for side in port.shape)) for port in ports],
    ):
        with pytest.raises(ValueError, match=r"expected|multiple"):
            family_of(family).classes_in(SIZE, wrong)


def test_raw_numbers_are_told_from_others(family: str) -> None:
    outputs = EXAMPLES[family].random(np.random.default_rng(5))
    family_of(family).require_raw(SIZE, outputs)
    with pytest.raises(ValueError, match="finite"):
        family_of(family).require_raw(SIZE, [np.full_like(output, np.nan) if output.dtype == np.float32 else output for output in outputs])


def test_usual_thresholds_are_such_as_a_manifest_may_have(family: str) -> None:
    usual = family_of(family).usual_thresholds()
    assert 0 < usual.score < 1
    assert 0 < usual.iou <= 1


def test_flags_must_match_the_labels(family: str) -> None:
    count = len(EXAMPLES[family].labels)
    with pytest.raises(ValueError, match=f"{count + 1} flags for the {count} labels"):
        decoder(family, keep=[True] * (count + 1))


def test_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"known are .*yolox"):
        family_of("yolov99")
