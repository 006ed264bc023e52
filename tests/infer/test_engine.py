"""The engine with real ONNX Runtime sessions: order by deadline, bounds, failures, hanging workers, closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.bundle import Bundle, load_bundle
from edge_runtime.infer.engine import Engine, EngineFull, EnginePlan
from tests.infer.tiny import tiny_yolox, write_labels, write_model


def picture(seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One inference takes long enough (0.1 s and more) for a queue to build up behind it."""
    folder = tmp_path_factory.mktemp("slow")
    model = write_model(folder, tiny_yolox(burn=4))
    return load_bundle(adopt(model, folder / "slow", Choices(labels=str(write_labels(folder)))))


class Opened:
    """Engines that are closed when the test ends."""

    def __init__(self) -> None:
        self.engines: list[Engine] = []

    def __call__(self, bundle: Bundle, **plan: Any) -> Engine:
        engine = Engine(bundle.model_path, bundle.manifest, EnginePlan(**plan))
        self.engines.append(engine)
        engine.open()
        return engine


@pytest.fixture
def opened() -> Iterator[Opened]:
    opened = Opened()
    yield opened
    for engine in opened.engines:
        assert engine.close(10)


@pytest.mark.parametrize("plan", [{"workers": 1}, {"workers": 3}, {"workers": 1, "threads": 2}, {"workers": 2, "threads": 2}])
def test_every_plan_gives_the_same_numbers(bundle: Bundle, opened: Opened, plan: dict[str, int]) -> None:
    engine, reference = opened(bundle, **plan), opened(bundle)
    inputs = [picture(seed) for seed in range(12)]
    results = [engine.submit(data) for data in inputs]
    for data, result in zip(inputs, results, strict=True):
        np.testing.assert_allclose(result.result(10)[0], reference.submit(data).result(10)[0], atol=1e-5)
    stats = engine.stats()
    assert (stats.done, stats.failed, stats.refused, stats.late, stats.waiting) == (12, 0, 0, 0, 0)
    assert len(stats.busy_s) == plan["workers"]
    assert set(asdict(stats)) == {"done", "failed", "refused", "late", "waiting", "busy_s"}


def test_outputs_of_one_frame_are_not_those_of_the_next(bundle: Bundle, opened: Opened) -> None:
    engine = opened(bundle)
    first = engine.submit(picture(1)).result(10)[0]
    kept = first.copy()
    engine.submit(picture(2)).result(10)
    np.testing.assert_array_equal(first, kept)


def order_of(results: list[tuple[str, Future[Any]]]) -> list[str]:
    done: list[str] = []
    for name, result in results:
        result.add_done_callback(lambda _, name=name: done.append(name))
    wait([result for _, result in results], 60)
    return done


@pytest.mark.native
def test_earliest_deadline_is_run_first_and_equal_ones_in_order(slow: Bundle, opened: Opened) -> None:
    engine = opened(slow)
    soon_ns = time.monotonic_ns() + 10**12
    busy = engine.submit(picture())
    deadlines = {"c": soon_ns + 3, "a": soon_ns + 1, "b1": soon_ns + 2, "b2": soon_ns + 2, "b3": soon_ns + 2}
    results = [(name, engine.submit(picture(), deadline_ns)) for name, deadline_ns in deadlines.items()]
    assert not busy.done(), "the queue must have built up before the first was done"
    assert order_of(results) == ["a", "b1", "b2", "b3", "c"]
    assert engine.stats().late == 0


def test_late_ones_are_run_and_counted(bundle: Bundle, opened: Opened) -> None:
    engine = opened(bundle)
    engine.submit(picture(), time.monotonic_ns() - 1).result(10)
    engine.submit(picture(), time.monotonic_ns() + 10**12).result(10)
    assert engine.stats().late == 1


@pytest.mark.native
def test_queue_is_bounded_and_says_so(slow: Bundle, opened: Opened) -> None:
    engine = opened(slow, queue=2)
    results = [engine.submit(picture())]
    while engine.stats().waiting:  # the worker has not taken it yet
        time.sleep(0.001)
    results += [engine.submit(picture()), engine.submit(picture())]
    with pytest.raises(EngineFull, match="2 frames wait already"):
        engine.submit(picture())
    assert engine.stats().refused == 1
    assert engine.stats().waiting == 2
    for result in results:
        result.result(60)
    engine.submit(picture()).result(60)


@pytest.mark.native
def test_two_workers_run_at_the_same_time(slow: Bundle, opened: Opened) -> None:
    engine = opened(slow, workers=2)
    results = [engine.submit(picture()) for _ in range(6)]
    wait(results, 60)
    busy = engine.stats().busy_s
    assert min(busy) > 0.2 * max(busy), busy


def test_input_that_does_not_fit_fails_alone(bundle: Bundle, opened: Opened) -> None:
    engine = opened(bundle)
    wrong = engine.submit(np.zeros((1, 3, 32, 32), np.float32))
    right = engine.submit(picture())
    with pytest.raises(Exception, match="Got invalid dimensions"):
        wrong.result(10)
    assert right.result(10)[0].shape == (1, 84, 9)
    assert (engine.stats().done, engine.stats().failed) == (1, 1)
    assert not engine.stuck(30)


