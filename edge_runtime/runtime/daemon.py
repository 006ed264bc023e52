"""The daemon's life: start order, the readiness line, signals, and the drain.

SIGTERM, SIGINT   drain: cameras end, windows close as partial, the spool is flushed, the broker is told goodbye; at most DRAIN_S
again             the drain is cut short: what was committed stays in the spool for the next start
SIGHUP            read the config again; a config with an error changes nothing, and says why; the command `reload` is the same
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from edge_runtime.clock import SystemClock
from edge_runtime.errors import EdgeError
from edge_runtime.present.envelope import rfc3339
from edge_runtime.runtime import logs
from edge_runtime.runtime.commands import Commands
from edge_runtime.runtime.diagnostics import diagnostics
from edge_runtime.runtime.notify import Notifier, watchdog_interval_s
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.station import cache_kernels
from edge_runtime.runtime.supervisor import Supervisor
from edge_runtime.types import Json

if TYPE_CHECKING:
    from edge_runtime.config.check import Plan
    from edge_runtime.config.schema import Config
    from edge_runtime.runtime.node import Node

_log = logging.getLogger("edge_runtime.daemon")

DRAIN_S = 10.0
TURN_S = 1.0
COLD_START_S = 120.0  # compiling every kernel on a slow board


class Daemon:
    """Construct, then `run` once, in the main thread."""

    def __init__(self, config_file: Path, overrides: Sequence[str] = ()) -> None:
        self._file = config_file
        self._overrides = tuple(overrides)
        self._began_s = time.monotonic()
        self._woken: SimpleQueue[None] = SimpleQueue()  # the one thing that a signal handler may wake its own thread with
        self._stop = False
        self._draining = False
        self._reload = False
        self._notifier = Notifier()
        self._pulses = Pulses()

    def run(self) -> int:
        """Until SIGTERM. 0 after a clean drain, 3 when something hung in it. Raises ConfigError, BundleError, CannotStart before READY."""
        self._notifier.starting(COLD_START_S)
        cache_kernels()
        config, plan = self._load()
        logs.set_up(config.log.format, config.log.level)
        self._listen()
        node = self._start(config, plan)
        try:
            supervisor = Supervisor(node, self._pulses, self._notifier)
            commands = self._commands(node, supervisor)
            self._announce(node)
            while not self._stop:
                if self._reload:
                    self._reload = False
                    self._reload_on_signal(node)
                supervisor.turn()
                commands.turn()
                self._pause(TURN_S)
            supervisor.tell_health()
        finally:
            clean = self._drain(node)
        return 0 if clean else 3

    def _load(self) -> tuple[Config, Plan]:
        from edge_runtime.config.check import make_plan, require_sound
        from edge_runtime.config.load import load

        loaded = load(self._file, self._overrides)
        require_sound(loaded)
        return loaded.config, make_plan(loaded.config)

    def _start(self, config: Config, plan: Plan) -> Node:
        from edge_runtime.runtime.node import Node

        node = Node(config, plan, SystemClock(), self._pulses)
        node.open()
        node.start()
        return node

    def _announce(self, node: Node) -> None:
        stations = node.stations.values()
        models = ", ".join(f"{each.bundle.manifest.identity} ({each.plan.workers}×{each.plan.threads})" for each in stations)
        device = node.config.device
        cameras = f"{len(node.cameras)} camera{'' if len(node.cameras) == 1 else 's'}"
        if node.sensors:
            cameras += f", {len(node.sensors)} sensor{'' if len(node.sensors) == 1 else 's'}"
        print(
            f"ready: {device.site}/{device.node}, {cameras}, {models or 'no model'}, "
            f"{node.config.mqtt.url}, {time.monotonic() - self._began_s:.2f} s",
            flush=True,
        )
        self._notifier.ready()
        self._notifier.status(cameras)

    def _commands(self, node: Node, supervisor: Supervisor) -> Commands:
        """What the broker may ask of this process."""

        def ping(_: Mapping[str, Json]) -> Mapping[str, Json]:
            return {"time": rfc3339(node.clock.now().wall_ns), "uptime_s": round(time.monotonic() - self._began_s, 1)}

        def dump(_: Mapping[str, Json]) -> Mapping[str, Json]:
            return diagnostics(node.config, node.info(), supervisor.health())

        def reload(_: Mapping[str, Json]) -> Mapping[str, Json]:
            return {"begun_anew": self._apply(node)}

        node.publisher.desk.listen(lambda: self._woken.put(None))
        return Commands(node.publisher.desk, {"ping": ping, "dump": dump, "reload": reload})

    def _reload_on_signal(self, node: Node) -> None:
        """The one place where a failed change must not end the process: it was reverted, and said."""
        with contextlib.suppress(EdgeError):
            self._apply(node)

    def _apply(self, node: Node) -> list[str]:
        """Take over the config file as it is now; what was begun anew. Raises EdgeError when everything goes on as before."""
        self._notifier.reloading()
        interval_s = watchdog_interval_s()
        if interval_s is not None:  # a new model may take long to load, and nobody gives signs of life meanwhile
            self._notifier.patience(COLD_START_S)
        try:
            config, plan = self._load()
            touched = node.apply(config, plan)
        except EdgeError as error:
            _log.error("%s was not taken over, everything goes on as before:\n%s", self._file, error)
            node.tell_info(refused=str(error))
            raise
        else:
            logs.set_up(config.log.format, config.log.level)
            _log.info("%s taken over; cameras begun anew: %s", self._file, ", ".join(touched) or "none")
            return touched
        finally:
            if interval_s is not None:
                self._notifier.patience(2 * interval_s)
            self._notifier.ready()

    def _pause(self, seconds: float) -> None:
        """Until a signal comes, at most `seconds`. No lock of Python's may be held here that a handler would take: it runs in this thread."""
        with contextlib.suppress(Empty):
            self._woken.get(timeout=seconds)

    def _drain(self, node: Node) -> bool:
        self._notifier.stopping()
        self._draining = True
        clean = node.close(DRAIN_S)
        _log.log(logging.INFO if clean else logging.ERROR, "stopped%s", "" if clean else ": something hung and was left behind; see above")
        return clean

    def _listen(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a signal handler
        if self._draining:
            sys.exit(3)
        self._stop = True
        self._woken.put(None)

    def _on_reload(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a signal handler
        self._reload = True
        self._woken.put(None)
