"""How well boxes fit tracks: the arithmetic of association."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.track.bank import Bank
from edge_runtime.track.kalman import PP
from edge_runtime.track.options import TrackerOptions

Array = NDArray[np.float64]


def errors(sides: Array, grain_px: float, options: TrackerOptions) -> Array:
    """How wrong the centre of a box with these sides is along each, one deviation, px: a share of the side, and what the detector cannot resolve."""
    result: Array = np.hypot(options.box_noise * sides, options.grain * grain_px)
    return result


def surprise(bank: Bank, error_px: Array, place: Array, size: Array) -> tuple[Array, Array]:
    """Squared distance of boxes [M] from predictions [N] in deviations -> [N, M], and ln of the prediction's variance in sizes -> [N].

    error_px [N, 2]: of the tracks' own boxes, as `errors` tells it.
    The variances of position count in squared sides, those of size in e-folds², so that ln|S| compares tracks near and far.
    """
    sides = np.exp(bank.size)
    place_var = bank.cov[..., PP] + 2 * error_px**2  # twice: the track's last box may have been as wrong
    size_var = bank.size_var + 2 * (2 * error_px / sides) ** 2
    distance = ((place[None] - bank.position[:, None]) ** 2 / place_var[:, None]).sum(axis=2)
    distance += ((size[None] - bank.size[:, None]) ** 2 / size_var[:, None]).sum(axis=2)
    return distance, np.log(place_var / sides**2 * size_var).sum(axis=1)


def price(distance: Array, vague: Array, absent: Array, share: Array, options: TrackerOptions) -> Array:
    """−2 ln likelihood of each pair [N, M], but for a constant.

    distance [N, M] and vague [N] as `surprise` gives them; absent [N] as `absence`; share [N, M]: how often the track was read as the box's
    label. The error is distributed as Student's t, for which (ν + 4) ln(1 + d²/ν) stands in d²'s place.
    """
    heavy = (options.tails + 4) * np.log1p(distance / options.tails)
    label = -2 * np.log(np.maximum(share, options.flicker))
    result: Array = heavy + (vague + absent)[:, None] + label
    return result


def absence(missed_s: Array, parked: NDArray[np.bool_], options: TrackerOptions) -> Array:
    """What a pair costs more because its track [N] was not seen in the last frames, for missed_s seconds; parked objects are waited for."""
    lost: Array = np.where((missed_s > 0) & ~parked, options.lost + 2 * missed_s / options.fade_s, 0.0)
    return lost


def doubt(distance: Array, options: TrackerOptions) -> Array:
    """By how much the noise of paired boxes was larger than usual, 1 or more (expectation step for Student's t; Lange et al., JASA 84, 1989)."""
    return np.asarray(np.maximum(1.0, (options.tails + distance) / (options.tails + 4)))


def shares(bank: Bank, label: NDArray[np.int16]) -> Array:
    """[N, M]: how often each track was read as each label, with half a reading for and half against from the start (Jeffreys' prior)."""
    result: Array = (bank.votes[:, label] + 0.5) / (bank.votes.sum(axis=1, keepdims=True) + 1.0)
    return result


def areas(xyxy: Array) -> Array:
    """Boxes [N, 4] -> px² [N]."""
    result: Array = (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1)
    return result


def common(a: Array, b: Array) -> Array:
    """The area that boxes a [N, 4] and b [M, 4] share -> px² [N, M]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared: Array = np.maximum(high - low, 0.0).prod(axis=2)
    return shared


def overlap(a: Array, b: Array) -> Array:
    """Intersection over union of boxes a [N, 4] and b [M, 4] -> [N, M]."""
    shared = common(a, b)
    quotient: Array = shared / (areas(a)[:, None] + areas(b) - shared)
    return quotient
