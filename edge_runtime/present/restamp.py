"""Times that were written before the clock was right, put right from the monotonic clock. Pure: bytes in, bytes out.

    boot            event             sync                          lead = wall − monotonic at the first sync of this boot
    ├───────────────●─────────────────┼────────────►  monotonic
                    └─ true wall time = the event's monotonic time + lead

The id stays, the times move together: a window keeps its length. `clock` says `restamped`. Only what was written in the boot that was
synchronised can be put right; a time from before that boot (the `from` of a `down` gap) stays what it was.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from edge_runtime.present.envelope import encode, rfc3339
from edge_runtime.types import ClockState, Json, Tick

UNSYNCED = f'"clock":"{ClockState.UNSYNCED.value}"'.encode()
"""What the body of every row has whose time nobody vouches for."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def restamp(body: bytes, event: Tick, lead_ns: int) -> bytes:
    """`body` (an envelope as `encode` made it) with its times put right; as it is when its clock was not `unsynced`.

    `event` is when it happened: the monotonic time, and the wall time that was written. `lead_ns`: by how much the true wall clock leads the
    monotonic one. Raises ValueError for a body that is no envelope.
    """
    if UNSYNCED not in body:
        return body
    payload = json.loads(body)
    if payload.get("clock") != ClockState.UNSYNCED.value:
        return body  # the words stand somewhere in its data
    late_ns = event.mono_ns + lead_ns - event.wall_ns
    payload["clock"] = ClockState.RESTAMPED.value
    for key in ("start", "time"):
        if key in payload:
            payload[key] = rfc3339(parse_rfc3339(payload[key]) + late_ns)
    if payload.get("type") == "gap":
        payload["data"] = _moved_gap(payload["data"], event, late_ns)
    return encode(payload)


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since 1970 of what `rfc3339` wrote. Raises ValueError for anything else."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    since = datetime.strptime(text, form).replace(tzinfo=timezone.utc) - _EPOCH
    return since // timedelta(microseconds=1) * 1000


def _moved_gap(data: Json, event: Tick, late_ns: int) -> Json:
    """`from` and `to` too, as far as they lie in this boot: by the clock that wrote them between its start and the event."""
    booted_ns = event.wall_ns - event.mono_ns
    from_ns, to_ns = (each + late_ns if booted_ns <= each <= event.wall_ns else each for each in map(parse_rfc3339, (data["from"], data["to"])))
    if data.get("rebooted"):  # that boot's clock wrote it, wherever this one's stands
        from_ns = parse_rfc3339(data["from"])
    if data["reason"] == "down":  # it ends when it is told, also where the clock stood before its beginning
        to_ns = event.wall_ns + late_ns
    return {**data, "from": rfc3339(from_ns), "to": rfc3339(max(from_ns, to_ns))}
