"""Augmentation: what is varied, and that boxes go along with their pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_export.street.augment import PAD, Example, letterbox, vary
from edge_export.street.data import IGNORED
from tests.street import small

SIZE = (96, 64)
WILD = dataclasses.replace(
    small.CALM, p_mosaic=1.0, p_flip=0.5, p_night=0.5, p_blur=0.5, p_noise=0.5, p_jpeg=0.5, p_cutout=0.3, least_zoom=0.4, most_zoom=2.5, color=0.4
)


def bright(picture: np.ndarray) -> np.ndarray:
    """Where the example's car shines: brighter than any padding, whatever light is upon it."""
    return picture.mean(axis=2) > 175


def bounds(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def test_letterbox_fits_top_left_and_pads_with_grey() -> None:
    made = letterbox(small.example(1, (192, 64)), SIZE)
    assert made.picture.shape == (64, 96, 3)
    assert (made.picture[34:] == PAD).all()
    np.testing.assert_allclose(made.boxes, small.example(1, (192, 64)).boxes / 2)


@pytest.mark.parametrize("seed", range(30))
def test_vary_moves_boxes_with_what_they_show(seed: int) -> None:
    how = dataclasses.replace(small.CALM, p_flip=0.5)
    made = vary([small.example(seed)], how, SIZE, np.random.default_rng(seed))
    if not len(made.labels):
        assert bright(made.picture).sum() < 12
        return
    found = bounds(bright(made.picture))
    assert np.abs(found - made.boxes[0]).max() <= 1.5, (found, made.boxes[0])


@pytest.mark.parametrize("seed", range(30))
def test_vary_of_four_keeps_every_box_within_the_mosaic_and_on_its_car(seed: int) -> None:
    made = vary([small.example(seed + each) for each in range(4)], dataclasses.replace(small.CALM, p_flip=0.5), SIZE, np.random.default_rng(seed))
    assert made.picture.shape == (64, 96, 3)
    assert (made.boxes >= 0).all() and (made.boxes[:, 2:] <= SIZE).all()
    mask = bright(made.picture)
    for left, top, right, bottom in made.boxes[made.labels != IGNORED].round().astype(int):
        assert mask[top + 1 : bottom - 1, left + 1 : right - 1].mean() > 0.9


def test_vary_of_an_object_cut_off_ignores_it() -> None:
    whole = small.example(1)
    outside = Example(whole.picture, np.array([[-40, 40, 10, 70]], np.float32), whole.labels)
    assert list(letterbox(outside, SIZE).labels) == [IGNORED]


def test_vary_of_one_generator_twice_is_the_same() -> None:
    examples = [small.example(each) for each in range(4)]
    first, second = (vary(examples, WILD, SIZE, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(first.boxes, second.boxes)


def test_vary_leaves_the_example_as_it_was() -> None:
    examples = [small.example(each) for each in range(4)]
    before = [each.picture.copy() for each in examples]
    for seed in range(20):
        vary(examples, WILD, SIZE, np.random.default_rng(seed))
        vary(examples[:1], WILD, SIZE, np.random.default_rng(seed))
    for each, picture in zip(examples, before, strict=True):
        np.testing.assert_array_equal(each.picture, picture)
