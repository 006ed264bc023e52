"""Rows that the broker will not take: refused by a reason code, or answered by dropping the connection.

refused (PUBACK ≥ 0x80)   topic held ─► again after 1, 4, 16 s ─► buried; further rows of that topic get one try each
                          until one is taken

connection dropped        a broker answers in the order of sending, so the row behind which the answers end is the suspect
instead of an answer      3 times the same row    ─► it is sent alone
                          8 times again           ─► it is left out, and rows go one by one
                             next one taken      ─► the row was at fault: buried
                             next one not either ─► the broker is at fault: all is offered again

Rows go one by one as well when 3 connections running took nothing. Counted is each row by itself, until it is answered: two such rows in different
topics take turns at being the first. Eleven times, with the waits between them growing where nothing is taken: a line that drops by itself does
not do that to one row. A cut at the wrong moment again and again looks the same for a while, and burying what was sound would be a loss.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from edge_runtime.types import SpooledRow

_log = logging.getLogger("edge_runtime.publisher")

RETRY_AFTER_S = (1.0, 4.0, 16.0)
STRIKES = 3
LONE_STRIKES = 8
MAX_LEFT_OUT = 8
SUSPECTS = 64


@dataclass(slots=True)
class _Held:
    rows: list[SpooledRow]
    due_s: float
    tries: int


class Refusals:
    """Which refused rows are tried again when. The bound: a window of rows for each topic that is held."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._tries: dict[str, int] = {}  # by topic, since a row of it was last taken

    def refused(self, row: SpooledRow, why: str, now_s: float) -> bool:
        """The broker said no. True: `row` will be due again, its topic must be held; False: give it up."""
        held = self._held.get(row.topic)
        if held is not None:
            held.rows.append(row)
            held.rows.sort(key=lambda each: each.seq)
            return True
        tries = self._tries.get(row.topic, 0)
        if tries >= len(RETRY_AFTER_S):
            if tries == len(RETRY_AFTER_S):
                _log.error("%s: the broker refuses it for good (%s): its messages go to the spool's dead table, and gaps say so", row.topic, why)
                self._tries[row.topic] = tries + 1
            return False
        self._tries[row.topic] = tries + 1
        self._held[row.topic] = _Held([row], now_s + RETRY_AFTER_S[tries], tries)
        if tries == 0:
            _log.warning("%s: refused by the broker (%s): trying again", row.topic, why)
        return True

    def taken(self, topic: str) -> None:
        """The broker took a row of `topic`."""
        if topic in self._tries and topic not in self._held:
            del self._tries[topic]
            _log.info("%s: the broker takes it", topic)

    def due(self, now_s: float) -> list[SpooledRow]:
        """Rows to offer again now, in order; their topics are no longer held."""
        rows: list[SpooledRow] = []
        for topic in [topic for topic, held in self._held.items() if held.due_s <= now_s]:
            rows += self._held.pop(topic).rows
        return rows

    @property
    def next_s(self) -> float:
        """When something is due; infinity when nothing is held."""
        return min((held.due_s for held in self._held.values()), default=float("inf"))

    def holds(self, topic: str) -> bool:
        """Whether rows of `topic` wait."""
        return topic in self._held

    @property
    def topics(self) -> frozenset[str]:
        """Topics that are held."""
        return frozenset(self._held)

    def forget(self) -> None:
        """The connection was lost and all rows are offered anew. Some brokers end it with each refusal: topics stay held until they are due."""
        for held in self._held.values():
            held.rows.clear()


class Poison:
    """Finds the rows whose sending ends the connection."""

    def __init__(self) -> None:
        self.left_out: set[int] = set()  # rows not to be offered; at most MAX_LEFT_OUT
        self._strikes = 0  # connections running that took nothing
        self._ends: dict[int, int] = {}  # row -> how many connections ended behind it; at most SUSPECTS

    @property
    def cautious(self) -> bool:
        """One row at a time."""
        return self._strikes >= STRIKES or bool(self.left_out)

    def admits(self, seq: int, in_flight: Collection[int]) -> bool:
        """Whether the row `seq` may be sent beside those that are not answered yet."""
        if not in_flight:
            return True
        return not self.cautious and not any(self._ends.get(each, 0) >= STRIKES for each in (seq, *in_flight))

    def taken(self, seq: int) -> set[int]:
        """A row was answered, so the broker works. The rows to bury, if that proves others' guilt."""
        guilty, self.left_out = self.left_out, set()
        self._ends.pop(seq, None)
        self._strikes = 0
        return guilty

    def lost(self, in_flight: list[int], answered: bool) -> None:
        """A connection ended with these rows unanswered, in the order of sending; `answered`: it had taken at least one row before."""
        if not in_flight:
            return
        self._strikes += not answered
        front = in_flight[0]
        ends = self._ends.pop(front, 0) + 1
        if ends < STRIKES + LONE_STRIKES:
            self._ends[front] = ends
            while len(self._ends) > SUSPECTS:
                del self._ends[next(iter(self._ends))]
        elif len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.add(front)
        else:
            self.left_out.clear()  # so many at once: it is the broker
