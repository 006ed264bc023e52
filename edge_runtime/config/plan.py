"""The plan: what every "auto" and every default that depends on the machine resolved to. Made from the config, never written into it.

cores    models in use    workers × threads each
  1           1                1 × 1
  2           1                2 × 1            two one-thread sessions serve more frames than one of two threads
  4           2                2 × 1
 32           1                8 × 4            more sessions would only take memory
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_runtime.config.schema import CameraConfig, Config, ModelConfig
from edge_runtime.infer.engine import EnginePlan
from edge_runtime.sources import is_simulated
from edge_runtime.types import Json

MAX_WORKERS = 8
OLD_PROTOCOL = (
    "MQTT 3.1.1 cannot tell a publish that the broker refused from one that it took, nor how large one may be; it has no message expiry, no user"
    ' properties and no response topic (answers go to reply/<id>): protocol = "5" has them'
)
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the machine will be asked to do. `engines` by model; `notes` are for people: nothing wrong, but worth knowing."""

    cores: int
    client_id: str
    engines: Mapping[str, EnginePlan]
    notes: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """As `info` publishes it and `check --json` prints it."""
        engines = {name: {**asdict(engine), "providers": list(engine.providers)} for name, engine in self.engines.items()}
        return {"cores": self.cores, "client_id": self.client_id, "engines": engines, "notes": list(self.notes)}


def make_plan(config: Config, cores: int | None = None) -> Plan:
    """The plan for this machine, or for one of `cores`."""
    cores = usable_cores() if cores is None else cores
    used = {camera.model for camera in config.camera}
    share = max(1, cores // max(1, len(used)))
    engines = {model.name: _engine(model, share) for model in config.model}
    client_id = config.mqtt.client_id or f"{config.device.site}-{config.device.node}"
    return Plan(cores, client_id, engines, tuple(_notes(config, engines, cores)))


def usable_cores() -> int:
    """Cores that this process may run on: its affinity and its group's CPU quota, rounded down, one at least."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        pass  # no such group here: the affinity is all there is to know
    return max(1, cores)


def _is_drawn(camera: CameraConfig) -> bool:
    return is_simulated(camera.source if camera.substream is None else camera.substream)


def _engine(model: ModelConfig, share: int) -> EnginePlan:
    """`share` is this model's part of the cores. A provider that is no CPU runs one inference at a time."""
    alone = model.providers[0] != "cpu"
    inside = 1 if model.threads == "auto" else model.threads
    if model.workers != "auto":
        workers = model.workers
    else:
        workers = 1 if alone else min(MAX_WORKERS, max(1, share // inside))
    threads = max(1, share // workers) if model.threads == "auto" and not alone else inside
    return EnginePlan(workers=workers, threads=threads, providers=model.providers)


def _notes(config: Config, engines: Mapping[str, EnginePlan], cores: int) -> list[str]:
    used = {camera.model for camera in config.camera}
    notes = []
    busy = sum(engine.workers * engine.threads for name, engine in engines.items() if name in used and engine.providers[0] == "cpu")
    if busy > max(cores, len(used)):
        notes.append(f'inference asks for {busy} threads on {cores} core{"" if cores == 1 else "s"}: they will wait for each other; use "auto"')
    notes += [f'model "{model.name}" is used by no camera: it is not loaded' for model in config.model if model.name not in used]
    if not config.camera and not config.sensor:
        notes.append("there is no [[camera]] and no [[sensor]]: only the node's status, info and health are published")
    notes += [
        f'camera "{camera.name}" has no line and no zone: nothing is counted' for camera in config.camera if not camera.line and not camera.zone
    ]
    notes += [f'camera "{camera.name}" is a simulated street: what it counts never happened' for camera in config.camera if _is_drawn(camera)]
    notes += [f'sensor "{sensor.name}" publishes made-up numbers, to try out what lies behind it' for sensor in config.sensor]
    if config.mqtt.protocol == "3.1.1":
        notes.append(OLD_PROTOCOL)
    url = config.mqtt.url.lower()
    if config.mqtt.password is not None and url.startswith(("mqtt:", "ws:")):
        notes.append("the broker's password travels in the clear: use mqtts:// where the network is not your own")
    return notes
