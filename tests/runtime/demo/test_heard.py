"""What is made of the messages that a subscriber hears."""

from __future__ import annotations

import json
from typing import Any

from edge_runtime.runtime.demo.heard import Health, Heard
from edge_runtime.runtime.demo.score import Crossing

NODE = "edge/v1/demo/street"
CROSSING = {"rule": "main", "dir": "forward", "label": "eastbound", "class": "car", "score": 0.9, "track": 4}
HEALTH = {
    "clock": "ntp",
    "streams": {"junction": {"state": "live", "reason": "", "fps": 9.9, "processed": 40, "dropped": 2, "latency_ms": 31.5, "blind_s": 0.0}},
    "engines": {"street": {"done": 50, "busy_s": [0.5, 0.25]}},
    "spool": {"depth": 3},
    "mqtt": {"acked": 17},
}


def take(heard: Heard, branch: str, body: Any) -> None:
    heard.take(f"{NODE}/{branch}", body.encode() if isinstance(body, str) else json.dumps(body).encode())


def event(identity: str, kind: str, data: dict[str, Any], time: str = "2026-11-05T10:00:01.500Z") -> dict[str, Any]:
    return {"v": 1, "id": identity, "type": kind, "time": time, "data": data}


def test_crossings_are_counted_once_each() -> None:
    heard = Heard()
    for identity in ("a-1", "a-2", "a-1"):
        take(heard, "obs/junction/crossing", event(identity, "crossing", CROSSING))
    assert heard.crossings.total == 2
    assert heard.crossings.latest[0] == Crossing("main", "forward", "car", 1793872801.5, None)
    assert heard.messages == 3


def test_speed_is_taken_where_it_is_published() -> None:
    heard = Heard()
    take(heard, "obs/junction/crossing", event("a-1", "crossing", {**CROSSING, "speed_kmh": 31.2}))
    assert heard.crossings.latest[0].speed_kmh == 31.2


def test_windows_add_up() -> None:
    heard = Heard()
    for number, counts in enumerate(({"car": 3, "bus": 1}, {}, {"car": 2})):
        take(heard, "obs/junction/count", event(f"a-{number}", "count", {"rule": "main", "dir": "forward", "counts": counts, "total": 6}))
    assert heard.windows == {("main", "forward"): 6}


def test_health_says_what_the_engine_does_at_most() -> None:
    heard = Heard()
    assert heard.health == Health()
    take(heard, "health", HEALTH)
    health = heard.health
    assert (health.state, health.fps, health.processed, health.dropped, health.latency_ms) == ("live", 9.9, 40, 2, 31.5)
    assert health.infer_ms == 15.0, "0.75 s for 50 inferences"
    assert health.limit_fps is not None and round(health.limit_fps, 1) == 133.3, "by two sessions side by side"
    assert (health.spool_depth, health.acked) == (3, 17)


def test_health_before_the_first_frame_promises_nothing() -> None:
    heard = Heard()
    stream = {"state": "connecting", "reason": "", "fps": 0.0, "processed": 0, "dropped": 0, "latency_ms": 0.0, "blind_s": 0.0}
    take(heard, "health", {**HEALTH, "streams": {"junction": stream}, "engines": {"street": {"done": 0, "busy_s": [0.0]}}})
    assert (heard.health.fps, heard.health.limit_fps) == (None, None)


def test_status_is_text() -> None:
    heard = Heard()
    take(heard, "status", "online")
    assert heard.status == "online"
