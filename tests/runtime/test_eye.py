"""A camera's view through a shared engine: its places come back, whatever becomes of the lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.config.schema import CameraConfig
from edge_runtime.infer.bundle import load_bundle
from edge_runtime.infer.engine import EngineFull, EnginePlan
from edge_runtime.runtime.station import Station
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp

pytestmark = pytest.mark.material

SIZE = Size(64, 48)
FRAME = Frame(Stamp("cam", 1, 1, 1), (np.zeros((48, 64), np.uint8),), PixelFormat.GRAY8, ColorSpec(), SIZE)
CAMERA = CameraConfig(name="cam", source="x", model="m")


@pytest.fixture
def station(bundle_folder: Path) -> Iterator[Station]:
    station = Station("m", load_bundle(bundle_folder), EnginePlan())
    yield station
    station.close(5.0)


def free(station: Station) -> int:
    """How many places another camera gets."""
    other = station.eye(CAMERA)
    count = 0
    while other.acquire(0, 0.0):
        count += 1
    for _ in range(count):
        other.forfeit()
    return count


def test_look_gives_the_place_back_with_the_result(station: Station) -> None:
    station.open()
    eye = station.eye(CAMERA)
    for _ in range(2 * station.places):
        assert eye.acquire(0, 5.0)
        _, result = eye.look(FRAME, 0)
        result.result(10)
    assert free(station) == station.places


def test_decode_says_how_coarsely_the_model_saw(station: Station) -> None:
    station.open()
    eye = station.eye(CAMERA)
    large = Frame(FRAME.stamp, (np.zeros((832, 1664), np.uint8),), PixelFormat.GRAY8, ColorSpec(), Size(1664, 832))
    assert eye.acquire(0, 5.0)
    geometry, result = eye.look(large, 0)
    assert eye.decode(result.result(10), large.stamp, geometry).grain_px == pytest.approx(4.0), "1664 pixels on 416"


def test_look_that_fails_gives_the_place_back_once(station: Station) -> None:
    eye = station.eye(CAMERA)
    assert eye.acquire(0, 0.0)
    with pytest.raises(EngineFull):  # it was never opened
        eye.look(FRAME, 0)
    assert free(station) == station.places


def test_forfeit_of_a_lane_that_hangs_gives_its_place_to_others_and_it_is_not_given_back_twice(station: Station) -> None:
    station.open()
    eye = station.eye(CAMERA)
    assert eye.acquire(0, 0.0)  # and now the feeding thread hangs
    assert free(station) == station.places - 1
    eye.forfeit()
    assert free(station) == station.places
    _, result = eye.look(FRAME, 0)  # it goes on after all
    result.result(10)
    eye.forfeit()
    assert free(station) == station.places
