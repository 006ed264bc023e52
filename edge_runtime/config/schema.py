"""The schema of device.toml, as types. `load.py` walks them; the JSON Schema for editors is made from them.

A field's `option(...)` gives its one-sentence description, bounds, allowed values or pattern; a field without a default must be written.
Everything here is immutable: what "auto" resolved to is the plan (`check.py`), never a changed config.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.options import ID_PATTERN, Point, Secret, option

Provider = Literal["cpu", "cuda", "tensorrt", "openvino", "coreml", "xnnpack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """Who this box is and where it stands."""

    site: str = option("Group of devices; first part of every topic.", pattern=ID_PATTERN)
    node: str = option("This device; second part of every topic.", pattern=ID_PATTERN)
    location: Point | None = option("Longitude and latitude, degrees.", default=None, kind="lonlat")
    write_budget: int = option(
        "Bytes a day that may be written to the disk: more is an alarm, since flash wears out.", default=2_000_000_000, low=1_000_000, kind="size"
    )
    health_s: float = option("How often health is published.", default=10.0, low=1, high=3600, kind="duration")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Logs on stderr."""

    format: Literal["plain", "json"] = option("Lines for people or for machines.", default="plain")
    level: Literal["debug", "info", "warning", "error"] = option("The least level that is written.", default="info")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """What may leave the device."""

    mode: Literal["strict", "blurred", "open"] = option("strict: no pixel leaves, no code path that could.", default="strict")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model and the engine that runs it."""

    name: str = option("How cameras refer to it.", pattern=ID_PATTERN)
    bundle: Path = option("A bundle folder, or the name of one on the model path.", kind="bundle")
    threads: int | Literal["auto"] = option("Threads a session.", default="auto", low=1, high=64)
    workers: int | Literal["auto"] = option("Sessions side by side.", default="auto", low=1, high=64)
    providers: tuple[Provider, ...] = option("ONNX Runtime providers: refused when absent, never silently replaced.", default=("cpu",))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig:
    """One camera: where its picture comes from, which model looks at it, what is counted."""

    name: str = option("Stream id in topics.", pattern=ID_PATTERN)
    source: str = option(
        "rtsp(s):// http(s):// a file (?loop=1 repeats), v4l2:DEVICE, gst:PIPELINE, sim:SCENE (junction, road, footpath; the README has its options)."
        " TLS encrypts, but a camera's certificate is not verified.",
        kind="source",
    )
    model: str = option("Name of a [[model]].")
    username: str | None = option("For any URL source.", default=None)
    password: Secret | None = option("For any URL source: { file = … } or { env = … }.", default=None, kind="secret")
    substream: str | None = option("A small picture for detection; used instead of `source` for inference.", default=None, kind="source")
    fps: float = option("Wanted rate of inference.", default=10.0, low=0.1, high=120, unit="frames/s")
    classes: tuple[str, ...] | None = option("Labels to keep; default: all of the model's.", default=None)
    min_score: float = option("What starts a track.", default=0.3, low=0.01, high=1)
    track_floor: float = option("Decoding keeps scores down to here for the second association.", default=0.1, low=0.01, high=1)
    interval_s: float = option("Counting window, aligned to the clock.", default=300.0, low=1, high=86400, kind="duration")
    mask: tuple[tuple[Point, ...], ...] = option("Polygons blacked out before anything sees the frame.", default=(), kind="points")
    gate: bool = option("Skip inference while nothing moves; parked objects keep their tracks.", default=False)
    stall_s: float = option("Silence after which the capture is killed and restarted.", default=10.0, low=1, high=600, kind="duration")
    transport: Literal["tcp", "udp"] = option("RTSP transport; rtsps:// is always over TCP.", default="tcp")
    live: bool = option("Publish boxes of each frame on the live topic (QoS 0).", default=False)
    line: tuple[LineOptions, ...] = option("Counting lines.", default=())
    zone: tuple[ZoneOptions, ...] = option("Zones.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorConfig:
    """One source without a picture. In this version: events at a rate, to try out what lies behind the cameras, without any model."""

    name: str = option("Stream id in topics.", pattern=ID_PATTERN)
    source: str = option("sim:load?rate=EVENTS_PER_SECOND, 0.1 to 50000.", kind="sensor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole device.toml. `file` is where it was read from; relative paths have been resolved against it."""

    device: DeviceConfig = option("Who this box is.")
    mqtt: MqttOptions = option("The broker.", factory=MqttOptions)
    spool: SpoolOptions = option("The disk queue.", factory=SpoolOptions)
    log: LogConfig = option("Logs.", factory=LogConfig)
    privacy: PrivacyConfig = option("What may leave the device.", factory=PrivacyConfig)
    model: tuple[ModelConfig, ...] = option("Models.", default=())
    camera: tuple[CameraConfig, ...] = option("Cameras.", default=())
    sensor: tuple[SensorConfig, ...] = option("Sensors.", default=())
    file: Path = field(default=Path("device.toml"), metadata={"hidden": True})
