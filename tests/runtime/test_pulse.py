"""Signs of life."""

from __future__ import annotations

import time

from edge_runtime.runtime.pulse import Pulses


def test_a_loop_over_its_limit_is_named() -> None:
    pulses = Pulses()
    pulses.beat("slow", 0.01)
    pulses.beat("patient", 60)
    time.sleep(0.05)
    assert [silence.name for silence in pulses.silent()] == ["slow"]


def test_a_beat_heals() -> None:
    pulses = Pulses()
    pulses.beat("loop", 0.01)
    time.sleep(0.05)
    pulses.beat("loop", 60)
    assert pulses.silent() == []


def test_a_retired_loop_is_not_missed() -> None:
    pulses = Pulses()
    pulses.beat("loop", 0.0)
    pulses.retire("loop")
    assert pulses.silent() == []


def test_forgive_is_no_pardon_for_later() -> None:
    pulses = Pulses()
    pulses.beat("loop", 0.05)
    time.sleep(0.1)
    pulses.forgive(0.2)
    assert pulses.silent() == []
    time.sleep(0.2)
    assert [silence.name for silence in pulses.silent()] == ["loop"]
