"""The engine: workers on ONNX Runtime sessions behind one queue, earliest deadline first.

     lane ──submit(tensor, deadline)──►┐             ┌─► worker 0 (own thread) ─► Future
     lane ──submit(tensor, deadline)──►├─ heap (≤ n) ┤
     lane ──submit(tensor, deadline)──►┘             └─► worker 1 (own thread) ─► Future

Whoever submits keeps its tensor unchanged until the future is done (it is not copied), and puts results back into frame order itself.
Equal deadlines are served in the order of submission. Spinning is off: an idle engine costs no CPU time, and a busy one only its own.

Workers of one thread share one session: `run` may be called by several threads at once, and computes in the thread that calls it. Measured with
a 3.7 MB detector and two workers: as fast as two sessions, 12 MB less, and loaded once. Sessions with a pool of threads are one a worker.
Binding outputs to buffers of our own was measured too, and saves 0.4 % of an inference: not worth their bookkeeping.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError, CannotStart, EdgeError
from edge_runtime.infer.session import checked_model, input_shape, start_session
from edge_runtime.manifest import Manifest

Outputs = list[NDArray[Any]]

WARM_UP_LIMIT_S = 300.0  # a TensorRT engine is built in the first run


class EngineFull(EdgeError):
    """The queue is at its bound, or the engine is closed: the frame must be dropped and counted by whoever submitted it."""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """What "auto" resolved to: workers side by side, threads inside each, providers by their names in device.toml, bound of the queue."""

    workers: int = 1
    threads: int = 1
    providers: tuple[str, ...] = ("cpu",)
    queue: int = 64


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters since `open`. `late` were begun after their deadline; `busy_s` is time inside ONNX Runtime, a worker."""

    done: int
    failed: int
    refused: int
    late: int
    waiting: int
    busy_s: tuple[float, ...]


@dataclass(order=True, slots=True)
class _Job:
    """One queued inference; the order of the heap is (deadline, number)."""

    deadline_ns: int
    number: int
    data: NDArray[Any] = field(compare=False)
    future: Future[Outputs] = field(compare=False)


