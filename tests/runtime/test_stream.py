"""What outlives a lane: the way to the outlet, and how cameras are stopped together."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence, ValuesView
from typing import Any

from edge_runtime.runtime.stream import Tap, stop_together
from edge_runtime.types import Event, Tick, Tracks

EVENT = Event("crossing", "cam", Tick(0, 0), {})


class Kept:
    """Keeps what comes out."""

    durable = True

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, events: Sequence[Event], state: Mapping[str, Any]) -> None:
        self.events += events

    def live(self, stream: str, tracks: Tracks) -> None: ...


class SlowState(dict[str, Any]):
    """A state that is read slowly: the thread is in the middle of `emit`."""

    def __init__(self, value: Any) -> None:
        super().__init__({"lane/cam": value})
        self.reading, self.go_on = threading.Event(), threading.Event()

    def values(self) -> ValuesView[Any]:
        self.reading.set()
        assert self.go_on.wait(10)
        return super().values()


def test_shut_in_the_middle_of_an_emit_leaves_state_and_events_agreed() -> None:
    kept, state = Kept(), SlowState(1)
    tap = Tap(kept, 0)
    emitting = threading.Thread(target=tap.emit, args=([EVENT], state))
    emitting.start()
    assert state.reading.wait(10)
    after: list[tuple[Any, int]] = []

    def shut() -> None:
        tap.shut()
        after.append((tap.state, len(kept.events)))

    shutting = threading.Thread(target=shut)
    shutting.start()
    shutting.join(0.2)
    state.go_on.set()
    for thread in (emitting, shutting):
        thread.join(10)
    assert after in ([(1, 1)], [(0, 0)]), "the next lane begins with a count whose event is published, or with neither"
    tap.emit([EVENT], {"lane/cam": 2})
    assert (tap.state, len(kept.events)) == after[0]


class OpeningRun:
    """A camera that opens for ever, until it is interrupted."""

    def __init__(self, name: str, said: list[str]) -> None:
        self._name, self._said, self._free = name, said, False

    def ask_to_stop(self) -> None:
        self._said.append("ask")

    def join(self, timeout: float) -> bool:
        return self._free

    def interrupt(self) -> None:
        self._free = True
        self._said.append("interrupt")

    def stop(self, deadline_s: float) -> str:
        self._said.append(f"stop {self._free}")
        return self._name


def test_stop_together_interrupts_everybody_before_it_waits_for_anybody() -> None:
    said: list[str] = []
    runs: Any = {name: OpeningRun(name, said) for name in ("a", "b", "c")}
    assert stop_together(runs, 1.0) == {"a": "a", "b": "b", "c": "c"}
    assert said == ["ask"] * 3 + ["interrupt"] * 3 + ["stop True"] * 3
