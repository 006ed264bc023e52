"""Looks at everything once a second: restarts lanes that failed or hang, says how the node is, keeps systemd's watchdog quiet.

The clock and what is written to the disk are looked at with it.

what stopped                         what happens
a camera's stream                    its source reconnects by itself: not this module's business
a lane's loop (raised, or silent)    the lane is given up and begun anew, with backoff; a `camera` event says so; a sensor's loop likewise
recorder, publisher, an engine       a thread inside a C library cannot be killed: it is reported, and systemd's watchdog is no
                                     longer fed, so that systemd restarts the process; nothing that was spooled is lost by that
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping

from edge_runtime.runtime.health import HealthReport
from edge_runtime.runtime.node import Node
from edge_runtime.runtime.notify import Notifier, watchdog_interval_s
from edge_runtime.runtime.pulse import Pulses, Silence
from edge_runtime.runtime.stream import StreamRun
from edge_runtime.types import Json

_log = logging.getLogger("edge_runtime.supervisor")

FIRST_RESTART_S = 1.0
LONGEST_RESTART_S = 60.0
STUCK_S = 30.0  # one inference
ABSENT_S = 5.0  # nobody looked around for so long: a reload, or the process was stopped (a paused container)


class Supervisor:
    """`turn` is called about once a second by the daemon's main thread."""

    def __init__(self, node: Node, pulses: Pulses, notifier: Notifier) -> None:
        self._node = node
        self._pulses = pulses
        self._notifier = notifier
        self._report = HealthReport()
        self._turned_s = time.monotonic()
        self._health_due_s = 0.0
        self._ping_s = watchdog_interval_s()
        self._ping_due_s = 0.0
        self._restarts: dict[str, _Backoff] = {}
        self._stalled: frozenset[str] = frozenset()

    def turn(self) -> None:
        """One look around."""
        now_s = time.monotonic()
        absent_s, self._turned_s = now_s - self._turned_s, now_s
        if absent_s > ABSENT_S:
            _log.warning("nobody looked around for %.0f s: the loops are not blamed for that time", absent_s)
            self._pulses.forgive(absent_s)
        self._node.timekeeper.turn()
        self._node.writes.turn()
        silent = {silence.name: silence for silence in self._pulses.silent()}
        for name, run in self._node.streams.items():
            self._look_after(name, run, silent, now_s)
        self._declare(silent)
        if now_s >= self._health_due_s:
            self._health_due_s = now_s + self._node.config.device.health_s
            self.tell_health()
        if self._ping_s is not None and now_s >= self._ping_due_s and not self._stalled:
            self._ping_due_s = now_s + self._ping_s
            self._notifier.alive()

    def health(self) -> Json:
        """The body of `health`, now. Rates are over the time since the last one."""
        node = self._node
        body = self._report.make(node.cameras, node.stations, node.recorder.stats(), node.publisher.stats(), node.clock.state())
        body["sensors"] = {name: run.health() for name, run in node.sensors.items()}
        body["timing"] = node.timekeeper.health()
        body["writes"] = node.writes.health()
        body["stalled"] = sorted(self._stalled)
        return body

    def tell_health(self) -> None:
        """Publish `health` now."""
        node, body = self._node, self.health()
        node.publisher.publish_now(node.enveloper.topic("health"), json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())

    def _look_after(self, name: str, run: StreamRun, silent: Mapping[str, Silence], now_s: float) -> None:
        hanging = [silence for loop, silence in silent.items() if loop.startswith(f"{name}/")]
        if run.failure is None and not hanging:
            return
        backoff = self._restarts.setdefault(name, _Backoff())
        if not backoff.due(now_s):
            return
        if run.failure is not None:
            why = f"{type(run.failure).__name__}: {run.failure}"
        else:
            why = f"the {hanging[0].name.split('/')[-1]} loop said nothing for {hanging[0].silent_s:.0f} s (limit {hanging[0].limit_s:.0f} s)"
        run.restart(why)

    def _declare(self, silent: Mapping[str, Silence]) -> None:
        loops = {name for name in silent if "/" not in name or name.split("/")[0] not in self._node.streams}  # a camera may be called "recorder"
        engines = {f"engine/{name}" for name, station in self._node.stations.items() if station.engine.stuck(STUCK_S)}
        stalled = frozenset(loops | engines)
        for name in sorted(stalled - self._stalled):
            _log.error("%s stalled: the watchdog is no longer fed", name)
        for name in sorted(self._stalled - stalled):
            _log.warning("%s turns again", name)
        self._stalled = stalled


class _Backoff:
    """Restarts of one lane: at once, then after 1, 2, 4 … 60 seconds; ten quiet minutes forgive."""

    def __init__(self) -> None:
        self._wait_s = 0.0
        self._next_s = 0.0

    def due(self, now_s: float) -> bool:
        """Whether a restart may happen now; if so it is taken to happen."""
        if now_s < self._next_s:
            return False
        if now_s - self._next_s > 600:
            self._wait_s = 0.0
        self._wait_s = min(max(FIRST_RESTART_S, 2 * self._wait_s), LONGEST_RESTART_S)
        self._next_s = now_s + self._wait_s
        return True
