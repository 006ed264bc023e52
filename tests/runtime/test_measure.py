"""Measuring: figures are what they are said to be. No time is asserted, only what must hold on any machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.config.schema import CameraConfig
from edge_runtime.errors import Unsupported
from edge_runtime.infer.bundle import Bundle, load_bundle
from edge_runtime.runtime import measure
from edge_runtime.runtime.capacity import RESERVE, CameraFigures, Effort, PlanFigures, measure_camera, pictures_a_frame, plans_to_try
from edge_runtime.runtime.measure import BareInference, Limit, Spread, alternate, bare_decode_s, real_tensors, stage_times_s
from tests.sources.clips import make_clip


@pytest.fixture
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture
def camera(busy_road: Path) -> CameraConfig:
    return CameraConfig(name="main", source=str(busy_road), model="street", fps=30)


def test_alternate_takes_turns() -> None:
    calls: list[str] = []

    def measured(name: str) -> int:
        calls.append(name)
        return len(calls)

    assert alternate(3, lambda: measured("a"), lambda: measured("b")) == [[1, 3, 5], [2, 4, 6]]
    assert "".join(calls) == "ababab"


def test_spread_is_median_and_range_whatever_the_order() -> None:
    assert Spread.of([5, 1, 2]) == Spread(2, 1, 5)
    assert Spread.of([4, 1, 2, 3]) == Spread(2.5, 1, 4)
    assert Spread.of([1 / 3]).as_json() == {"median": 0.33333, "low": 0.33333, "high": 0.33333}


def test_limit_counts_every_decoded_picture_and_every_core() -> None:
    assert Limit(decode_s=0.004, infer_s=0.008, cores=2).fps == pytest.approx(2 / 0.012)
    assert Limit(decode_s=0.004, infer_s=0.008, cores=2, pictures=3).fps == pytest.approx(2 / 0.020)


def test_machine_says_what_the_figures_were_measured_on() -> None:
    found = measure.machine()
    assert found["cores"] >= 1
    assert found["cpu"]
    assert {"onnxruntime", "av", "numba", "numpy"} <= found["packages"].keys()
    json.dumps(found)


@pytest.mark.parametrize(("cores", "plans"), [(1, [(1, 1)]), (2, [(1, 1), (2, 1), (1, 2)]), (4, [(1, 1), (4, 1), (2, 2), (1, 4)])])
def test_plans_to_try_never_ask_for_more_threads_than_cores(cores: int, plans: list[tuple[int, int]]) -> None:
    assert plans_to_try(cores) == plans


def _figures(*plans: tuple[int, int, float]) -> CameraFigures:
    some = Spread(1, 1, 1)
    made = tuple(PlanFigures(workers, threads, Spread(fps, fps, fps), some, some, fps / 10) for workers, threads, fps in plans)
    return CameraFigures(("main",), "clip", 10, {}, some, some, some, made)


def test_best_plan_is_the_fastest_or_as_good_with_fewer_threads() -> None:
    assert _figures((1, 1, 60), (2, 1, 100), (1, 2, 90)).best.workers == 2
    assert _figures((1, 1, 98), (2, 1, 100)).best.workers == 1, "2 % are not worth a second core"
    assert _figures((2, 1, 100), (1, 2, 101)).best.threads == 1


def test_bare_decode_of_something_else_than_video_is_refused(tmp_path: Path) -> None:
    import av

    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(Unsupported, match=r"sound\.wav"):
        bare_decode_s(sound)


@pytest.mark.material
def test_pictures_a_frame_is_what_must_be_decoded_for_each(camera: CameraConfig) -> None:
    assert pictures_a_frame(replace(camera, fps=10)) == pytest.approx(3)
    assert pictures_a_frame(replace(camera, fps=60)) == 1


@pytest.mark.material
def test_real_tensors_are_what_the_model_is_given_in_the_walk(camera: CameraConfig, bundle: Bundle) -> None:
    from edge_runtime.prepare.preprocess import Preprocessor

    tensors = real_tensors(camera, bundle, 3)
    assert [tensor.shape for tensor in tensors] == [(1, 3, 416, 416)] * 3
    preprocess = Preprocessor(bundle.manifest.inputs[0], ())
    buffer = preprocess.allocate()
    for tensor, frame in zip(tensors, measure.frames_of(camera), strict=False):
        preprocess(frame, buffer)
        assert np.array_equal(tensor, buffer)
    assert BareInference(bundle.model_path, tensors).cost_s() > 0


@pytest.mark.material
def test_stage_times_cover_the_walk_and_decode_more_for_fewer_frames(camera: CameraConfig, bundle: Bundle) -> None:
    all_frames = stage_times_s(camera, bundle, 25)
    assert tuple(all_frames) == measure.STAGES
    assert all(all_frames[stage] > 0 for stage in ("read", "prepare", "infer", "decode", "track", "analyse"))
    some = stage_times_s(replace(camera, fps=3), bundle, 25)
    assert some["read"] > 2 * all_frames["read"], "ten pictures are read for each frame, a part of them skipped by the decoder"


@pytest.mark.material
def test_stage_times_of_too_short_footage_say_so(bundle: Bundle, tmp_path: Path) -> None:
    clip = tmp_path / "short.mp4"
    make_clip(clip, frames=3)
    with pytest.raises(Unsupported, match="too short to measure"):
        stage_times_s(CameraConfig(name="short", source=str(clip), model="street", fps=30), bundle, 25)


@pytest.mark.material
def test_measure_camera_walks_with_every_plan_and_says_how_many_cameras_fit(camera: CameraConfig, bundle: Bundle) -> None:
    said: list[str] = []
    found = measure_camera(["main", "side"], replace(camera, fps=10), bundle, Effort(seconds=0.2, rounds=2), ("cpu",), said.append)
    plans = {(plan.workers, plan.threads): plan for plan in found.plans}
    assert (1, 1) in plans
    assert found.best in found.plans
    for plan in found.plans:
        assert plan.fps.low <= plan.fps.median <= plan.fps.high
        # 10 frames a second are wanted: fps ÷ 10 seconds of footage go by in one second, less the reserve
        assert plan.cameras == pytest.approx((1 - RESERVE) * plan.fps.median / 10, rel=0.01)
    body = json.loads(json.dumps(found.as_json()))
    assert body["cameras"] == ["main", "side"]
    assert body["stages_ms"].keys() == set(measure.STAGES)
    assert any("round 2 of 2" in line for line in said)
