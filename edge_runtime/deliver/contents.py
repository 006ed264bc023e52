"""What stands in the spool's file beside its rows, each thing checked as it is read: a flipped bit must not become a silent change.

    meta     epoch, format, seal (CRC-32 of the epoch)
    state    the lanes' JSON, each with its CRC-32; and under BOOKS how many rows there are and which number comes next, so that rows that
             vanish from a damaged file are missed, and no number is ever given twice
    topics, losses, boots

Everything raises sqlite3.Error; sqlite3.DatabaseError itself for content that cannot be ours.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from edge_runtime.deliver.losses import Loss, Losses

BOOKS = "spool.books"  # no lane's key: those begin with the kind of the lane and a slash
_EPOCH = re.compile(r"[0-9a-f]{6}")


class Books(NamedTuple):
    """What the file should hold: how many rows, and the number that the next one gets."""

    rows: int
    next_seq: int


def state_checksum(key: str, value: str) -> int:
    """CRC-32 of one entry of the state table."""
    return zlib.crc32(f"{key}\0{value}".encode())


def load_epoch(db: sqlite3.Connection) -> str:
    """The first half of every message id."""
    meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
    epoch, seal = meta.get("epoch"), meta.get("seal")
    if not isinstance(epoch, str) or not _EPOCH.fullmatch(epoch) or (seal is not None and seal != seal_of(epoch)):
        raise sqlite3.DatabaseError(f"the epoch is damaged: {epoch!r}")
    return epoch


def seal_of(epoch: str) -> str:
    """What must stand beside the epoch: a changed one would send every waiting message under another id."""
    return f"{zlib.crc32(epoch.encode()):08x}"


def load_topics(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Number and priority of every topic."""
    found = db.execute("SELECT id, topic, priority FROM topics").fetchall()
    if not all(isinstance(topic, str) and isinstance(priority, int) for _, topic, priority in found):
        raise sqlite3.DatabaseError("the table of topics is damaged")
    return {topic: (number, priority) for number, topic, priority in found}


def load_state(db: sqlite3.Connection) -> tuple[dict[str, str], Books | None]:
    """The lanes' state without what is damaged, and the books."""
    found = db.execute("SELECT key, value, crc FROM state").fetchall()
    state = {key: value for key, value, crc in found if isinstance(value, str) and crc == state_checksum(key, value)}
    books = state.pop(BOOKS, None)
    return state, None if books is None else Books(*map(int, books.split()))


def save_state(db: sqlite3.Connection, state: Mapping[str, str]) -> None:
    """Within the transaction of the rows that the state counts. An empty value forgets its key."""
    kept = [(key, value, state_checksum(key, value)) for key, value in state.items() if value]
    db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", kept)
    db.executemany("DELETE FROM state WHERE key = ?", [(key,) for key, value in state.items() if not value])


def save_books(db: sqlite3.Connection, books: Books) -> None:
    """Within the transaction that changed the rows."""
    save_state(db, {BOOKS: f"{books.rows} {books.next_seq}"})


def load_losses(db: sqlite3.Connection) -> Losses:
    """What is owed as gaps."""
    found = db.execute("SELECT stream, reason, from_ns, to_ns, rows FROM losses").fetchall()
    for stream, reason, *numbers in found:
        if not isinstance(stream, str) or not isinstance(reason, str) or not all(isinstance(each, int) for each in numbers):
            raise sqlite3.DatabaseError("the table of losses is damaged")
    return Losses(Loss(*each) for each in found)


def save_losses(db: sqlite3.Connection, losses: Losses) -> None:
    """Within the transaction that removes the rows."""
    if losses.changed:
        db.execute("DELETE FROM losses")
        rows = [(each.stream, each.reason, each.from_ns, each.to_ns, each.rows) for each in losses]
        db.executemany("INSERT INTO losses VALUES (?, ?, ?, ?, ?)", rows)
        losses.changed = False


def find_boot(db: sqlite3.Connection, name: str) -> int:
    """The number of this boot, 0 where it has written nothing yet."""
    found = db.execute("SELECT id FROM boots WHERE boot = ?", (name,)).fetchone()
    return 0 if found is None else int(found[0])


def mark_boot(db: sqlite3.Connection, name: str) -> int:
    """The number of this boot; boots without rows are forgotten."""
    db.execute("INSERT OR IGNORE INTO boots (boot) VALUES (?)", (name,))
    boot = find_boot(db, name)
    db.execute("DELETE FROM boots WHERE id <> ? AND id NOT IN (SELECT boot FROM rows)", (boot,))
    return boot
