"""The statements on the spool's rows. What they mean together, and their transactions, is the spool's business."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge_runtime.clock import STEP_NS
from edge_runtime.deliver.entry import Dead, Entry, checksum, on_the_wire
from edge_runtime.deliver.spoolfile import DEAD_ROWS
from edge_runtime.present.restamp import UNSYNCED, restamp
from edge_runtime.types import SpooledRow, Tick

CHUNK = 256  # rows that are looked at or removed at once

_SANE_NS = 1_600_000_000 * 10**9  # 2020: a wall clock before that was not set, and says nothing about age
_NO_ENVELOPE = (ValueError, LookupError, TypeError, OverflowError)  # a body that is none, or has a time that no calendar has
_JOINED = "FROM rows r JOIN topics t ON t.id = r.topic"
_NEWEST_DEAD = "SELECT seq, row_number() OVER w AS place, sum(length(body)) OVER w AS total FROM dead WINDOW w AS (ORDER BY seq DESC)"


class Found(NamedTuple):
    """A row, as far as its removal needs to know it."""

    seq: int
    topic: str
    wall_ns: int


class Rows:
    """Everything raises sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, epoch: str, boot: int, leads: Mapping[str, int]) -> None:
        """`leads`: of boots whose clock was right at last, by how much the wall clock led the monotonic one, in nanoseconds. It may grow."""
        self._db = connection
        self._epoch = epoch
        self._boot = boot
        self._leads = leads
        self._boots: dict[int, str] = dict(connection.execute("SELECT id, boot FROM boots").fetchall())

    def reindex(self) -> int:
        """Make the index by topic anew from the rows; how many there are. Rows of no known topic cannot be sent: they go."""
        self._db.execute("REINDEX rows_by_topic")
        self._db.execute("DELETE FROM rows WHERE topic NOT IN (SELECT id FROM topics)")
        return self.count()

    def count(self) -> int:
        """How many the index knows: what is missing there would never be sent."""
        return int(self._db.execute("SELECT count(*) FROM rows INDEXED BY rows_by_topic").fetchone()[0])

    def last_given(self) -> int:
        """The highest number ever given."""
        last = self._db.execute("SELECT max(seq) FROM rows").fetchone()[0] or 0
        given = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        return max(int(last), int(given[0]) if given else 0)

    def oldest(self) -> Tick | None:
        """When the oldest row's event happened; `mono_ns` is -1 for one of an earlier boot."""
        first = self._db.execute("SELECT mono_ns, wall_ns, boot FROM rows ORDER BY seq LIMIT 1").fetchone()
        return None if first is None else Tick(_whole(first[0]) if first[2] == self._boot else -1, _whole(first[1]))

    def add_topic(self, topic: str, priority: int) -> int:
        """The new topic's number."""
        number = self._db.execute("INSERT INTO topics (topic, priority) VALUES (?, ?)", (topic, priority)).lastrowid
        assert number is not None
        return number

    def insert(self, entries: Sequence[Entry], first_seq: int, topics: Mapping[str, tuple[int, int]]) -> None:
        """Add rows numbered from `first_seq`."""
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    seq,
                    topics[row.topic][0],
                    row.body,
                    checksum(seq, row, self._boot),
                    row.mono_ns,
                    row.wall_ns,
                    self._boot,
                    row.origin,
                )
                for seq, row in enumerate(entries, first_seq)
            ),
        )

    def read(self, topic: str, number: int, priority: int, after: int, limit: int) -> tuple[list[SpooledRow], list[int]]:
        """Rows of one topic in order, their times put right where that is known, and the numbers of those that are broken."""
        query = "SELECT seq, body, crc, origin, mono_ns, wall_ns, boot FROM rows WHERE topic = ? AND seq > ? ORDER BY seq LIMIT ?"
        sound: list[SpooledRow] = []
        broken: list[int] = []
        for seq, body, crc, origin, mono_ns, wall_ns, boot in self._db.execute(query, (number, after, limit)).fetchall():
            if isinstance(body, bytes) and crc == checksum(seq, Entry(topic, body, priority, mono_ns, wall_ns, origin), boot):
                try:
                    told = self._put_right(body, Tick(mono_ns, wall_ns), boot)
                    sound.append(SpooledRow(seq, topic, on_the_wire(told, self._epoch, seq, origin), priority))
                except _NO_ENVELOPE:
                    broken.append(seq)
            else:
                broken.append(seq)
        return sound, broken

    def _put_right(self, body: bytes, event: Tick, boot: int) -> bytes:
        """`body` as it is told: nothing is rewritten on the disk for that."""
        lead_ns = self._lead_of(event.mono_ns, boot)
        return body if lead_ns is None else restamp(body, event, lead_ns)

    def _lead_of(self, mono_ns: int, boot: int) -> int | None:
        """By how much the true wall time of a row leads its monotonic one; None where nobody knows, or it has none (-1): it is of no known boot."""
        return None if mono_ns < 0 else self._leads.get(self._boots.get(boot, ""))

    def _happened_ns(self, event: Tick, boot: int) -> int:
        """The wall time of an event, as far as it is known by now: a clock that was a second or more off is put right by its boot's lead."""
        lead_ns = self._lead_of(event.mono_ns, boot)
        if lead_ns is None or abs(event.mono_ns + lead_ns - event.wall_ns) <= STEP_NS:
            return event.wall_ns
        return event.mono_ns + lead_ns

    def first(self, limit: int) -> list[tuple[int, Entry]]:
        """The oldest rows of all topics as entries that keep their ids."""
        query = f"SELECT r.seq, t.topic, r.body, t.priority, r.mono_ns, r.wall_ns, r.origin {_JOINED} ORDER BY r.seq LIMIT ?"
        found = self._db.execute(query, (limit,)).fetchall()
        return [
            (seq, Entry(topic, body, priority, mono_ns, wall_ns, origin or f"{self._epoch}-{seq}"))
            for seq, topic, body, priority, mono_ns, wall_ns, origin in found
        ]

    def delete(self, seqs: Sequence[int]) -> int:
        """How many were there."""
        return self._db.executemany("DELETE FROM rows WHERE seq = ?", [(seq,) for seq in seqs]).rowcount if seqs else 0

    def next_victims(self, size: int) -> list[Found]:
        """The oldest rows that make up `size` bytes, at most a few; gaps last: they are what tells of the others."""
        for condition in ("t.topic NOT LIKE '%/gap'", "1"):
            query = f"SELECT r.seq, t.topic, r.mono_ns, r.wall_ns, r.boot, length(r.body) {_JOINED} WHERE {condition} ORDER BY r.seq LIMIT {CHUNK}"
            victims: list[Found] = []
            for seq, topic, mono_ns, wall_ns, boot, length in self._db.execute(query):
                victims.append(Found(seq, topic, self._happened_ns(Tick(_whole(mono_ns), _whole(wall_ns)), boot)))
                size -= _whole(length)
                if size <= 0:
                    break
            if victims:
                return victims
        return []

    def aged(self, now: Tick, limit_ns: int) -> list[Found]:
        """A few of the oldest rows that are older than `limit_ns`: by the monotonic clock within a boot, else by the wall clock, put right.

        What an earlier boot wrote by a clock that nobody put right is older than this boot, and nobody knows by how much.
        """
        now_ns = self._happened_ns(now, self._boot)
        query = f"SELECT r.seq, t.topic, r.mono_ns, r.wall_ns, r.boot, instr(r.body, ?) {_JOINED} ORDER BY r.seq LIMIT {CHUNK}"
        old: list[Found] = []
        for seq, topic, mono, wall, boot, unsynced in self._db.execute(query, (UNSYNCED,)).fetchall():
            mono_ns = _whole(mono)
            wall_ns = self._happened_ns(Tick(mono_ns, _whole(wall)), boot)
            if boot == self._boot and mono_ns >= 0:
                age_ns = now.mono_ns - mono_ns
            elif wall_ns <= _SANE_NS or (unsynced and self._lead_of(mono_ns, boot) is None):
                age_ns = now.mono_ns
            else:
                age_ns = now_ns - wall_ns
            if age_ns <= limit_ns:
                break
            old.append(Found(seq, topic, wall_ns))
        return old

    def bury(self, seq: int, why: str, dead_bytes: int) -> Found | None:
        """Copy one row to `dead`. None when there is no such row."""
        query = f"SELECT t.topic, r.body, t.priority, r.mono_ns, r.wall_ns, r.origin, r.crc, r.boot {_JOINED} WHERE r.seq = ?"
        found = self._db.execute(query, (seq,)).fetchone()
        if found is None:
            return None
        *columns, crc, boot = found
        row = Entry(*columns)
        happened = Tick(_whole(row.mono_ns), _whole(row.wall_ns))
        lost = Found(seq, row.topic, self._happened_ns(happened, boot))
        if not isinstance(row.body, bytes) or crc != checksum(seq, row, boot):
            return lost._replace(wall_ns=happened.wall_ns)  # broke since it was sent: nothing is worth keeping
        with contextlib.suppress(*_NO_ENVELOPE):
            told = on_the_wire(self._put_right(row.body, happened, boot), self._epoch, seq, row.origin)
            self.keep_dead(seq, Dead(row.topic, told, why, lost.wall_ns), dead_bytes)
        return lost

    def keep_dead(self, seq: int, dead: Dead, dead_bytes: int) -> None:
        """The newest DEAD_ROWS, at most `dead_bytes`, stay: seen to at once, because a file that is nearly full has no room for more."""
        self._db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, ?)", (seq, *dead))
        limits = (DEAD_ROWS, dead_bytes)
        self._db.execute(f"DELETE FROM dead WHERE seq IN (SELECT seq FROM ({_NEWEST_DEAD}) WHERE place > ? OR total > ?)", limits)

    def dead(self, size: int) -> list[Dead]:
        """The newest that have at most `size` bytes together, the oldest first."""
        query = f"SELECT topic, body, why, wall_ns FROM dead WHERE seq IN (SELECT seq FROM ({_NEWEST_DEAD}) WHERE total <= ?) ORDER BY seq"
        return [Dead(*each) for each in self._db.execute(query, (size,)).fetchall()]


def _whole(value: object) -> int:
    """A number of the file; 0 where damage made something else of it: the row's CRC tells at the latest when it is to be sent."""
    return value if isinstance(value, int) else 0
