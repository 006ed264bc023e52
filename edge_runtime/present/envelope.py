"""Envelopes: what an event becomes on the wire. Pure: an event and the state of the clock in, topic and JSON object out.

    edge/v1/<site>/<node>/status | info | health | cmd/<name>      topic(…)
    edge/v1/<site>/<node>/live/<stream>                            live_topic(…)
    edge/v1/<site>/<node>/obs/<stream>/<type>                      wrap(…).topic

    {"v":1, "id":…,"seq":…, "type":…,"node":…,"stream":…,"start":…,"time":…,"clock":…,"model":…,"geo":…,"seen":…,"partial":…,"data":…}
            └─ `splice` ──┘                              └ windows         └─────── only where there is something to say

An envelope is bytes from the moment it is encoded; the number goes in by splicing, so that it is encoded once only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from edge_runtime.options import Point
from edge_runtime.types import ClockState, Envelope, Event, Json

PRIORITY_EVENT, PRIORITY_COUNT, PRIORITY_REST = 0, 1, 2

_HEAD = b'{"v":1,'
_EPOCH = datetime(1970, 1, 1)
_PRIORITIES = {"count": PRIORITY_COUNT, "occupancy": PRIORITY_COUNT, "crossing": PRIORITY_EVENT, "gap": PRIORITY_EVENT, "camera": PRIORITY_EVENT}
_WINDOWED = frozenset({"speed", "flow", "queue", "air", "weather", "noise", "forecast", "report"})  # many, and no news in themselves


class Enveloper:
    """Writes one node's envelopes. `location` is longitude and latitude in degrees, the order of GeoJSON."""

    def __init__(self, site: str, node: str, location: Point | None) -> None:
        self._prefix = f"edge/v1/{site}/{node}"
        self._node = node
        self._geo = None if location is None else [location[0], location[1]]

    def wrap(self, event: Event, clock: ClockState) -> Envelope:
        """The envelope of one event; `clock` says how far its times can be trusted. Raises TypeError for data that is no JSON."""
        payload: dict[str, Json] = {"v": 1, "type": event.type, "node": self._node, "stream": event.stream}
        if event.start is not None:
            payload["start"] = rfc3339(event.start.wall_ns)
        payload["time"] = rfc3339(event.time.wall_ns)
        payload["clock"] = clock.value
        if event.model is not None:
            payload["model"] = event.model
        if self._geo is not None:
            payload["geo"] = self._geo
        if (seen := event.seen) is not None:
            payload["seen"] = {
                "frames_expected": seen.frames_expected,
                "frames_processed": seen.frames_processed,
                "blind_s": _clean(seen.blind_s),
                "throttled_s": _clean(seen.throttled_s),
            }
        if event.partial:
            payload["partial"] = True
        payload["data"] = _clean(event.data)
        return Envelope(f"{self._prefix}/obs/{event.stream}/{event.type}", payload, priority_of(event.type), event.time.mono_ns, event.time.wall_ns)

    def topic(self, name: str) -> str:
        """A topic of the node itself: "status", "info", "health", "cmd/<name>" …"""
        return f"{self._prefix}/{name}"

    def live_topic(self, stream: str) -> str:
        """Where the boxes of each frame go."""
        return f"{self._prefix}/live/{stream}"


def priority_of(kind: str) -> int:
    """0 crossings, gaps, what happened; 1 counting windows; 2 the rest. Lower goes first."""
    return _PRIORITIES.get(kind, PRIORITY_REST if kind in _WINDOWED else PRIORITY_EVENT)


def stream_of(topic: str) -> str:
    """The stream of an `obs` topic; "node" for a topic of the node itself."""
    parts = topic.split("/")
    return parts[5] if len(parts) == 7 and parts[4] == "obs" else "node"


def rfc3339(wall_ns: int) -> str:
    """UTC with milliseconds (cut, not rounded), whole seconds without: 2026-11-05T10:03:12.480Z, 2026-11-05T10:05:00Z."""
    seconds, milliseconds = divmod(wall_ns // 1_000_000, 1000)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def encode(payload: Mapping[str, Json]) -> bytes:
    """The JSON object as UTF-8 without spaces, still without `id` and `seq`. Raises ValueError for what is not finite."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def splice(body: bytes, identity: str, seq: int) -> bytes:
    """`body` (from `encode`) with `id` and `seq` right after `v`. Raises ValueError for a body that does not begin as ours do."""
    if not body.startswith(_HEAD):
        raise ValueError(f"an envelope begins with {_HEAD.decode()}, this one with {body[:16]!r}")
    return b'%s"id":"%s","seq":%d,%s' % (_HEAD, identity.encode(), seq, body[len(_HEAD) :])


def compose(payload: Mapping[str, Json], epoch: str, seq: int) -> bytes:
    """The exact bytes of one message: `payload` numbered `seq` under `epoch`."""
    return splice(encode(payload), f"{epoch}-{seq}", seq)


def _clean(value: Json) -> Json:
    """`value` as JSON can say it: what is not finite becomes null, NumPy's scalars become Python's. Raises TypeError for anything else."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return _clean(value.item())
    raise TypeError(f"an event's data must be JSON, not {type(value).__name__}: {value!r}")
