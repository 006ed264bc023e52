"""The schema of device.toml, as types. `load.py` walks them; the JSON Schema for editors is made from them.

A field's `option(...)` gives its one-sentence description, bounds, allowed values or pattern; a field without a default must be written.
Everything here is immutable: what "auto" resolved to is the plan (`check.py`), never a changed config.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ID_PATTERN = r"[a-z0-9]+(-[a-z0-9]+)*"
Point = tuple[float, float]
Provider = Literal["cpu", "cuda", "tensorrt", "openvino", "coreml", "xnnpack"]


def option(
    doc: str,
    *,
    default: Any = ...,
    factory: Any = None,
    low: float | None = None,
    high: float | None = None,
    pattern: str | None = None,
    unit: str = "",
    kind: str = "",
) -> Any:
    """A dataclass field with what the loader and the docs need. `kind` picks a parser: size, duration, path, secret, url, points."""
    metadata = {"doc": doc, "low": low, "high": high, "pattern": pattern, "unit": unit, "kind": kind}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


class Secret:
    """A password or token. Printing, logging or formatting it shows stars; `reveal()` is for the one place that uses it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """Who this box is and where it stands."""

    site: str = option("Group of devices; first part of every topic.", pattern=ID_PATTERN)
    node: str = option("This device; second part of every topic.", pattern=ID_PATTERN)
    location: Point | None = option("Longitude and latitude, degrees.", default=None, kind="lonlat")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    """The broker."""

    url: str = option("mqtt:// mqtts:// ws:// wss:// host and port.", default="mqtt://127.0.0.1:1883", kind="url")
    protocol: Literal["5", "3.1.1"] = option("MQTT version; never switched silently.", default="5")
    client_id: str | None = option("Default: <site>-<node>.", default=None)
    username: str | None = option("Login at the broker.", default=None)
    password: Secret | None = option("Login at the broker: { file = … } or { env = … }.", default=None, kind="secret")
    ca: Path | None = option("Certificate authority to trust, PEM.", default=None, kind="path")
    cert: Path | None = option("Client certificate, PEM.", default=None, kind="path")
    key: Path | None = option("Client key, PEM.", default=None, kind="path")
    formats: tuple[str, ...] = option("Extra formats beside the native one.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolConfig:
    """The disk queue between this device and the broker."""

    path: Path = option("The database file.", default=Path("spool.db"), kind="path")
    max_bytes: int = option("Hard cap of the file.", default=256_000_000, low=1_000_000, kind="size")
    max_age_s: float = option("Older rows are dropped, and a gap says so.", default=7 * 86400.0, low=60, kind="duration")
    on_full: Literal["drop_oldest", "reject_new"] = option("Either way a gap is published.", default="drop_oldest")
    commit_ms: int = option("Group commit: the most that a power cut can take.", default=200, low=1, high=5000, unit="ms")


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
class LineConfig:
    """A counting line. Stand on the first point and look at the second: forward is from the left side to the right side."""

    name: str = option("Rule id in events.", pattern=ID_PATTERN)
    points: tuple[Point, Point] = option('Two ends, as fractions of width and height, or pixels with units = "px".', kind="points")
    units: Literal["fraction", "px"] = option("Of `points`.", default="fraction")
    size: tuple[int, int] | None = option("Width and height of the picture that pixels refer to.", default=None)
    anchor: Literal["center", "bottom"] = option("The point of a box that has to cross.", default="center")
    forward: str | None = option("The user's word for this direction.", default=None)
    backward: str | None = option("The user's word for the other direction.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneConfig:
    """An area whose occupants are counted."""

    name: str = option("Rule id in events.", pattern=ID_PATTERN)
    polygon: tuple[Point, ...] = option("Three or more corners.", kind="points")
    units: Literal["fraction", "px"] = option("Of `polygon`.", default="fraction")
    size: tuple[int, int] | None = option("Width and height of the picture that pixels refer to.", default=None)
    anchor: Literal["center", "bottom"] = option("The point of a box that has to be inside.", default="bottom")
    measure: tuple[Literal["occupancy"], ...] = option("What to publish.", default=("occupancy",))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig:
    """One camera: where its picture comes from, which model looks at it, what is counted."""

    name: str = option("Stream id in topics.", pattern=ID_PATTERN)
    source: str = option("rtsp(s):// http(s):// a file (?loop=1 repeats), v4l2:DEVICE, gst:PIPELINE.", kind="source")
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
    transport: Literal["tcp", "udp"] = option("RTSP transport.", default="tcp")
    live: bool = option("Publish boxes of each frame on the live topic (QoS 0).", default=False)
    line: tuple[LineConfig, ...] = option("Counting lines.", default=())
    zone: tuple[ZoneConfig, ...] = option("Zones.", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole device.toml. `file` is where it was read from; relative paths have been resolved against it."""

    device: DeviceConfig = option("Who this box is.")
    mqtt: MqttConfig = option("The broker.", factory=MqttConfig)
    spool: SpoolConfig = option("The disk queue.", factory=SpoolConfig)
    log: LogConfig = option("Logs.", factory=LogConfig)
    privacy: PrivacyConfig = option("What may leave the device.", factory=PrivacyConfig)
    model: tuple[ModelConfig, ...] = option("Models.", default=())
    camera: tuple[CameraConfig, ...] = option("Cameras.", default=())
    file: Path = field(default=Path("device.toml"), metadata={"hidden": True})
