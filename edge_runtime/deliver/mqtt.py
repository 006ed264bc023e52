"""The MQTT sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.options import Secret, option


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
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
