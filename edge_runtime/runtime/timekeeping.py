"""Looks after the wall clock: says when it becomes right, wrong, or is set, and has the spool put right what was stamped before.

    boot        unsynced ● ● ●        ntp ● ●                                     ● events: each says how far its time can be trusted
    ────────────────────────────────────┬──────────────────────────────────►
                                        └─ first sync of this boot ─► recorder.synchronised(lead): what waits in the spool is told restamped

Every change of state, and every step of more than a second, is an event of its own (`obs/node/clock`) and one line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_runtime.clock import Clock
from edge_runtime.types import ClockState, Event, Json

_log = logging.getLogger("edge_runtime.clock")


class Timekeeper:
    """`turn` and `health` are called by the supervisor's thread."""

    def __init__(self, clock: Clock, boot: str, synchronised: Callable[[int], bool], tell: Callable[[Event], None]) -> None:
        """`synchronised` takes the lead of the wall clock over the monotonic one, in nanoseconds, whenever the clock is right; `tell` publishes."""
        self._clock = clock
        self._boot = boot
        self._synchronised = synchronised
        self._tell = tell
        self._state: ClockState | None = None
        self._steps = clock.steps.count
        self._restamps = False

    def turn(self) -> None:
        """One look at the clock."""
        state = self._clock.state()
        steps = self._clock.steps
        now = self._clock.now()
        if state is ClockState.NTP and self._synchronised(now.wall_ns - now.mono_ns):
            self._restamps = True
            _log.info("the clock is right for the first time since boot: what was stamped before is told by it")
        before, self._state = self._state, state
        stepped = steps.count != self._steps
        self._steps = steps.count
        if before is None:
            if state is not ClockState.NTP:
                _log.warning("the clock is %s: times are marked so until it is synchronised", state.value)
            return
        if before is state and not stepped:
            return
        data: dict[str, Json] = {"state": state.value, "before": before.value, "by": self._clock.discipline.by}
        if stepped:
            data["step_s"] = round(steps.last_s, 3)
        _log.warning("the clock is %s (was %s)%s", state.value, before.value, f", and was set by {steps.last_s:+.3f} s" if stepped else "")
        self._tell(Event("clock", "node", now, data))

    def health(self) -> Json:
        """Numbers for `health`: which boot this is, the monotonic clock beside the wall clock, who keeps it right, how often it was set."""
        discipline, steps = self._clock.discipline, self._clock.steps
        return {
            "boot": self._boot,
            "mono_s": round(self._clock.now().mono_ns / 1e9, 3),
            "by": discipline.by,
            "max_error_s": discipline.max_error_s,
            "steps": steps.count,
            "last_step_s": round(steps.last_s, 3),
            "restamps": self._restamps,
        }
