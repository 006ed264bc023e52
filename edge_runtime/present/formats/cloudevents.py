"""CloudEvents 1.0, binary mode of its MQTT protocol binding (sections 2.5 and 3.1): the payload stays as it is, its attributes are user properties.

    specversion 1.0    type edge.v1.count    source edge/v1/<site>/<node>/obs/<stream>    id b7f1c2-48213    time 2026-11-05T10:05:00Z

`datacontenttype` is the message's own content type. `source` and `id` together are unique, as CloudEvents asks.
"""

from __future__ import annotations

import json

CONTENT_TYPE = "application/json"
SPEC_VERSION = "1.0"


def attributes(topic: str, body: bytes) -> tuple[tuple[str, str], ...]:
    """The user properties of one envelope on its topic. Raises ValueError, KeyError for a body that is no envelope."""
    envelope = json.loads(body)
    return (
        ("specversion", SPEC_VERSION),
        ("type", f"edge.v{envelope['v']}.{envelope['type']}"),
        ("source", topic.rpartition("/")[0]),
        ("id", envelope["id"]),
        ("time", envelope["time"]),
    )
