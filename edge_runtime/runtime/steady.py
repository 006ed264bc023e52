"""A source that never gives up: opens, reads, and after any failure waits a little longer than last time and opens again.

    connecting ──first frame──► live ──Disconnected──► away ──(0.5 s, 1 s, 2 s, 4 s, 4 s …, ± 25 %)──► open … ──first frame──► live
                                     ├─Unsupported──► away ──(60 s)──► open …
                                     └─Exhausted──► ended          a file that does not repeat

The waits stay short because each is paid in blind seconds, and a camera on a pole is one client of one server: there is no herd to
protect it from but its own siblings, which the jitter spreads. A camera that drops out right after each start keeps its backoff:
only ten good seconds reset it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_runtime.contracts import Source
from edge_runtime.errors import Disconnected, Exhausted, Unsupported

_log = logging.getLogger("edge_runtime.camera")

Item = TypeVar("Item")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 4.0
UNSUPPORTED_WAIT_S = 60.0
JITTER = 0.25
STEADY_S = 10.0


@dataclass(frozen=True, slots=True)
class Sight:
    """How a source is: `state` is connecting | live | away | ended; `reason` says why it is not live; `away_s` how long it was away until now."""

    state: str
    reason: str = ""
    away_s: float = 0.0


class SteadySource(Generic[Item]):
    """Wraps a source for a lane. One thread opens, reads and closes; `sight` and `connects` may be read from any."""

    def __init__(self, name: str, source: Source[Item], changed: Callable[[Sight], None]) -> None:
        """`changed` is called in the reading thread at each change of state; it must not block."""
        self.inner = source
        self.sight = Sight("connecting")
        self.connects = 0
        self._name = name
        self._changed = changed
        self._is_open = False
        self._leaving = False
        self._wait_s = FIRST_WAIT_S
        self._next_try_s = 0.0
        self._live_since_s = 0.0
        self._away_since_s = 0.0  # 0: nobody has asked for a frame yet
        self._random = random.Random()

    def open(self) -> None:
        """Nothing: the first `read` opens, because a camera that is away must not delay the start of the others."""

    def read(self, timeout: float) -> Item | None:
        """The next item, or None within about `timeout` seconds (opening takes as long as the source's own bound). Raises only Exhausted."""
        if not self._away_since_s:
            self._away_since_s = time.monotonic()
        try:
            if not self._is_open and not self._try_open(timeout):
                return None
            item = self.inner.read(timeout)
        except (Disconnected, Unsupported) as error:
            self._lost(error)
            return None
        except Exhausted as error:
            self._become(Sight("ended", str(error)))
            raise
        if item is not None and self.sight.state != "live":
            self._found()
        return item

    def close(self) -> None:
        """Let go of the source."""
        self._is_open = False
        self.inner.close()

    def leave(self) -> None:
        """From any thread: nobody waits for it any longer; how it ends now is no news."""
        self._leaving = True

    def _try_open(self, timeout: float) -> bool:
        left_s = self._next_try_s - time.monotonic()
        if left_s > 0:
            time.sleep(min(timeout, left_s))
            return False
        self.inner.open()
        self._is_open = True
        return True

    def _found(self) -> None:
        now_s = time.monotonic()
        self.connects += 1
        self._live_since_s = now_s
        self._become(Sight("live", "", round(now_s - self._away_since_s, 3)))

    def _lost(self, error: Exception) -> None:
        self.close()
        if self._leaving:
            return
        now_s = time.monotonic()
        if self.sight.state == "live":
            self._away_since_s = now_s
            if now_s - self._live_since_s > STEADY_S:
                self._wait_s = FIRST_WAIT_S
        wait_s = UNSUPPORTED_WAIT_S if isinstance(error, Unsupported) else self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._next_try_s = now_s + wait_s * self._random.uniform(1 - JITTER, 1 + JITTER)
        self._become(Sight("away", str(error), round(now_s - self._away_since_s, 3)))

    def _become(self, sight: Sight) -> None:
        before = self.sight
        self.sight = sight
        if (before.state, before.reason) == (sight.state, sight.reason):
            return
        if sight.state == "live":
            _log.info("%s: frames flow (after %.1f s)", self._name, sight.away_s)
        else:
            _log.warning("%s: %s", self._name, sight.reason)
        if before.state != sight.state:  # another reason for the same absence is a log line, not another event
            self._changed(sight)