def test_callback_that_raises_does_not_end_the_worker(bundle: Bundle, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    engine = opened(bundle)
    engine.submit(picture()).add_done_callback(_raise)
    engine.submit(picture()).result(10)
    assert "the lane's own mistake" in caplog.text
    assert not engine.stuck(30)


def _raise(_: object) -> None:
    raise ValueError("the lane's own mistake")


@pytest.mark.native
def test_stuck_tells_while_an_inference_takes_too_long(slow: Bundle, opened: Opened) -> None:
    engine = opened(slow)
    assert not engine.stuck(0.02)
    result = engine.submit(picture())
    end_s = time.monotonic() + 10
    while not engine.stuck(0.02):
        assert time.monotonic() < end_s, "an inference of 0.1 s and more was not seen"
        time.sleep(0.002)
    assert not engine.stuck(60)
    result.result(60)
    while engine.stuck(0.02):
        assert time.monotonic() < end_s + 60
        time.sleep(0.002)


def test_stuck_tells_of_a_worker_that_is_gone(bundle: Bundle, opened: Opened) -> None:
    engine = opened(bundle)
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        engine.submit(picture()).add_done_callback(_end_the_thread)
        end_s = time.monotonic() + 10
        while not engine.stuck(1000):
            assert time.monotonic() < end_s, "a dead worker was not seen"
            time.sleep(0.01)
    finally:
        threading.excepthook = hook


def _end_the_thread(_: object) -> None:
    raise SystemExit  # no Exception: futures let it through


@pytest.mark.native
def test_close_cancels_what_waits_and_finishes_what_runs(slow: Bundle) -> None:
    engine = Engine(slow.model_path, slow.manifest, EnginePlan())
    engine.open()
    running = engine.submit(picture())
    while engine.stats().waiting:
        time.sleep(0.001)
    waiting = [engine.submit(picture()) for _ in range(3)]
    assert engine.close(60)
    assert running.result(0)[0].shape == (1, 84, 9)
    for result in waiting:
        with pytest.raises(CancelledError):
            result.result(0)
    with pytest.raises(EngineFull, match="not open"):
        engine.submit(picture())
    assert engine.close(1)
    assert not engine.stuck(0)


@pytest.mark.native
def test_close_does_not_wait_for_a_worker_for_ever(slow: Bundle) -> None:
    engine = Engine(slow.model_path, slow.manifest, EnginePlan())
    engine.open()
    engine.submit(picture())
    while engine.stats().waiting:
        time.sleep(0.001)
    assert not engine.close(0.01)
    assert engine.close(60)


@pytest.mark.native
def test_future_that_was_cancelled_is_not_run(slow: Bundle, opened: Opened) -> None:
    engine = opened(slow)
    engine.submit(picture())
    unwanted = engine.submit(picture())
    assert unwanted.cancel()
    engine.submit(picture()).result(60)
    assert engine.stats().done == 2


def test_idle_engine_uses_no_cpu_time(bundle: Bundle, opened: Opened) -> None:
    engine = opened(bundle, workers=2)
    engine.submit(picture()).result(10)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.05  # spinning threads would use a second each


def test_submit_before_open_is_refused(bundle: Bundle) -> None:
    with pytest.raises(EngineFull, match="not open"):
        Engine(bundle.model_path, bundle.manifest, EnginePlan()).submit(picture())


def test_absent_provider_cannot_start_and_leaves_no_threads(bundle: Bundle) -> None:
    before = threading.active_count()
    with pytest.raises(CannotStart, match="provider cuda"):
        Engine(bundle.model_path, bundle.manifest, EnginePlan(providers=("cuda",))).open()
    assert threading.active_count() == before


def test_open_that_is_interrupted_leaves_no_threads(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(bundle.model_path, bundle.manifest, EnginePlan(workers=2))
    submit, calls = engine.submit, [None, KeyboardInterrupt]

    def interrupted(data: Any, deadline_ns: int = 0) -> Future[Any]:
        if (error := calls.pop(0)) is not None:
            raise error
        return submit(data, deadline_ns)

    monkeypatch.setattr(engine, "submit", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        engine.open()
    assert threading.active_count() == before


def test_changed_file_is_not_run(folder: Path) -> None:
    bundle = load_bundle(folder)
    write_model(folder, tiny_yolox(classes=2), "model.onnx")
    with pytest.raises(BundleError, match="it changed"):
        Engine(bundle.model_path, bundle.manifest, EnginePlan()).open()


def test_plan_without_workers_or_room_for_them_is_refused(bundle: Bundle) -> None:
    for plan in (EnginePlan(workers=0), EnginePlan(workers=3, queue=2)):
        with pytest.raises(ValueError, match="expected at least one worker"):
            Engine(bundle.model_path, bundle.manifest, plan)


def test_model_that_fails_on_zeros_is_refused_and_leaves_no_threads(bundle: Bundle, tmp_path: Path) -> None:
    import hashlib

    from onnx import helper

    model = tiny_yolox()
    last = model.graph.node[-1]
    last.output[0] = "before"
    model.graph.initializer.append(_numbers("beyond", [10_000]))
    model.graph.node.append(helper.make_node("Gather", ["before", "beyond"], ["picked"], axis=1))  # fails when run
    model.graph.node.append(helper.make_node("Sub", ["before", "picked"], ["output"]))
    file = write_model(tmp_path, model)
    manifest = replace(bundle.manifest, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    before = threading.active_count()
    with pytest.raises(BundleError, match="not even on zeros"):
        Engine(file, manifest, EnginePlan()).open()
    assert threading.active_count() == before


def _numbers(name: str, values: list[int]) -> Any:
    from tests.infer.tiny import constant

    return constant(name, values)
