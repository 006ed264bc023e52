"""The spool: a disk queue in SQLite WAL between this device and the broker.

    record ─► commit(Batch) ─► rows, state, losses        one transaction, one fsync: all of it or nothing
                 ▲    read(topic, after) ─► broker
                 └──── settled: deleted; refused: to `dead`

Invariants
    1. When `commit` has returned, the batch survives SIGKILL and a power cut: rows, state and losses agree with each other.
    2. `seq` rises and is never given twice under one epoch, also when the disk forgot its last writes: after an unclean stop it skips ahead.
    3. A row leaves by being settled, or by a loss (full, age, corrupt, refused, oversize) that is in the same transaction as its removal.
    4. The file stays under `max_bytes`, its WAL included.
    5. A row whose CRC-32 does not fit is never handed out.
    6. Rows that vanish from the file without a word are missed: the books (contents.py) say how many there must be.

It is no general queue: one process, one thread, one connection (see spoolfile.py). `:memory:` as path makes the same thing without the disk.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.deliver import contents
from edge_runtime.deliver.contents import Books
from edge_runtime.deliver.entry import Batch, Dead, Entry
from edge_runtime.deliver.losses import Loss, Losses
from edge_runtime.deliver.openfile import OpenFile
from edge_runtime.deliver.rows import CHUNK, Found, Rows
from edge_runtime.deliver.spoolfile import PAGE_BYTES, Budget, boot_id
from edge_runtime.errors import SpoolError
from edge_runtime.options import option
from edge_runtime.present.envelope import stream_of
from edge_runtime.types import SpooledRow, Tick

MAX_TOPICS = 4096
MAX_BODY_BYTES = 256_000
SKIP_AFTER_UNCLEAN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """The disk queue between this device and the broker."""

    path: Path = option("The database file.", default=Path("spool.db"), kind="path")
    max_bytes: int = option("Hard cap of the file.", default=256_000_000, low=1_000_000, kind="size")
    max_age_s: float = option("Older rows are dropped, and a gap says so.", default=7 * 86400.0, low=60, kind="duration")
    on_full: Literal["drop_oldest", "reject_new"] = option("Either way a gap is published.", default="drop_oldest")
    commit_ms: int = option("Group commit: the most that a power cut can take.", default=200, low=1, high=5000, unit="ms")


class Spool:
    """Construction is pure; `open` touches the disk. One thread calls everything."""

    def __init__(self, options: SpoolOptions, leads: Mapping[str, int] | None = None) -> None:
        """`leads`: see Rows; what its owner adds to it counts from the next `read` on."""
        self.path = options.path
        self.epoch = ""
        self.depth = 0
        self.dropped = 0  # rows lost since the file was opened, whatever the reason
        self.commits = 0
        self.missing = 0  # what the books have more (or less) than the file had when it was opened: `verify` declares it
        self.saved: dict[str, str] = {}  # the state as of `open`
        self.losses = Losses()
        self.oldest: Tick | None = None
        self._options = options
        self._leads = {} if leads is None else leads
        self._budget = Budget(options.max_bytes)
        self.file = OpenFile(options.path, self._budget)
        self._table: Rows
        self._next = 1
        self._booked = Books(0, 1)
        self._topics: dict[str, tuple[int, int]] = {}
        self.max_body = min(MAX_BODY_BYTES, options.max_bytes // 100)

    def open(self, first_seq: int = 1) -> None:
        """Open or make the file; numbers below `first_seq` are not given. Raises CannotStart, Corrupt; SpoolError when the disk fails."""
        with self.file.opening():
            self._begin(first_seq)

    def open_to_read(self) -> None:
        """What is in the file, while its disk takes no writes: only `read` will do. Raises SpoolError, Corrupt."""
        with self.file.opening(to_read=True):
            self._load(contents.find_boot(self._connection, boot_id()))

    def close(self) -> None:
        """Let go of the file, marked as closed on purpose where the disk allows. Idempotent."""
        if not self.file.is_open:
            return
        with contextlib.suppress(SpoolError), self._writing("closing"):
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('clean', '1')")
        self.file.close()

    def cut(self, first: int) -> int:
        """Take back rows numbered `first` and up: of a commit that failed and came through nevertheless. How many. Raises SpoolError."""
        with self._writing("cutting"):
            count = self._connection.execute("DELETE FROM rows WHERE seq >= ?", (first,)).rowcount
            self.depth -= count
        return count

    def verify(self, now: Tick) -> bool:
        """Whether every row can be found by its topic. If not, the index is made anew, and rows that are gone become a loss. Raises SpoolError."""
        with self.file.reading("verifying"):
            if self._table.count() == self.depth and not self.missing:
                return True
        with self._writing("verifying"):
            count = self._table.reindex()
            gone, self.depth, self.missing = self.depth + self.missing - count, count, 0
            if gone > 0:
                self.dropped += gone
                self.losses.add(Loss("node", "corrupt", now.wall_ns - round(self._options.max_age_s * 1e9), now.wall_ns, gone), now)
                contents.save_losses(self._connection, self.losses)
        return False

    @property
    def topics(self) -> Mapping[str, tuple[int, int]]:
        """Every topic that has or had rows: its id and priority."""
        return self._topics

    def commit(self, batch: Batch, now: Tick) -> int:
        """Do all of `batch` in one transaction; how many rows were added. Raises SpoolError (nothing was done), Corrupt."""
        with self._writing("writing"):
            added = self._apply(batch, now)
        self.commits += 1
        return added

    def read(self, topic: str, after: int, limit: int, now: Tick) -> list[SpooledRow]:
        """Up to `limit` rows of `topic` behind `after`, in order. A row whose CRC does not fit becomes a loss. Raises SpoolError, Corrupt."""
        known = self._topics.get(topic)
        if known is None:
            return []
        with self.file.reading("reading"):
            rows, broken = self._table.read(topic, *known, after, limit)
        if not broken:
            return rows
        since_ns = self.oldest.wall_ns if self.oldest else now.wall_ns  # a broken row's own times cannot be trusted
        with self._writing("discarding"):
            self._drop([Found(seq, topic, since_ns) for seq in broken], "corrupt", now)
            self.losses.add(Loss(stream_of(topic), "corrupt", since_ns, now.wall_ns, 0), now)
            contents.save_losses(self._connection, self.losses)
        return self.read(topic, after, limit, now)

    def expire(self, now: Tick) -> int:
        """Drop what is older than `max_age_s`; how many rows that were. Raises SpoolError."""
        dropped = 0
        while True:
            with self.file.reading("expiring"):
                old = self._table.aged(now, round(self._options.max_age_s * 1e9))
            if not old:
                return dropped
            with self._writing("expiring"):
                self._drop(old, "age", now)
                contents.save_losses(self._connection, self.losses)
            dropped += len(old)

    def first(self, limit: int, size: int) -> list[tuple[int, Entry]]:
        """The oldest rows of all topics, at most `size` bytes but at least one, as entries that keep their ids: to move them. Raises SpoolError."""
        with self.file.reading("moving"):
            found = self._table.first(limit)
        sizes = itertools.accumulate(entry.size for _, entry in found)
        return [row for index, (row, total) in enumerate(zip(found, sizes, strict=True)) if not index or total <= size]

    def dead(self, size: int) -> list[Dead]:
        """The newest of what the broker refused for good, at most `size` bytes, the oldest first. Raises SpoolError."""
        with self.file.reading("looking"):
            return self._table.dead(size)

    def shrink(self) -> None:
        """Give free pages back to the disk, a few at a time. Raises SpoolError."""
        if self.file.pragma("freelist_count") > CHUNK:
            with self.file.reading("shrinking"):
                self._connection.executescript(f"PRAGMA incremental_vacuum({CHUNK})")  # `execute` would free one page only
            self.file.wrote()

    @property
    def next_seq(self) -> int:
        """The number that the next row gets."""
        return self._next

    @property
    def bytes_used(self) -> int:
        """Size of the used part of the file; 0 while it is not open. Raises SpoolError."""
        if not self.file.is_open:
            return 0
        return (self.file.pragma("page_count") - self.file.pragma("freelist_count")) * PAGE_BYTES

    # -- inside ----------------------------------------------------------------------------------------------------------------

    @property
    def _connection(self) -> sqlite3.Connection:
        return self.file.connection

    @contextlib.contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        """A transaction: on any error neither the file nor this object has changed."""
        before = self._next, self.depth, self.dropped, self.missing, self._booked, dict(self._topics), self.losses.copy()
        with self.file.reading(doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._book(Books(self.depth + self.missing, self._next))
                oldest = self._table.oldest()  # what fails behind COMMIT would be taken for a commit that failed
                self._connection.execute("COMMIT")
            except BaseException:
                self._next, self.depth, self.dropped, self.missing, self._booked, self._topics, self.losses = before
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self.oldest = oldest
        self.file.wrote()

    def _book(self, books: Books) -> None:
        if books != self._booked:
            contents.save_books(self._connection, books)
            self._booked = books

    def _begin(self, first_seq: int) -> None:
        """Take up what is in the file, and mark it as in use."""
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        self._load(contents.mark_boot(self._connection, boot_id()))
        closed = run("SELECT value FROM meta WHERE key = 'clean'").fetchone()
        if closed is not None and closed[0] != "1":
            first_seq = max(first_seq, self._next + SKIP_AFTER_UNCLEAN)
        self._next = max(first_seq, self._next)
        run("INSERT OR REPLACE INTO meta VALUES ('clean', '0')")
        self._book(Books(self.depth + self.missing, self._next))
        run("COMMIT")

    def _load(self, boot: int) -> None:
        self.epoch = contents.load_epoch(self._connection)
        self._topics = contents.load_topics(self._connection)
        self.saved, books = contents.load_state(self._connection)
        self.losses = contents.load_losses(self._connection)
        self._table = Rows(self._connection, self.epoch, boot, self._leads)
        self.depth = self._table.count()
        self.oldest = self._table.oldest()
        self._next = max(self._table.last_given() + 1, books.next_seq if books else 1)
        self.missing = books.rows - self.depth if books else 0

    def _apply(self, batch: Batch, now: Tick) -> int:
        for loss in batch.closed:  # first: what is lost by this batch grows another one
            self.losses.remove(loss)
        self.depth -= self._table.delete(batch.settled)
        self._bury(batch, now)
        for loss in batch.lost:
            self.losses.add(loss, now)
            self.dropped += loss.rows
        entries = self._admitted(self._make_room(self._fitting(batch.entries, now), now), now)
        self._table.insert(entries, self._next, self._topics)
        self._next += len(entries)
        self.depth += len(entries)
        if batch.state:
            contents.save_state(self._connection, batch.state)
        contents.save_losses(self._connection, self.losses)
        return len(entries)

    def _bury(self, batch: Batch, now: Tick) -> None:
        dead_bytes = self._options.max_bytes // 16
        for seq, why in batch.refused:
            if found := self._table.bury(seq, why, dead_bytes):
                self._drop([found], "refused", now)
        for dead in batch.dead:
            self._table.keep_dead(self._next, dead, dead_bytes)
            self._next += 1

    def _fitting(self, entries: Sequence[Entry], now: Tick) -> Sequence[Entry]:
        """Without what no broker would take."""
        large = [each for each in entries if len(each.body) > self.max_body]
        if not large:
            return entries
        self._lose(large, "oversize", now)
        return [each for each in entries if len(each.body) <= self.max_body]

    def _admitted(self, entries: Sequence[Entry], now: Tick) -> Sequence[Entry]:
        """With every topic known; without entries of a topic too many."""
        for each in entries:
            if each.topic not in self._topics and len(self._topics) < MAX_TOPICS:
                self._topics[each.topic] = (self._table.add_topic(each.topic, each.priority), each.priority)
        if all(each.topic in self._topics for each in entries):
            return entries
        self._lose([each for each in entries if each.topic not in self._topics], "topics", now)
        return [each for each in entries if each.topic in self._topics]

    def _make_room(self, entries: Sequence[Entry], now: Tick) -> Sequence[Entry]:
        if not entries:
            return entries
        incoming = sum(each.size for each in entries) * 5 // 4 + 8 * PAGE_BYTES
        room = self._budget.soft_pages * PAGE_BYTES - incoming
        if self.bytes_used <= room:
            return entries
        if self._options.on_full == "reject_new":
            told = [each for each in entries if each.topic.endswith("/gap")]  # what tells of losses must not be one
            self._lose([each for each in entries if not each.topic.endswith("/gap")], "full", now)
            return told
        least = self._budget.soft_pages * PAGE_BYTES // 32  # a little more than needed, so that not every commit has to
        while self.bytes_used > room and (old := self._table.next_victims(max(least, self.bytes_used - room))):
            self._drop(old, "full", now)
        return entries

    def _drop(self, rows: Sequence[Found], reason: str, now: Tick) -> None:
        self.depth -= self._table.delete([row.seq for row in rows])
        self.dropped += len(rows)
        for row in rows:
            self.losses.add(Loss(stream_of(row.topic), reason, row.wall_ns, row.wall_ns, 1), now)

    def _lose(self, entries: Sequence[Entry], reason: str, now: Tick) -> None:
        self.dropped += len(entries)
        for each in entries:
            self.losses.add(Loss(stream_of(each.topic), reason, each.wall_ns, each.wall_ns, 1), now)
