"""What really happened on a simulated street, on this machine's clock: for the column beside the count, never for what is published."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_runtime.runtime.demo.score import Crossing, Ledger

if TYPE_CHECKING:
    from edge_runtime.runtime.camera import CameraRun
    from edge_runtime.sources.sim.source import PacedStreet


class Truth:
    """Follows one simulated street from before it is opened. One thread."""

    def __init__(self, street: PacedStreet) -> None:
        self._street = street
        self._ledger = Ledger()
        self._taken = 0

    def ledger(self) -> Ledger:
        """Every true crossing so far, at the instant at which it happened."""
        log = self._street.truth
        if log is not None:
            fresh = log.crossings[self._taken :]
            self._taken += len(fresh)
            began_s = self.began_s
            self._ledger.add(Crossing(each.line, each.direction, each.label, began_s + each.time_s, each.speed_kmh) for each in fresh)
        return self._ledger

    @property
    def began_s(self) -> float:
        """When the street's time began, seconds since 1970."""
        return (self._street.start_ns + time.time_ns() - time.monotonic_ns()) / 1e9


def truth_of(run: CameraRun) -> Truth | None:
    """Truth of a camera that has not been started yet; None where nobody knows it."""
    from edge_runtime.sources.sim.source import PacedStreet

    if not isinstance(run.source, PacedStreet):
        return None
    run.source.judge(run.camera.line, run.camera.zone)
    return Truth(run.source)
