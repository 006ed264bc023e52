"""A source that never gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from edge_runtime.errors import Disconnected, Exhausted, Unsupported
from edge_runtime.runtime import steady
from edge_runtime.runtime.steady import Sight, SteadySource


class Scripted:
    """A source that does what its script says: a number is read, an exception is raised; "open" may fail too."""

    def __init__(self, reads: Sequence[int | Exception | None], opens: Sequence[Exception | None] = ()) -> None:
        self.reads = list(reads)
        self.opens = list(opens)
        self.opened = 0
        self.closed = 0

    def open(self) -> None:
        self.opened += 1
        failure = self.opens.pop(0) if self.opens else None
        if failure is not None:
            raise failure

    def read(self, timeout: float) -> int | None:
        step = self.reads.pop(0) if self.reads else Exhausted("end of the script")
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(steady, "LONGEST_WAIT_S", 0.08)
    monkeypatch.setattr(steady, "UNSUPPORTED_WAIT_S", 0.2)


def drain(source: SteadySource[int]) -> list[int]:
    items: list[int] = []
    with pytest.raises(Exhausted):
        while True:
            item = source.read(0.01)
            if item is not None:
                items.append(item)
    return items


def watched(script: Scripted) -> tuple[SteadySource[int], list[Sight]]:
    told: list[Sight] = []
    note: Callable[[Sight], None] = told.append
    return SteadySource("cam", script, note), told


@pytest.mark.usefixtures("quick")
def test_read_after_disconnects_goes_on_and_tells_each_change_once() -> None:
    away = Disconnected("the server hung up")
    script = Scripted([1, 2, away, away, 3, None, 4], opens=[None, away, None, None])
    source, told = watched(script)
    assert drain(source) == [1, 2, 3, 4]
    assert [sight.state for sight in told] == ["live", "away", "live", "ended"]
    assert told[1].reason == "the server hung up"
    assert told[2].away_s > 0
    assert source.connects == 2
    assert script.closed == 3, "every failure closes before it opens again"


@pytest.mark.usefixtures("quick")
def test_open_that_keeps_failing_is_tried_at_growing_intervals_up_to_the_bound() -> None:
    script = Scripted([1], opens=[Disconnected("refused")] * 6)
    source, told = watched(script)
    began = time.monotonic()
    assert drain(source) == [1]
    # 0.02 + 0.04 + 0.08 + 0.08 + 0.08 + 0.08 = 0.38 s, jitter ± 25 %; never less than 0.75 of that
    assert time.monotonic() - began >= 0.285
    assert [sight.state for sight in told] == ["away", "live", "ended"]
    assert script.opened == 7


@pytest.mark.usefixtures("quick")
def test_unsupported_stream_is_retried_slowly() -> None:
    script = Scripted([1], opens=[Unsupported("codec nobody knows")])
    source, told = watched(script)
    began = time.monotonic()
    assert drain(source) == [1]
    assert time.monotonic() - began >= 0.15
    assert told[0].reason == "codec nobody knows"


def test_waiting_never_blocks_longer_than_asked() -> None:
    source, _ = watched(Scripted([1], opens=[Unsupported("no")]))
    source.read(0.01)
    began = time.monotonic()
    assert source.read(0.01) is None
    assert time.monotonic() - began < steady.UNSUPPORTED_WAIT_S / 3


def test_exhausted_footage_is_not_a_failure() -> None:
    source, told = watched(Scripted([1]))
    assert drain(source) == [1]
    assert [sight.state for sight in told] == ["live", "ended"]
    assert told[1].reason == "end of the script", "nobody needs to guess why no more windows come"


def test_leave_then_the_end_that_was_asked_for_is_no_news() -> None:
    source, told = watched(Scripted([1, Disconnected("the capture process was killed")]))
    assert source.read(0.01) == 1
    source.leave()
    assert source.read(0.01) is None
    assert [sight.state for sight in told] == ["live"]
