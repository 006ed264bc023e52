"""A certificate out of its time, by a clock that is not right: nobody's fault but the clock's, and it ends by itself.

    TLS says            this device's clock          so
    not yet valid  ┐    synchronised, holdover       the broker needs another certificate
    expired        ┘    unsynced                     waiting-for-time: dial again as soon as the clock is right

A board without a battery-backed clock starts in the past each time: certificates are "not yet valid" until the network has told it the time. That
may happen while a handshake is under way, so what counts is the clock as it was when the dialling began.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from edge_runtime.clock import Clock
from edge_runtime.deliver.address import Trouble
from edge_runtime.deliver.link import LinkState
from edge_runtime.types import ClockState

CLOCK = "clock"
_OF_TIME = ("tls-not-yet-valid", "tls-expired")


class Reading(NamedTuple):
    """The clock at one moment."""

    state: ClockState
    wall_ns: int

    @staticmethod
    def of(clock: Clock) -> Reading:
        """As it is now."""
        return Reading(clock.state(), clock.now().wall_ns)


def judged(trouble: Trouble, began: Reading) -> Trouble:
    """The same trouble, or the clock's, where that was not synchronised when the dialling began and the certificate's dates are what is wrong."""
    if trouble.cause not in _OF_TIME or began.state is not ClockState.UNSYNCED:
        return trouble
    fault = "is not valid yet" if trouble.cause == "tls-not-yet-valid" else "has expired"
    then = time.strftime("%Y-%m-%d %H:%M", time.gmtime(began.wall_ns / 1e9))
    return Trouble(
        CLOCK,
        f"waiting for time: by this device's clock ({then} UTC), which nobody has synchronised, the broker's certificate {fault}; "
        "check that time comes from the network (timedatectl, chronyc tracking)",
    )


def left(why: Trouble, connects: int) -> LinkState:
    """How a link is that has just been lost."""
    return LinkState("waiting-for-time" if why.cause == CLOCK else "offline", why.text, connects, why.cause)


def time_has_come(state: LinkState, clock: Clock) -> bool:
    """Whether a link that waited for time need not wait any longer."""
    return state.name == "waiting-for-time" and clock.state() is not ClockState.UNSYNCED
