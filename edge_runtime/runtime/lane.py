"""One camera through its stages: three threads that only move data, around state machines that only compute.

    read    source ─► mailbox                     live: latest wins, drops counted · replay: waits, drops nothing
    feed    mailbox ─► gate ─► place in the engine ─► preprocess ─► submit ─► pending, in frame order
    settle  pending ─► result ─► decode ─► Analysis ─► outlet

Everything clever about running (timing, counters, completeness, failure) is here, so that the stages stay dull.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from numpy.typing import NDArray

from edge_runtime.clock import Clock
from edge_runtime.config.schema import CameraConfig
from edge_runtime.contracts import Source
from edge_runtime.errors import EdgeError, Exhausted
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.eye import Eye
from edge_runtime.runtime.mailbox import Mailbox
from edge_runtime.runtime.outlet import Outlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.types import Detections, Event, Frame, Geometry, Size, Stamp, Tick, Tracks

_log = logging.getLogger("edge_runtime.lane")
_TURN_S = 0.25  # how long a loop waits before it looks around and beats
_LATE_NS = 2_000_000_000  # with no frame for so long, time itself closes windows
_CHECKPOINT_NS = 10_000_000_000

Watcher = Callable[[Frame, Detections, Tracks], None]


@dataclass(frozen=True, slots=True)
class _Job:
    stamp: Stamp
    size: Size
    geometry: Geometry | None  # None: the gate saw nothing move
    result: Future[list[NDArray[Any]]] | None
    frame: Frame | None  # kept only for a watcher


@dataclass(slots=True)
class LaneCounters:
    """What one lane did so far; each field is written by one thread only."""

    read: int = 0
    dropped: int = 0  # replaced by a newer frame before the engine had a place
    still: int = 0
    processed: int = 0
    failed: int = 0  # inference raised
    latency_ms: float = 0.0  # capture to events, smoothed
    read_s: float = 0.0
    prepare_s: float = 0.0
    decode_s: float = 0.0
    analyse_s: float = 0.0


class Lane:
    """Runs one camera until stopped or its footage ends. `start` once; `stop` any time; `finished` tells."""

    def __init__(
        self,
        camera: CameraConfig,
        source: Source[Frame],
        *,
        eye: Eye,
        analysis: Analysis,
        outlet: Outlet,
        clock: Clock,
        pulses: Pulses,
        replay: bool = False,
        watcher: Watcher | None = None,
        frame_limit: int | None = None,
    ) -> None:
        self.camera = camera
        self.source = source
        self.counters = LaneCounters()
        self.failure: BaseException | None = None
        self.analysis = analysis
        self._eye = eye
        self._outlet = outlet
        self._clock = clock
        self._pulses = pulses
        self._replay = replay
        self._watcher = watcher
        self.frame_limit = frame_limit
        self._mailbox: Mailbox[Frame] = Mailbox(capacity=2 if replay else 1, latest_wins=not replay)
        self._pending: SimpleQueue[_Job | None] = SimpleQueue()
        self._in_flight = threading.Semaphore(eye.places + 2)  # bounds `pending`
        self._stopping = threading.Event()
        self._abandoned = False
        self._pulse_lock = threading.Lock()  # a beat of an abandoned lane would stand for the lane that took its place, or for nobody
        self._checkpoint_ns = 0
        self._last = Tick(0, 0)
        loops = (("read", self._read), ("feed", self._feed), ("settle", self._settle))
        self._threads = [threading.Thread(target=self._guard, args=(name, loop), name=f"{camera.name}/{name}", daemon=True) for name, loop in loops]

    def start(self) -> None:
        """Begin. Returns at once."""
        if not self._replay:
            self._emit(self.analysis.begin(self._clock.now()))
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Ask the loops to end after what is in flight. Returns at once."""
        self._stopping.set()
        self._mailbox.close()  # the reading loop may be busy opening a camera that is away; what was read is finished without it

    def stop(self, deadline_s: float) -> bool:
        """`ask_to_stop`, and wait. False when some loop did not end within `deadline_s`."""
        self.ask_to_stop()
        return self.join(deadline_s)

    def join(self, timeout: float) -> bool:
        """Wait for the end of footage. False when still running after `timeout` seconds."""
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():  # one that was never started cannot be joined
                thread.join(max(0.0, end - time.monotonic()))
        return self.finished

    @property
    def finished(self) -> bool:
        """Every loop has ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def abandon(self) -> None:
        """Forget a lane that hangs: its threads may never end, so nobody waits for their beats. Its owner shuts its outlet first."""
        self.ask_to_stop()
        with self._pulse_lock:
            self._abandoned = True
            for thread in self._threads:
                self._pulses.retire(thread.name)
        self._eye.forfeit()

    # -- loops ---------------------------------------------------------------------------------------------------------------

    def _guard(self, name: str, loop: Callable[[], None]) -> None:
        """The one place of a lane that catches everything: the supervisor reads `failure` and starts the lane anew."""
        try:
            loop()
        except Exception as error:  # noqa: BLE001 - see above
            self.failure = error  # whoever reads it says it; a trace is for what nobody expected
            _log.log(logging.DEBUG if isinstance(error, EdgeError) else logging.ERROR, "%s/%s failed", self.camera.name, name, exc_info=True)
            self._stopping.set()
        finally:
            with self._pulse_lock:
                if not self._abandoned:
                    self._pulses.retire(f"{self.camera.name}/{name}")
            if name == "read":
                self._mailbox.close()
            elif name == "feed":
                self._pending.put(None)

    def _beat(self, name: str) -> None:
        with self._pulse_lock:
            if not self._abandoned:
                self._pulses.beat(f"{self.camera.name}/{name}")

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                self._beat("read")
                began = time.perf_counter()
                frame = self.source.read(_TURN_S)
                self.counters.read_s += time.perf_counter() - began
                if frame is None:
                    continue
                self.counters.read += 1
                self._hand_over(frame)
                if self.frame_limit is not None and self.counters.read >= self.frame_limit:
                    return
        except Exhausted:
            return
        finally:
            self.source.close()

    def _hand_over(self, frame: Frame) -> None:
        loser = self._mailbox.put(frame, _TURN_S)
        while loser is frame and not self._stopping.is_set():  # replay: the taker is slower
            self._beat("read")
            loser = self._mailbox.put(frame, _TURN_S)
        if loser is not None:
            self._drop(loser)

    def _drop(self, frame: Frame) -> None:
        self.counters.dropped += 1
        frame.release()

    def _feed(self) -> None:
        deadline_ns = 0
        period_ns = round(1e9 / self.camera.fps)
        while not self._mailbox.exhausted:
            self._beat("feed")
            frame = self._mailbox.get(_TURN_S)
            if frame is None:
                continue
            if self._eye.still(frame):
                self.counters.still += 1
                self._put(_Job(frame.stamp, frame.upright, None, None, self._watched(frame)))
                continue
            if not self._place(deadline_ns):
                self._drop(frame)
                continue
            if not self._replay and (newer := self._mailbox.get(0)) is not None:
                self._drop(frame)
                frame = newer
            deadline_ns = time.monotonic_ns() + period_ns
            began = time.perf_counter()
            geometry, result = self._eye.look(frame, deadline_ns)
            self.counters.prepare_s += time.perf_counter() - began
            self._put(_Job(frame.stamp, frame.upright, geometry, result, self._watched(frame)))

    def _place(self, deadline_ns: int) -> bool:
        while not self._eye.acquire(deadline_ns, _TURN_S):
            self._beat("feed")
            if self._stopping.is_set() and not self._replay:
                return False
        return True

    def _watched(self, frame: Frame) -> Frame | None:
        if self._watcher is not None:
            return frame
        frame.release()
        return None

    def _put(self, job: _Job) -> None:
        while not self._in_flight.acquire(timeout=_TURN_S):
            self._beat("feed")
            if self.failure is not None or self._abandoned:  # nobody settles any more
                return
        self._pending.put(job)

    def _settle(self) -> None:
        while True:
            self._beat("settle")
            try:
                job = self._pending.get(timeout=_TURN_S)
            except Empty:
                self._idle()
                continue
            if job is None:
                break
            self._in_flight.release()
            self._finish_job(job)
        self._emit(self.analysis.finish(self._end()), checkpoint=True)

    def _end(self) -> Tick:
        """The end of what was seen: now, or of footage the end of its last frame."""
        if not self._replay:
            return max(self._last, self._clock.now())
        shown_ns = round(1e9 / min(self.camera.fps, self.analysis.stream_fps() or self.camera.fps))
        return Tick(self._last.mono_ns + shown_ns, self._last.wall_ns + shown_ns)

    def _finish_job(self, job: _Job) -> None:
        self._last = Tick(job.stamp.mono_ns, job.stamp.wall_ns)
        self.analysis.resize(job.size)
        detections = Detections.empty(job.stamp)
        if job.result is None or job.geometry is None:
            began = time.perf_counter()
            outcome = self.analysis.step_still(job.stamp)
        else:
            outputs = self._outputs(job.result)
            if outputs is None:
                self._emit(self.analysis.advance(self._last))  # windows close also while every inference fails
                return
            decoding = time.perf_counter()
            detections = self._eye.decode(outputs, job.stamp, job.geometry)
            began = time.perf_counter()
            self.counters.decode_s += began - decoding
            outcome = self.analysis.step(detections)
        self.counters.analyse_s += time.perf_counter() - began
        self.counters.processed += 1
        if not self._replay:
            latency_ms = (self._clock.now().mono_ns - job.stamp.mono_ns) / 1e6
            self.counters.latency_ms += 0.1 * (latency_ms - self.counters.latency_ms)
        self._emit(outcome.events)
        if self.camera.live:
            self._outlet.live(self.camera.name, outcome.tracks)
        if self._watcher is not None and job.frame is not None:
            self._watcher(job.frame, detections, outcome.tracks)
            job.frame.release()

    def _outputs(self, result: Future[list[NDArray[Any]]]) -> list[NDArray[Any]] | None:
        """The raw outputs; None when inference failed on this frame, which is counted and shows as a frame not processed."""
        while not result.done():
            self._beat("settle")
            wait([result], _TURN_S)
        if result.cancelled():  # the engine was closed: this frame counts as not processed
            return None
        error = result.exception()
        if error is None:
            return result.result()
        self.counters.failed += 1
        if self.counters.failed == 1:
            _log.error("%s: inference failed on a frame: %s", self.camera.name, error)
        return None

    def _idle(self) -> None:
        if self._replay:
            return
        now = self._clock.now()
        if now.mono_ns - self._last.mono_ns < _LATE_NS:
            return
        late = Tick(now.mono_ns - _LATE_NS, now.wall_ns - _LATE_NS)
        if late.mono_ns > self._last.mono_ns:
            self._emit(self.analysis.advance(late))

    # -- out -----------------------------------------------------------------------------------------------------------------

    def _emit(self, events: Sequence[Event], *, checkpoint: bool = False) -> None:
        now_ns = time.monotonic_ns()
        due = self._outlet.durable and (checkpoint or bool(events) or now_ns - self._checkpoint_ns >= _CHECKPOINT_NS)
        if not events and not due:
            return
        state = {f"lane/{self.camera.name}": self.analysis.snapshot()} if due else {}
        if due:
            self._checkpoint_ns = now_ns
        self._outlet.emit(events, state)
