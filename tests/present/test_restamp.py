"""Times put right from the monotonic clock: together, by as much, and only where the clock was not right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.present.envelope import Enveloper, encode, rfc3339
from edge_runtime.present.restamp import parse_rfc3339, restamp
from edge_runtime.types import ClockState, Event, Tick

ENVELOPER = Enveloper("north", "cam-1", (-4.7, 41.6))
S = 10**9
TRUE_NS = 1_793_873_000 * S
LEAD_NS = TRUE_NS - 100 * S  # the machine booted 100 s before
WRONG_LEAD_NS = 1_500_000 * S  # and began in January 1970


def told(event: Event, clock: ClockState = ClockState.UNSYNCED) -> tuple[bytes, dict[str, Any]]:
    """An envelope's bytes, and what they are after the sync."""
    body = encode(ENVELOPER.wrap(event, clock).payload)
    return body, json.loads(restamp(body, event.time, LEAD_NS))


def at(mono_s: float) -> Tick:
    """By the wrong clock."""
    return Tick(round(mono_s * S), round(mono_s * S) + WRONG_LEAD_NS)


def right(mono_s: float) -> str:
    return rfc3339(round(mono_s * S) + LEAD_NS)


def test_restamp_moves_start_and_time_and_says_so() -> None:
    body, after = told(Event("count", "s", at(90), {"counts": {"car": 1}}, start=at(60)))
    before = json.loads(body)
    assert (after["start"], after["time"], after["clock"]) == (right(60), right(90), "restamped")
    assert {**after, "start": 0, "time": 0, "clock": 0} == {**before, "start": 0, "time": 0, "clock": 0}
    assert list(after) == list(before)


@pytest.mark.parametrize("clock", [ClockState.NTP, ClockState.HOLDOVER, ClockState.RESTAMPED, ClockState.FOOTAGE])
def test_restamp_leaves_what_was_right_alone(clock: ClockState) -> None:
    event = Event("crossing", "s", at(90), {})
    body = encode(ENVELOPER.wrap(event, clock).payload)
    assert restamp(body, event.time, LEAD_NS) is body


def test_restamp_is_not_misled_by_what_data_says() -> None:
    event = Event("report", "s", at(90), {"clock": "unsynced"})
    body = encode(ENVELOPER.wrap(event, ClockState.NTP).payload)
    assert b'"clock":"unsynced"' in body
    assert restamp(body, event.time, LEAD_NS) is body


def test_restamp_moves_a_gap_of_this_boot_with_it() -> None:
    data = {"from": rfc3339(at(30).wall_ns), "to": rfc3339(at(40).wall_ns), "reason": "full", "messages": 7}
    _, after = told(Event("gap", "s", at(90), data))
    assert after["data"] == {"from": right(30), "to": right(40), "reason": "full", "messages": 7}


def test_restamp_leaves_the_times_of_an_earlier_boot_alone() -> None:
    """The `from` of a gap with reason `down` was written by another boot's clock."""
    earlier_ns = TRUE_NS - 5000 * S
    _, after = told(Event("gap", "s", at(90), {"from": rfc3339(1000 * S), "to": rfc3339(at(90).wall_ns), "reason": "down"}))
    assert (after["data"]["from"], after["data"]["to"]) == (rfc3339(1000 * S), right(90))
    ahead = Tick(90 * S, TRUE_NS + 86_400 * S)  # the clock had run ahead
    data = {"from": rfc3339(earlier_ns), "to": rfc3339(ahead.wall_ns), "reason": "down"}
    _, after = told(Event("gap", "s", ahead, data))
    assert (after["data"]["from"], after["data"]["to"]) == (rfc3339(earlier_ns), right(90))


def test_restamp_of_a_down_gap_told_before_the_first_sync_reaches_from_the_earlier_boot_to_the_event() -> None:
    """The usual board without a clock battery: its clock stands before the last sign of life, so the gap began "in the future"."""
    alive_ns = TRUE_NS - 5000 * S
    _, after = told(Event("gap", "s", at(90), {"from": rfc3339(alive_ns), "to": rfc3339(alive_ns), "reason": "down"}))
    assert (after["data"]["from"], after["data"]["to"]) == (rfc3339(alive_ns), right(90))
    data = {"from": rfc3339(alive_ns), "to": rfc3339(alive_ns + S), "reason": "full", "messages": 7}
    _, after = told(Event("gap", "s", at(90), data))
    assert after["data"] == data, "rows of an earlier boot, whose clock was right"


def test_restamp_leaves_the_beginning_of_a_gap_that_another_boots_clock_wrote() -> None:
    """A clock that was saved before the reboot goes on from there: the last sign of life seems to lie in this boot."""
    alive = rfc3339(at(30).wall_ns)
    data = {"from": alive, "to": rfc3339(at(90).wall_ns), "reason": "down", "rebooted": True}
    _, after = told(Event("gap", "s", at(90), data))
    assert after["data"] == {**data, "from": alive, "to": right(90)}


@given(st.lists(st.integers(0, 10**13), min_size=2, max_size=8), st.integers(-(10**17), 10**17))
def test_restamp_keeps_order_and_intervals(monos_ns: list[int], late_ns: int) -> None:
    monos_ns.sort()
    wrong_ns = TRUE_NS - late_ns
    events = [Event("crossing", "s", Tick(mono_ns, mono_ns + wrong_ns), {}) for mono_ns in monos_ns]
    bodies = [encode(ENVELOPER.wrap(event, ClockState.UNSYNCED).payload) for event in events]
    times_ns = [parse_rfc3339(json.loads(restamp(body, event.time, TRUE_NS))["time"]) for body, event in zip(bodies, events, strict=True)]
    assert times_ns == sorted(times_ns)
    for mono_ns, time_ns in zip(monos_ns, times_ns, strict=True):
        assert abs(time_ns - (mono_ns + TRUE_NS)) < 2_000_000  # cut to milliseconds, twice


@given(st.integers(0, 4 * 10**18))
def test_parse_rfc3339_reads_what_rfc3339_writes(wall_ns: int) -> None:
    assert parse_rfc3339(rfc3339(wall_ns)) == wall_ns // 10**6 * 10**6


def test_parse_rfc3339_refuses_anything_else() -> None:
    with pytest.raises(ValueError, match="does not match"):
        parse_rfc3339("2026-11-05 10:00:00")
