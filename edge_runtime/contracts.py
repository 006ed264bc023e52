"""The protocols between layers, with their failure contracts: who calls, how often, what each error triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from edge_runtime.types import Event, Json, Settlement, SpooledRow, Tick, Tracks, Window

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Source(Protocol[Out]):
    """Where items come from. Construction validates purely; `open` touches the world.

    One thread calls all three, in the order open → read* → close, and may open again after close.
    """

    def open(self) -> None:
        """Reach the far end. Called again after any failure, with backoff.

        Raises Disconnected (away: retried), Unsupported (will never work as it is: retried slowly, reported as such).
        """

    def read(self, timeout: float) -> Out | None:
        """The next item, or None when `timeout` seconds passed without one (not an error: the caller watches for silence).

        Raises Disconnected (the caller closes, waits, opens again), Exhausted (footage ended: the lane finishes).
        """

    def close(self) -> None:
        """Let go. Idempotent, bounded in time (2 s), never raises."""


class Stage(Protocol[In, Out]):
    """A pure state machine: no I/O, no clock of its own, never called concurrently, deterministic."""

    def step(self, item: In) -> Sequence[Out]:
        """One item in, any number out. Items come in the order of their stamps."""

    def advance(self, now: Tick) -> Sequence[Out]:
        """Time passed without input: tracks die, timers run. `now` is never before the last item's stamp."""

    def finish(self) -> Sequence[Out]:
        """End of footage, or drain: say what is still owed."""

    def reset(self) -> None:
        """Forget what was seen (the scene changed), never ids or totals."""


class Analyser(Protocol):
    """A stage from tracks to events whose numbers are summed over windows and must outlive the process.

    The lane owns the one window clock of its camera: before it steps tracks of a later window it calls `close` on every analyser.
    """

    def step(self, item: Tracks) -> Sequence[Event]: ...

    def advance(self, now: Tick) -> Sequence[Event]: ...

    def close(self, window: Window) -> Sequence[Event]:
        """The window ended: one event (or one a direction) with its sums, zeros too; sums restart, totals go on."""

    def finish(self) -> Sequence[Event]: ...

    def reset(self) -> None: ...

    def snapshot(self) -> Json:
        """Totals and the open window's sums, to be stored in the same transaction as the events that they count."""

    def restore(self, state: Json) -> None:
        """Take up a snapshot. Raises ValueError for one that does not fit (the rule changed): the caller starts at zero and says so."""


class Sink(Protocol):
    """Where spooled rows go. Only the publisher's thread calls it."""

    def connect(self) -> None:
        """Begin to reach the far end; returns at once. Reconnecting is the sink's own business, with jittered backoff."""

    def offer(self, row: SpooledRow) -> bool:
        """Take one row for delivery. False: not connected, or the window is full; offer it again later."""

    def settled(self) -> Sequence[Settlement]:
        """What the far end said since the last call. Never blocks. A row without settlement when the connection drops is offered again."""

    def close(self, deadline_s: float) -> None:
        """Say goodbye within `deadline_s`; idempotent."""
