"""One stream of the daemon that has no picture: bursts of numbers become events, and the state that counts them goes into the same transaction.

LoadSource ─► Burst ─► Event(load, n) × count ─┐
                                               ├─► outlet, together: after a crash `n` goes on exactly where the spool ends
                      state {"n": last} ───────┘
"""

from __future__ import annotations

import logging
import threading

from edge_runtime.clock import Clock
from edge_runtime.config.schema import SensorConfig
from edge_runtime.errors import EdgeError
from edge_runtime.runtime.outlet import Outlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.stream import Tap
from edge_runtime.sources.sim.load import Burst, LoadSource
from edge_runtime.sources.sim.options import LoadOptions, parse_sim
from edge_runtime.types import Event, Json, Tick

_log = logging.getLogger("edge_runtime.sensor")
_TURN_S = 0.25
_TOGETHER = 500  # events of one transaction: a state is stored with no more than it counts


class SensorRun:
    """Starts, watches and restarts one sensor's loop. A `StreamRun`."""

    def __init__(self, sensor: SensorConfig, outlet: Outlet, clock: Clock, pulses: Pulses) -> None:
        options = parse_sim(sensor.source)
        assert isinstance(options, LoadOptions)  # the config takes nothing else
        self.sensor = sensor
        self.restarts = 0
        self._options = options
        self._outlet = outlet
        self._clock = clock
        self._pulses = pulses
        self._build(None)

    def _build(self, saved: Json) -> None:
        self._tap = Tap(self._outlet, saved)
        self._loop = _Loop(self.sensor.name, LoadSource(self._options, self._last_of(saved) + 1), self._tap, self._clock, self._pulses)

    @staticmethod
    def _last_of(saved: Json) -> int:
        return 0 if saved is None else int(saved["n"])

    def start(self, saved: Json) -> None:
        """Begin, with the number after the last one that is in `saved`."""
        if saved is not None:
            self._build(saved)
        self._loop.start()

    def restart(self, why: str) -> None:
        """Give the loop up and begin a new one where the last commit stood."""
        self.restarts += 1
        _log.error("%s: %s: starting it anew", self.sensor.name, why)
        self._tap.shut()
        self._loop.abandon()
        self._build(self._tap.state)
        self._loop.start()

    @property
    def failure(self) -> BaseException | None:
        """Why the loop ended that should not have."""
        return self._loop.failure

    @property
    def finished(self) -> bool:
        """The loop has ended."""
        return not self._loop.is_alive()

    def ask_to_stop(self) -> None:
        """End after the burst in hand."""
        self._loop.stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end."""
        if self._loop.ident is not None:
            self._loop.join(timeout)
        return self.finished

    def interrupt(self) -> None:
        """Nothing: the loop waits for its own clock only."""

    def stop(self, deadline_s: float) -> Json:
        """End; the state to carry on from."""
        self.ask_to_stop()
        if not self.join(deadline_s):
            self._tap.shut()
            self._loop.abandon()
        return self._tap.state

    def health(self) -> Json:
        """Numbers for the node's `health`: `n` is the last number given to the spool, `moved_s` how far the schedule had to be moved in all."""
        failure = self.failure
        return {
            "state": "failed" if failure is not None else "ended" if self.finished else "live",
            "reason": "" if failure is None else str(failure),
            "n": self._last_of(self._tap.state),
            "moved_s": round(self._loop.source.moved_s, 3),
            "restarts": self.restarts,
        }


class _Loop(threading.Thread):
    """Reads the source and emits; ends when asked to, or with `failure`."""

    def __init__(self, name: str, source: LoadSource, tap: Tap, clock: Clock, pulses: Pulses) -> None:
        super().__init__(name=f"{name}/emit", daemon=True)
        self.source = source
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self._stream = name
        self._tap = tap
        self._clock = clock
        self._pulses = pulses
        self._pulse_lock = threading.Lock()  # a beat of an abandoned loop would stand for the one that took its place
        self._abandoned = False

    def run(self) -> None:
        """Until asked to stop. What it raises is kept for the supervisor, which begins it anew."""
        try:
            self.source.open()
            while not self.stopping.is_set():
                self._beat()
                burst = self.source.read(_TURN_S)
                if burst is not None:
                    self._emit(burst)
        except Exception as error:  # noqa: BLE001 - see above
            self.failure = error
            _log.log(logging.DEBUG if isinstance(error, EdgeError) else logging.ERROR, "%s failed", self.name, exc_info=True)
        finally:
            self.source.close()
            with self._pulse_lock:
                if not self._abandoned:
                    self._pulses.retire(self.name)

    def abandon(self) -> None:
        """Forget it: its owner has shut its tap."""
        self.stopping.set()
        with self._pulse_lock:
            self._abandoned = True
            self._pulses.retire(self.name)

    def _beat(self) -> None:
        with self._pulse_lock:
            if not self._abandoned:
                self._pulses.beat(self.name)

    def _emit(self, burst: Burst) -> None:
        now = self._clock.now()
        wall_less_mono_ns = now.wall_ns - now.mono_ns
        for first in range(0, burst.count, _TOGETHER):
            events = []
            for index in range(first, min(burst.count, first + _TOGETHER)):
                mono_ns = burst.due_ns + round(index * burst.period_ns)
                events.append(Event("load", self._stream, Tick(mono_ns, mono_ns + wall_less_mono_ns), {"n": burst.first + index}))
            self._tap.emit(events, {f"sensor/{self._stream}": {"n": burst.first + first + len(events) - 1}})
