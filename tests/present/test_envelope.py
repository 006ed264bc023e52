"""Envelopes: the shape of the wire contract, its order, its times, and that no number that JSON lacks ever gets through."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.present.envelope import Enveloper, compose, encode, priority_of, rfc3339, splice, stream_of
from edge_runtime.types import ClockState, Event, Seen, Tick

MINUTE = 60_000_000_000
TEN = 1_793_872_800_000_000_000  # 2026-11-05T10:00:00Z


def test_wrap_window_gives_every_field_in_the_order_of_the_contract() -> None:
    event = Event(
        "count",
        "main-st-n",
        Tick(5 * MINUTE, TEN + 5 * MINUTE),
        {"rule": "lane1", "dir": "forward", "counts": {"car": 181, "bus": 4}, "total": 9120},
        start=Tick(0, TEN),
        seen=Seen(3000, 2988, 0.0, 0.0),
        partial=True,
        model="street-nano@1.2.0",
    )
    envelope = Enveloper("north", "cam-017", (-4.728, 41.655)).wrap(event, ClockState.NTP)
    assert envelope.topic == "edge/v1/north/cam-017/obs/main-st-n/count"
    assert (envelope.priority, envelope.mono_ns, envelope.wall_ns) == (1, 5 * MINUTE, TEN + 5 * MINUTE)
    assert compose(envelope.payload, "b7f1c2", 48213).decode() == (
        '{"v":1,"id":"b7f1c2-48213","seq":48213,"type":"count","node":"cam-017","stream":"main-st-n",'
        '"start":"2026-11-05T10:00:00Z","time":"2026-11-05T10:05:00Z","clock":"ntp","model":"street-nano@1.2.0","geo":[-4.728,41.655],'
        '"seen":{"frames_expected":3000,"frames_processed":2988,"blind_s":0.0,"throttled_s":0.0},"partial":true,'
        '"data":{"rule":"lane1","dir":"forward","counts":{"car":181,"bus":4},"total":9120}}'
    )


def test_wrap_instant_without_extras_leaves_them_out() -> None:
    envelope = Enveloper("north", "cam-017", None).wrap(Event("crossing", "s", Tick(0, TEN + 192_480_999_999), {}), ClockState.UNSYNCED)
    assert list(envelope.payload) == ["v", "type", "node", "stream", "time", "clock", "data"]
    assert envelope.payload["time"] == "2026-11-05T10:03:12.480Z"


@pytest.mark.parametrize(
    ("kind", "priority"), [("crossing", 0), ("gap", 0), ("camera", 0), ("anomaly", 0), ("count", 1), ("occupancy", 1), ("air", 2), ("report", 2)]
)
def test_priority_of_each_kind(kind: str, priority: int) -> None:
    assert priority_of(kind) == priority


def test_topics_of_the_node() -> None:
    enveloper = Enveloper("north", "cam-017", None)
    assert enveloper.topic("status") == "edge/v1/north/cam-017/status"
    assert enveloper.live_topic("s") == "edge/v1/north/cam-017/live/s"
    assert stream_of("edge/v1/north/cam-017/obs/main-st-n/count") == "main-st-n"
    assert stream_of("edge/v1/north/cam-017/status") == "node"


@given(st.integers(-60_000_000_000_000_000_000, 250_000_000_000_000_000_000))
def test_rfc3339_of_any_instant_is_cut_to_milliseconds(wall_ns: int) -> None:
    text = rfc3339(wall_ns)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000 == wall_ns // 1_000_000
    assert text.endswith("Z") and (("." in text) == (wall_ns // 1_000_000 % 1000 != 0))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=5), _JSON, max_size=5), st.integers(1, 2**62))
def test_compose_of_any_data_is_strict_json_with_what_is_not_finite_as_null(data: dict[str, object], seq: int) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    envelope = Enveloper("a", "b", (1.5, -2.5)).wrap(Event("crossing", "s", Tick(0, 0), data), ClockState.NTP)
    read = json.loads(compose(envelope.payload, "00ff00", seq), parse_constant=refuse)
    assert list(read)[:4] == ["v", "id", "seq", "type"]
    assert (read["id"], read["seq"]) == (f"00ff00-{seq}", seq)
    assert read["data"] == _finite(data)


def test_wrap_takes_numpy_scalars_and_refuses_what_is_no_json() -> None:
    enveloper = Enveloper("a", "b", None)
    data = {"a": np.float32(0.5), "b": np.int64(7), "c": np.float64("nan"), "d": (1, 2), "e": np.bool_(True)}
    assert enveloper.wrap(Event("air", "s", Tick(0, 0), data), ClockState.NTP).payload["data"] == {
        "a": 0.5,
        "b": 7,
        "c": None,
        "d": [1, 2],
        "e": True,
    }
    with pytest.raises(TypeError, match="must be JSON"):
        enveloper.wrap(Event("air", "s", Tick(0, 0), {"a": object()}), ClockState.NTP)


def test_wrap_copies_data_so_that_later_changes_do_not_show() -> None:
    data = {"counts": {"car": 1}}
    envelope = Enveloper("a", "b", None).wrap(Event("count", "s", Tick(0, 0), data), ClockState.NTP)
    data["counts"]["car"] = 2
    assert envelope.payload["data"] == {"counts": {"car": 1}}


def test_splice_refuses_a_body_that_is_not_ours() -> None:
    assert splice(encode({"v": 1, "a": "ü"}), "e-1", 1) == '{"v":1,"id":"e-1","seq":1,"a":"ü"}'.encode()
    with pytest.raises(ValueError, match="begins with"):
        splice(b"[1]", "e-1", 1)
