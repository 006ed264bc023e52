"""What the design of device.toml has and this version does not: refused in words of its own, never taken for a typing error or ignored.

Paths are without the numbers of list elements: ("camera", "zone", "measure").
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_YET = "is not in this version of edge-runtime"

KEYS: Mapping[tuple[str, ...], str] = {
    ("web",): "there is no local page; see what the node says with `edge-runtime watch`",
    ("sensor", "every"): "sim:load has its rate in the source",
    ("sensor", "model"): "no model looks at a sensor",
    ("sensor", "channel"): "sim:load has no channels",
    ("report",): "no text is read",
    ("camera", "calibration"): "speeds are not measured",
}

VALUES: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("privacy", "mode"): {
        "blurred": 'no pixel leaves the device in any way; write "strict"',
        "open": 'no pixel leaves the device in any way; write "strict"',
    },
    ("camera", "zone", "measure"): {
        "dwell": 'write "occupancy"',
        "queue": 'write "occupancy"',
    },
    ("mqtt", "formats"): dict.fromkeys(("fiware", "homeassistant", "onvif"), "the native envelope is always published; leave it out"),
}

SOURCES: Mapping[str, str] = {
    "serial": "is a sensor's source, and of those only sim:load is in this version",
    "modbus": "is a sensor's source, and of those only sim:load is in this version",
    "i2c": "is a sensor's source, and of those only sim:load is in this version",
    "mqtt": "is no camera's source",
    "csv": "is a sensor's source, and of those only sim:load is in this version",
    "rtmp": "streams are not read in this version",
}


def absent_key(path: tuple[str, ...]) -> str:
    """Why a key is refused although the design knows it; an empty text for any other key."""
    why = KEYS.get(path)
    return f"{NOT_YET}: {why}; remove it" if why is not None else ""


def absent_value(path: tuple[str, ...], value: object) -> str:
    """The same for a value of a key that exists."""
    why = VALUES.get(path, {}).get(value) if isinstance(value, str) else None
    return f"{NOT_YET}: {why}" if why is not None else ""
