"""Batches: how pictures of both kinds are mixed, and what a device would see."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from edge_export.street.augment import Example
from edge_export.street.data import IGNORED
from edge_export.street.feed import MOST_OBJECTS, Feed, ignored_anchors, pack
from edge_export.street.recipe import LABELS
from tests.street import small

EXAMPLES = [small.example(seed) for seed in range(6)]
NONE: Sequence[Example] = ()


def test_feed_begun_later_gives_what_it_would_have_given() -> None:
    recipe = small.recipe()
    with Feed(EXAMPLES, NONE, recipe, 0, 5, 0) as feed:
        whole = list(feed)
    with Feed(EXAMPLES, NONE, recipe, 0, 5, 2) as feed:
        rest = list(feed)
    assert len(whole) == 4 and len(rest) == 2
    for ours, theirs in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)


def test_feed_of_another_seed_differs() -> None:
    recipe = small.recipe()
    assert (Feed(EXAMPLES, NONE, recipe, 0, 5, 0).batch(0).images != Feed(EXAMPLES, NONE, recipe, 0, 6, 0).batch(0).images).any()


def test_feed_that_fails_raises_where_batches_are_awaited() -> None:
    broken = Example(np.zeros((0, 0, 3), np.uint8), EXAMPLES[0].boxes, EXAMPLES[0].labels)
    with Feed([broken], NONE, small.recipe(), 0, 5, 0) as feed, pytest.raises(ZeroDivisionError):
        list(feed)


def test_feed_left_early_ends_its_thread() -> None:
    with Feed(EXAMPLES, NONE, small.recipe(phases=(dataclasses.replace(small.recipe().phases[0], steps=1000),)), 0, 5, 0) as feed:
        next(iter(feed))
    assert not feed._thread.is_alive()


def test_feed_of_a_mixed_phase_draws_from_both_pools() -> None:
    dark = [Example(np.zeros((128, 192, 3), np.uint8), np.empty((0, 4), np.float32), np.empty(0, np.int8))]
    phase = dataclasses.replace(small.recipe().phases[0], batch=64, simulated=0.5)
    labels = Feed(EXAMPLES, dark, small.recipe(phases=(phase,)), 0, 5, 0).batch(0).labels
    empty = (labels == len(LABELS)).all(axis=1).mean()
    assert 0.25 < empty < 0.75


def test_pack_keeps_the_largest_objects_ignores_the_others_and_pads() -> None:
    count = MOST_OBJECTS + 5
    sides = np.arange(1, count + 1, dtype=np.float32)[::-1] + 8  # each covers the first anchors' centres at least
    boxes = np.stack([np.zeros(count), np.zeros(count), sides, sides], axis=1).astype(np.float32)
    boxes[-5:] += np.array([72, 40, 72, 40], np.float32)  # the smallest lie where none of the others does
    crowded = Example(np.zeros((64, 96, 3), np.uint8), boxes, np.full(count, 2, np.int8))
    alone = Example(crowded.picture, boxes[:2], np.array([0, IGNORED], np.int8))
    batch = pack([crowded, alone])
    assert batch.boxes[0, :, 2].min() == 14 and (batch.labels[0] == 2).all()
    left_out = Example(crowded.picture, boxes[-5:], np.full(5, IGNORED, np.int8))
    np.testing.assert_array_equal(batch.ignored[0], ignored_anchors(left_out))
    assert batch.ignored[0].any()
    assert list(batch.labels[1, :2]) == [0, len(LABELS)]


def test_pack_of_as_many_objects_as_it_keeps_ignores_none() -> None:
    boxes = np.tile(np.array([[0, 0, 40, 40]], np.float32), (MOST_OBJECTS, 1))
    full = Example(np.zeros((64, 96, 3), np.uint8), boxes, np.full(MOST_OBJECTS, 2, np.int8))
    assert not pack([full]).ignored.any()


def test_ignored_anchors_are_those_with_their_centre_inside() -> None:
    box = np.array([[9.0, 3.0, 37.0, 21.0]], np.float32)
    mask = ignored_anchors(Example(np.zeros((64, 96, 3), np.uint8), box, np.array([IGNORED], np.int8)))
    expected = []
    for stride in (8, 16, 32):
        for row in range(64 // stride):
            for column in range(96 // stride):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                expected.append(9 <= x < 37 and 3 <= y < 21)
    np.testing.assert_array_equal(mask, expected)
