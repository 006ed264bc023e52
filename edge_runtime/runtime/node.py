"""Everything that one config brings to life, in the order in which it starts:

    recorder (disk) ─► publisher (broker) ─► stations (models) ─► cameras, sensors
         stop order is the reverse: what was seen is on disk before the broker is told goodbye

`apply` moves from one config to another while untouched cameras go on undisturbed.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from typing import TYPE_CHECKING

from edge_runtime import __version__
from edge_runtime.clock import Clock
from edge_runtime.config.schema import CameraConfig, Config, ModelConfig, SensorConfig
from edge_runtime.errors import EdgeError
from edge_runtime.runtime import writes
from edge_runtime.runtime.camera import CameraRun
from edge_runtime.runtime.outlet import SpoolOutlet
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.sensor import SensorRun
from edge_runtime.runtime.station import Station, open_stations
from edge_runtime.runtime.stream import StreamRun, stop_together
from edge_runtime.runtime.timekeeping import Timekeeper
from edge_runtime.runtime.writes import WriteBudget
from edge_runtime.types import Event, Json, Tick

if TYPE_CHECKING:
    from edge_runtime.config.check import Plan

_log = logging.getLogger("edge_runtime.node")

REFUSED_CHARS = 4000  # of the reason why a config was not taken over, in `info`; the log has all of it
LIVE_SECTIONS = ("model", "camera", "sensor", "log")  # what `apply` can change; the others need a restart


class NeedsRestart(EdgeError):
    """The new config changes what a running daemon cannot change."""


class Node:
    """One device at work. One thread calls it."""

    def __init__(self, config: Config, plan: Plan, clock: Clock, pulses: Pulses) -> None:
        from edge_runtime.present.envelope import Enveloper
        from edge_runtime.runtime.publisher import Publisher
        from edge_runtime.runtime.recorder import Recorder

        self.config = config
        self.plan = plan
        self.stations: dict[str, Station] = {}
        self.cameras: dict[str, CameraRun] = {}
        self.sensors: dict[str, SensorRun] = {}
        self.clock = clock
        self._pulses = pulses
        device = config.device
        self.enveloper = Enveloper(device.site, device.node, device.location)
        self.recorder = Recorder(config.spool, self.enveloper, pulses, clock)
        client_id = config.mqtt.client_id or f"{device.site}-{device.node}"
        self.publisher = Publisher(config.mqtt, self.enveloper, client_id, self.recorder, pulses)
        self._outlet = SpoolOutlet(self.enveloper, self.recorder, self.publisher, clock)
        self.timekeeper = Timekeeper(clock, self.recorder.boot, self.recorder.synchronised, self._tell)
        self.writes = WriteBudget(device.write_budget, clock, self._tell, lambda state: self.recorder.record([], {writes.STATE: state}))

    def open(self) -> None:
        """Disk, broker and models. Raises CannotStart, BundleError; what was opened before is closed then."""
        self.recorder.open()
        self.writes.restore(self.recorder.saved(writes.STATE))
        try:
            self.recorder.start()
            self.publisher.start()
            self.stations = open_stations(self.config, self.plan.engines)
            for camera in self.config.camera:
                self.cameras[camera.name] = self._make(camera, self.stations)
            self.sensors = {sensor.name: self._make_sensor(sensor) for sensor in self.config.sensor}
        except BaseException:
            self.close(2.0)
            raise

    def start(self) -> None:
        """Let the cameras run; the time since the last sign of life of an earlier process is declared as a gap of each stream, and of the node."""
        self._declare_down()
        for name, run in self.cameras.items():
            run.start(self._outlet.saved("lane", name))
        for name, sensor in self.sensors.items():
            sensor.start(self._outlet.saved("sensor", name))
        self._forget_leavers()
        self.tell_info()

    def apply(self, config: Config, plan: Plan) -> list[str]:
        """Move to another config; the names of the cameras and sensors that were (re)started. On any error everything goes on as it was.

        Raises NeedsRestart, BundleError, CannotStart.
        """
        fixed = [each.name for each in fields(Config) if each.name not in (*LIVE_SECTIONS, "file")]
        changed = [name for name in fixed if getattr(config, name) != getattr(self.config, name)]
        if changed:
            raise NeedsRestart(f"[{'], ['.join(changed)}] changed: restart the service to apply that; nothing was changed")
        kept = {name: station for name, station in self.stations.items() if self._same_model(name, config, plan)}
        stations = open_stations(config, plan.engines, kept)
        touched = [camera.name for camera in config.camera if self._touched(camera, stations)]
        fresh = self._prepare(config, touched, stations, kept)
        self._swap(config, touched, fresh)
        touched += self._swap_sensors(config)
        for name, station in self.stations.items():
            if stations.get(name) is not station:
                station.close(2.0)
        self.stations = stations
        self.config = config
        self.plan = plan
        self._forget_leavers()
        self.tell_info()
        return touched

    def close(self, deadline_s: float) -> bool:
        """Drain within `deadline_s`: cameras end, the spool is on disk, the broker gets what it can take. False when something hung."""
        end_s = time.monotonic() + deadline_s
        stop_together(self.streams, 0.6 * deadline_s)
        clean = all(run.finished for run in self.streams.values())
        for station in self.stations.values():
            station.close(max(0.1, end_s - time.monotonic() - 0.4 * deadline_s))
        self.writes.keep()
        clean = self.recorder.flush(max(0.1, end_s - time.monotonic() - 0.3 * deadline_s)) and clean
        self.publisher.close(max(0.1, end_s - time.monotonic() - 0.1 * deadline_s))
        self.recorder.close(max(0.1, end_s - time.monotonic()))
        return clean

    @property
    def streams(self) -> dict[str, StreamRun]:
        """Cameras and sensors by name."""
        return {**self.cameras, **self.sensors}

    def tell_info(self, refused: str = "") -> None:
        """Publish the retained `info`: what this node is, and what "auto" resolved to. `refused`: why the newest config was not taken over."""
        info = {**self.info(), "config": {"refused": refused[:REFUSED_CHARS] or None}}
        self.publisher.retain(self.enveloper.topic("info"), json.dumps(info, separators=(",", ":"), ensure_ascii=False).encode())

    def info(self) -> Json:
        """What this node is, without the fate of the newest config."""
        from edge_runtime.sources import redact

        return {
            "v": 1,
            "version": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "packages": {name: metadata.version(name) for name in ("onnxruntime", "numba", "av", "numpy", "paho-mqtt")},
            "models": {
                name: {"model": station.bundle.manifest.identity, "sha256": station.bundle.manifest.sha256} for name, station in self.stations.items()
            },
            "streams": {
                name: {"source": redact(run.camera.source), "model": run.camera.model, "fps": run.camera.fps} for name, run in self.cameras.items()
            },
            "sensors": {name: {"source": run.sensor.source} for name, run in self.sensors.items()},
            "plan": self.plan.as_json(),
        }

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _make(self, camera: CameraConfig, stations: Mapping[str, Station]) -> CameraRun:
        return CameraRun(camera, stations[camera.model], self._outlet, self.clock, self._pulses)

    def _make_sensor(self, sensor: SensorConfig) -> SensorRun:
        return SensorRun(sensor, self._outlet, self.clock, self._pulses)

    def _prepare(self, config: Config, touched: list[str], stations: Mapping[str, Station], kept: Mapping[str, Station]) -> dict[str, CameraRun]:
        """The new cameras, ready to start. When one cannot be made, the new models are let go again."""
        try:
            return {camera.name: self._make(camera, stations) for camera in config.camera if camera.name in touched}
        except BaseException:
            for name, station in stations.items():
                if name not in kept:
                    station.close(1.0)
            raise

    def _swap(self, config: Config, touched: list[str], fresh: Mapping[str, CameraRun]) -> None:
        wanted = {camera.name for camera in config.camera}
        leaving = [name for name in self.cameras if name not in wanted or name in touched]
        states = stop_together({name: self.cameras.pop(name) for name in leaving}, 5.0)
        for name, run in fresh.items():
            run.start(states.get(name) or self._outlet.saved("lane", name))
        order = {**self.cameras, **fresh}
        self.cameras = {camera.name: order[camera.name] for camera in config.camera}

    def _swap_sensors(self, config: Config) -> list[str]:
        """Sensors of the new config; those that did not change go on undisturbed. The names of the others."""
        wanted = {sensor.name: sensor for sensor in config.sensor}
        leaving = {name: run for name, run in self.sensors.items() if wanted.get(name) != run.sensor}
        states = stop_together(leaving, 5.0)
        fresh = {name: self._make_sensor(sensor) for name, sensor in wanted.items() if name in leaving or name not in self.sensors}
        for name, run in fresh.items():
            run.start(states.get(name) or self._outlet.saved("sensor", name))
        self.sensors = {name: fresh[name] if name in fresh else self.sensors[name] for name in wanted}
        return list(fresh)

    def _same_model(self, name: str, config: Config, plan: Plan) -> bool:
        def of(where: Config) -> ModelConfig | None:
            return next((model for model in where.model if model.name == name), None)

        if of(config) != of(self.config) or plan.engines.get(name) != self.plan.engines.get(name):
            return False
        from edge_runtime.config.check import bundle_of

        model = of(config)
        return model is not None and bundle_of(config, model).manifest == self.stations[name].bundle.manifest

    def _touched(self, camera: CameraConfig, stations: Mapping[str, Station]) -> bool:
        running = self.cameras.get(camera.name)
        return running is None or running.camera != camera or running.station is not stations[camera.model]

    def _forget_leavers(self) -> None:
        self._outlet.forget({*(f"lane/{name}" for name in self.cameras), *(f"sensor/{name}" for name in self.sensors)})

    def _declare_down(self) -> None:
        """Gaps and the first sign of life go into one transaction: a start that fails before it leaves the time to the next one."""
        alive, now = self.recorder.last_alive(), self.clock.now()
        gaps = [] if alive is None else [self._down(name, alive, now) for name in (*self.streams, "node")]
        envelopes = [self.enveloper.wrap(gap, trust) for gap, trust in zip(gaps, self.clock.trust([gap.time for gap in gaps]), strict=True)]
        self.recorder.record(envelopes, self.recorder.sign_of_life(now))

    def _down(self, stream: str, alive: Tick, now: Tick) -> Event:
        from edge_runtime.present.envelope import rfc3339

        data: dict[str, Json] = {}
        if alive.mono_ns >= 0:  # in this boot: as long as the monotonic clock says, whatever became of the wall clock
            from_ns, until_ns = now.wall_ns - (now.mono_ns - alive.mono_ns), now.wall_ns
        else:
            from_ns, until_ns = alive.wall_ns, max(now.wall_ns, alive.wall_ns)  # before the first sync the clock may stand in the past
            data["rebooted"] = True  # `from` is of that boot's clock, also where it seems to lie in this one
        return Event("gap", stream, now, {"from": rfc3339(from_ns), "to": rfc3339(until_ns), "reason": "down", **data})

    def _tell(self, event: Event) -> None:
        """An event of the node itself."""
        self._outlet.emit([event], {})