class Engine:
    """Runs one model. Construction only remembers; `open` loads, starts the workers and warms them up.

    `submit`, `stats` and `stuck` may be called from any thread; `open` and `close` from one. Not opened again after `close`.
    """

    def __init__(self, model_path: Path, manifest: Manifest, plan: EnginePlan) -> None:
        if not 1 <= plan.workers <= plan.queue:
            raise ValueError(f"{plan.workers} workers with a queue of {plan.queue}: expected at least one worker, and a place for each in the queue")
        self._path = model_path
        self._manifest = manifest
        self._plan = plan
        self._changed = threading.Condition()
        self._heap: list[_Job] = []
        self._workers: list[_Worker] = []
        self._meet = threading.Barrier(plan.workers)
        self._number = 0
        self._refused = 0
        self._open = False

    def open(self) -> None:
        """Load the model, start the workers, and run each once on zeros, all at the same time, so that memory is claimed before READY.

        Raises BundleError (the file is unsafe, changed, does not fit its manifest, or fails on zeros), CannotStart (a provider is absent).
        """
        stem = self._manifest.name
        self._workers = [_Worker(f"infer-{stem}-{number}", session, self) for number, session in enumerate(self._sessions())]
        self._open = True
        for worker in self._workers:
            worker.thread.start()
        try:
            self._warm_up()
        except BaseException:
            self.close(1.0)
            raise

    def submit(self, data: NDArray[Any], deadline_ns: int = 0) -> Future[Outputs]:
        """Queue one input. `deadline_ns` is monotonic and orders the queue; nothing is dropped for being late.

        The future's arrays belong to whoever takes them; it raises what ONNX Runtime raised, or is cancelled by `close`.
        Raises EngineFull at the queue's bound, or when not open.
        """
        future: Future[Outputs] = Future()
        with self._changed:
            if not self._open or len(self._heap) >= self._plan.queue:
                self._refused += 1
                raise EngineFull(f"{self._manifest.identity}: " + (f"{self._plan.queue} frames wait already" if self._open else "not open"))
            self._number += 1
            heapq.heappush(self._heap, _Job(deadline_ns, self._number, data, future))
            self._changed.notify()
        return future

    def take(self) -> _Job | None:
        """Wait for the most urgent job; None when the engine is closed. For its workers."""
        with self._changed:
            while self._open and not self._heap:
                self._changed.wait()
            return heapq.heappop(self._heap) if self._open else None

    def meet(self) -> None:
        """Wait until every worker has its first job. For its workers: memory for all of them at once is claimed before READY."""
        with contextlib.suppress(threading.BrokenBarrierError):  # closed meanwhile
            self._meet.wait()

    def stats(self) -> EngineStats:
        """What was done so far."""
        with self._changed:
            waiting, refused = len(self._heap), self._refused
        workers = self._workers
        return EngineStats(
            done=sum(worker.done for worker in workers),
            failed=sum(worker.failed for worker in workers),
            refused=refused,
            late=sum(worker.late for worker in workers),
            waiting=waiting,
            busy_s=tuple(round(worker.busy_ns / 1e9, 3) for worker in workers),
        )

    def stuck(self, limit_s: float) -> bool:
        """Whether a worker has been inside one inference for more than `limit_s`, or is gone: neither heals by itself."""
        now_ns = time.monotonic_ns()
        return self._open and any(worker.gone or worker.running_s(now_ns) > limit_s for worker in self._workers)

    def close(self, deadline_s: float) -> bool:
        """Cancel what waits, let what runs finish. False when a worker did not end within `deadline_s`. Idempotent."""
        with self._changed:
            self._open = False
            waiting, self._heap = self._heap, []
            self._changed.notify_all()
        self._meet.abort()
        for job in waiting:
            job.future.cancel()
        end_s = time.monotonic() + deadline_s
        for worker in self._workers:
            worker.thread.join(max(0.0, end_s - time.monotonic()))
        return all(worker.gone for worker in self._workers)

    def _sessions(self) -> list[Any]:
        data = checked_model(self._path, self._manifest)
        plan = self._plan
        if plan.threads == 1:
            return [start_session(data, self._manifest, plan.providers, 1)] * plan.workers
        return [start_session(data, self._manifest, plan.providers, plan.threads) for _ in range(plan.workers)]

    def _warm_up(self) -> None:
        model = self._manifest.inputs[0]
        zeros = np.zeros(input_shape(model), model.dtype)
        for result in [self.submit(zeros) for _ in self._workers]:
            try:
                error = result.exception(WARM_UP_LIMIT_S)
            except FutureTimeout:
                raise CannotStart(f"{self._manifest.identity}: its first inference did not end within {WARM_UP_LIMIT_S:.0f} s") from None
            if error is not None:
                raise BundleError(f"{self._manifest.identity}: cannot be run, not even on zeros: {error}") from error
        for worker in self._workers:
            worker.forget()


class _Worker:
    """One thread that takes jobs and runs them. Counters are written by it alone."""

    def __init__(self, name: str, session: Any, engine: Engine) -> None:
        self.thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._session = session
        self._input: str = session.get_inputs()[0].name
        self._engine = engine
        self._since_ns = 0  # 0: not in an inference
        self.forget()

    def forget(self) -> None:
        """Counters start at zero."""
        self.done = self.failed = self.late = self.busy_ns = 0

    @property
    def gone(self) -> bool:
        return not self.thread.is_alive()

    def running_s(self, now_ns: int) -> float:
        """For how long the current inference has been running."""
        since_ns = self._since_ns
        return (now_ns - since_ns) / 1e9 if since_ns else 0.0

    def _loop(self) -> None:
        first = True
        while (job := self._engine.take()) is not None:
            if first:
                self._engine.meet()
                first = False
            if job.future.set_running_or_notify_cancel():
                self._run(job)

    def _run(self, job: _Job) -> None:
        self._since_ns = began_ns = time.monotonic_ns()
        self.late += bool(job.deadline_ns) and began_ns > job.deadline_ns
        try:
            outputs = self._session.run(None, {self._input: job.data})
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever submitted this input
            self.failed += 1
            outcome: Outputs | Exception = error
        else:
            self.done += 1
            outcome = outputs
        self.busy_ns += time.monotonic_ns() - began_ns
        self._since_ns = 0
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
