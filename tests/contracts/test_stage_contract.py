"""What every stage promises, over every stage that there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_runtime.contracts import Stage
from edge_runtime.track.bytetrack import ByteTracker, TrackerOptions
from edge_runtime.types import Detections, Stamp, Tick, Tracks
from tests.track.traffic import USUAL, Traffic

TRAFFIC = Traffic(3)
ITEMS = list(TRAFFIC.frames(TRAFFIC.times(10.0)[:120], USUAL))
STAGES: dict[str, Callable[[], Stage[Detections, Tracks]]] = {"bytetrack": lambda: ByteTracker(TrackerOptions())}

everywhere = pytest.mark.parametrize("make", STAGES.values(), ids=STAGES)


def said(outputs: Any) -> list[tuple[Any, ...]]:
    """Outputs as plain values, so that they can be compared bit by bit."""
    plain = []
    for tracks in outputs:
        past = tuple((sighting.id, sighting.at, sighting.xyxy.tobytes()) for sighting in tracks.past)
        boxes = tracks.boxes
        plain.append(
            (boxes.stamp, boxes.xyxy.tobytes(), boxes.score.tobytes(), boxes.label.tobytes(), tracks.id.tobytes(), tracks.ended.tobytes(), past)
        )
    return plain


@everywhere
def test_step_is_deterministic(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    one, other = make(), make()
    assert [said(one.step(item)) for item in ITEMS] == [said(other.step(item)) for item in ITEMS]


@everywhere
def test_step_does_not_touch_its_input(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    stage = make()
    for item in ITEMS:
        for array in (item.xyxy, item.score, item.label):
            array.setflags(write=False)
        stage.step(item)


@everywhere
def test_step_outputs_stay_as_they_were(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    stage = make()
    outputs = [stage.step(item) for item in ITEMS]
    before = [said(output) for output in outputs[:60]]
    for item in ITEMS:
        stage.step(item)
    assert [said(output) for output in outputs[:60]] == before


@everywhere
def test_step_takes_nothing_for_an_answer(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    stage = make()
    assert len(stage.step(Detections.empty(Stamp("road", 0, 0, 0)))) == 1


@everywhere
def test_advance_and_finish_before_anything_came_say_nothing(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    assert list(make().advance(Tick(10**9, 10**9))) == []
    assert list(make().finish()) == []


@everywhere
def test_reset_forgets_but_goes_on(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    stage = make()
    before = {int(i) for item in ITEMS[:60] for tracks in stage.step(item) for i in tracks.id}
    stage.reset()
    after = {int(i) for item in ITEMS[60:] for tracks in stage.step(item) for i in tracks.id}
    assert before and after and not before & after


@everywhere
def test_labels_and_scores_come_from_the_input(make: Callable[[], Stage[Detections, Tracks]]) -> None:
    stage = make()
    for item in ITEMS:
        (tracks,) = stage.step(item)
        assert tracks.boxes.stamp == item.stamp
        assert np.isin(tracks.boxes.score, item.score).all()
        assert set(tracks.boxes.label.tolist()) <= {0, 1}
