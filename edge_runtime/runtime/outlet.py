"""Where a lane's events go: the daemon's recorder, or a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from edge_runtime.clock import Clock
from edge_runtime.types import ClockState, Event, Json, Tick, Tracks

if TYPE_CHECKING:
    from edge_runtime.present.envelope import Enveloper
    from edge_runtime.runtime.publisher import Publisher
    from edge_runtime.runtime.recorder import Recorder


LEAVERS = 64
"""States of so many streams that are configured no more are kept: who leaves often comes back, and goes on."""
_LEFT = "left"


class Outlet(Protocol):
    """Takes events from any lane's threads. Never blocks for long, never raises for a full disk or a dead broker."""

    @property
    def durable(self) -> bool:
        """Whether `state` outlives the process, so that taking a snapshot is worth it."""

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        """Publish events, and store `state` in the same transaction."""

    def live(self, stream: str, tracks: Tracks) -> None:
        """Boxes of one frame, for whoever watches now."""


class SpoolOutlet:
    """The daemon's: envelopes into the spool, boxes straight to the broker."""

    durable = True

    def __init__(self, enveloper: Enveloper, recorder: Recorder, publisher: Publisher, clock: Clock) -> None:
        self._enveloper = enveloper
        self._recorder = recorder
        self._publisher = publisher
        self._clock = clock
        self._earlier: dict[str, ClockState] = {}  # how far the clock of an earlier boot could be trusted, by the stream that was told then

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:
        # What was stamped before somebody set the clock is as good as the clock was then.
        trust = self._clock.trust([event.time for event in events]) if events else ()
        envelopes = [
            self._enveloper.wrap(event, self._earlier.get(event.stream, ClockState.UNSYNCED) if event.time.mono_ns < 0 else clock)
            for event, clock in zip(events, trust, strict=True)
        ]
        self._recorder.record(envelopes, {key: self._signed(value) for key, value in state.items()})

    def saved(self, kind: str, stream: str) -> Json:
        """The newest state of `stream` under `kind`/`stream`; None where there is none. "rebooted" is set in one of an earlier boot.

        What is emitted with `mono_ns` -1 for that stream is of that boot, and as good as its clock was.
        """
        state = self._recorder.saved(f"{kind}/{stream}")
        if state is None or state.get("boot") == self._recorder.boot:
            return state
        self._earlier[stream] = ClockState(state.get("clock", ClockState.UNSYNCED.value))
        return {**state, "rebooted": True}

    def forget(self, configured: Collection[str]) -> None:
        """Of the states of streams that are not among `configured` (<kind>/<stream>) the LEAVERS that left last stay."""
        before: list[str] = self._recorder.saved(_LEFT) or []
        gone = [key for key in self._recorder.keys if "/" in key and key not in configured]
        left = [*(key for key in before if key in gone), *(key for key in gone if key not in before)]
        if left != before:
            self._recorder.record([], {**dict.fromkeys(left[:-LEAVERS]), _LEFT: left[-LEAVERS:]})

    def _signed(self, state: Json) -> Json:
        """With the boot, and how far its clock can be trusted about a window that is open."""
        signed = {**state, "boot": self._recorder.boot}
        if window := state.get("window"):
            (clock,) = self._clock.trust([Tick(*window["last"])])
            signed["clock"] = clock.value
        return signed

    def live(self, stream: str, tracks: Tracks) -> None:
        boxes = tracks.boxes
        body = {
            "v": 1,
            "seq": boxes.stamp.seq,
            "ids": tracks.id.tolist(),
            "xyxy": [[round(float(value), 1) for value in box] for box in boxes.xyxy],
            "score": [round(float(score), 3) for score in boxes.score],
            "label": boxes.label.tolist(),
        }
        self._publisher.publish_now(self._enveloper.live_topic(stream), json.dumps(body, separators=(",", ":")).encode())


class LinesOutlet:
    """Replay's: the same envelopes, one JSON object a line, numbered from 1 under an epoch that the input decides."""

    durable = False

    def __init__(self, enveloper: Enveloper, out: TextIO, epoch: str) -> None:
        self._enveloper = enveloper
        self._out = out
        self._epoch = epoch
        self.count = 0

    def emit(self, events: Sequence[Event], state: Mapping[str, Json]) -> None:  # noqa: ARG002 - nothing outlives a replay
        from edge_runtime.present.envelope import compose

        for event in events:
            self.count += 1
            envelope = self._enveloper.wrap(event, ClockState.FOOTAGE)
            self._out.write(compose(envelope.payload, self._epoch, self.count).decode() + "\n")

    def live(self, stream: str, tracks: Tracks) -> None:
        """Footage has no live watchers."""
