"""Losses of the spool as messages: one `gap` each, on the stream that it concerns."""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.deliver.entry import Entry
from edge_runtime.deliver.losses import Loss
from edge_runtime.present.envelope import Enveloper, rfc3339
from edge_runtime.types import ClockState, Event, Json, Tick


def gaps(losses: Iterable[Loss], enveloper: Enveloper, now: Tick, clock: ClockState) -> list[Entry]:
    """In the order of `losses`, stamped `now`."""
    return [Entry.of(enveloper.wrap(_gap(loss, now), clock)) for loss in losses]


def _gap(loss: Loss, now: Tick) -> Event:
    data: dict[str, Json] = {"from": rfc3339(loss.from_ns), "to": rfc3339(loss.to_ns), "reason": loss.reason}
    if loss.rows:
        data["messages"] = loss.rows
    return Event("gap", loss.stream, now, data)
