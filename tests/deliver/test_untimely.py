"""A certificate out of its time is the clock's fault while nobody says that the clock is right: tried with a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.clock import FakeClock
from edge_runtime.deliver import mqtt
from edge_runtime.deliver.address import Trouble
from edge_runtime.deliver.link import CAUSES, LinkState
from edge_runtime.deliver.mqtt import MqttOptions, MqttSink
from edge_runtime.deliver.untimely import CLOCK, Reading, judged, left, time_has_come
from edge_runtime.types import ClockState
from tests.peers.authority import authority, server_lines, variant
from tests.peers.broker import Broker

NOW_NS = 1_793_873_000 * 10**9
EXPIRED, EARLY, FOREIGN = (Trouble(cause, "…") for cause in ("tls-expired", "tls-not-yet-valid", "tls-untrusted"))


@pytest.mark.parametrize("trouble", [EXPIRED, EARLY])
def test_judged_blames_the_clock_that_nobody_synchronised(trouble: Trouble) -> None:
    blamed = judged(trouble, Reading(ClockState.UNSYNCED, NOW_NS))
    assert blamed.cause == CLOCK
    assert blamed.cause in CAUSES
    assert "waiting for time" in blamed.text
    assert "2026-11-05 10:03 UTC" in blamed.text
    assert ("has expired" in blamed.text) is (trouble is EXPIRED)


@pytest.mark.parametrize("state", [ClockState.NTP, ClockState.HOLDOVER])
def test_judged_blames_the_certificate_where_the_clock_is_right(state: ClockState) -> None:
    assert judged(EXPIRED, Reading(state, NOW_NS)) is EXPIRED


def test_judged_leaves_every_other_trouble_alone() -> None:
    assert judged(FOREIGN, Reading(ClockState.UNSYNCED, NOW_NS)) is FOREIGN


def test_left_for_want_of_time_is_a_state_of_its_own() -> None:
    clock = FakeClock(0, NOW_NS, ClockState.UNSYNCED)
    waiting = left(judged(EARLY, Reading.of(clock)), 3)
    assert (waiting.name, waiting.cause, waiting.connects) == ("waiting-for-time", CLOCK, 3)
    assert left(EARLY, 3).name == "offline"
    assert not time_has_come(waiting, clock)
    clock.step_wall(1, ClockState.NTP)
    assert time_has_come(waiting, clock)
    assert not time_has_come(LinkState("offline"), clock)


def becomes(sink: MqttSink, condition: Callable[[LinkState], bool], limit_s: float) -> LinkState:
    end = time.monotonic() + limit_s
    while not condition(sink.state):
        assert time.monotonic() < end, sink.state
        sink.wait(0.2)
        sink.settled()
    return sink.state


@pytest.mark.system
def test_link_dials_again_when_the_clock_is_right_whatever_its_backoff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 600.0)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 600.0)
    clock = FakeClock(0, NOW_NS, ClockState.UNSYNCED)
    good = authority(tmp_path / "good", "--host", "127.0.0.1")
    expired = variant(good, "expired", "--days", "-1", "--host", "127.0.0.1")
    tmp_path.chmod(0o755)
    with Broker(tmp_path / "broker", server_lines(expired), scheme="mqtts") as broker:
        sink = MqttSink(MqttOptions(url=broker.url, ca=good / "ca.pem"), "a-b", clock=clock)
        sink.connect()
        assert becomes(sink, lambda state: state.name not in ("connecting",), 20).name == "waiting-for-time"
        clock.step_wall(86_400, ClockState.NTP)
        after = becomes(sink, lambda state: state.name not in ("connecting", "waiting-for-time"), 20)
        assert (after.name, after.cause) == ("offline", "tls-expired"), "the clock is right, so now it is the certificate"
        sink.close(1)


@pytest.mark.system
def test_dial_that_began_before_the_clock_was_right_blames_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 600.0)
    monkeypatch.setattr(mqtt, "LONGEST_WAIT_S", 600.0)
    clock = FakeClock(0, NOW_NS, ClockState.UNSYNCED)
    good = authority(tmp_path / "good", "--host", "127.0.0.1")
    expired = variant(good, "expired", "--days", "-1", "--host", "127.0.0.1")
    tmp_path.chmod(0o755)
    with Broker(tmp_path / "broker", server_lines(expired), scheme="mqtts") as broker:
        sink = MqttSink(MqttOptions(url=broker.url, ca=good / "ca.pem"), "a-b", clock=clock)
        sink.connect()
        clock.step_wall(86_400, ClockState.NTP)
        first = becomes(sink, lambda state: state.name != "connecting", 20)
        assert (first.name, first.cause) == ("waiting-for-time", CLOCK)
        assert becomes(sink, lambda state: state.name == "offline", 20).cause == "tls-expired", "dialled again at once, and judged by the right clock"
        sink.close(1)
