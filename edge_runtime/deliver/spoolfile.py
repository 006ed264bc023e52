"""The spool's file: how it is opened, what stands in it, and what happens when it turns out to be broken.

    meta    key, value                 epoch (random, made with the file; first half of every message id), format, clean
    boots   id, boot                   boot ids, so that monotonic times are compared within one boot only
    topics  id, topic, priority
    rows    seq, topic, body, crc, mono_ns, wall_ns, boot, origin
                                       body: the envelope without `id` and `seq`; origin: the id of a row that was first kept in memory
    state   key, value, crc            JSON that must agree with the rows: written in the same transaction; and the books (contents.py)
    losses  stream, reason, …          what was lost and is not yet published as a gap
    dead    seq, topic, body, why      rows that the broker refused for good; the newest DEAD_ROWS stay for a person to look at

One connection, one thread, locked exclusively: SQLite's WAL has had corruption bugs that need two connections. `synchronous=FULL`: a commit
that returned is on the disk. Incremental vacuum, a bounded WAL and `max_page_count` keep the file under `max_bytes`. A new file is made under
another name and renamed when it is whole, so a file that is empty or half made was damaged by somebody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge_runtime.deliver.contents import seal_of
from edge_runtime.deliver.salvage import remove, sync_folder
from edge_runtime.errors import CannotStart, SpoolError

PAGE_BYTES = 4096
FORMAT = 1
DEAD_ROWS = 1000
MEMORY = Path(":memory:")

_APPLICATION = 0x45644765  # "EdGe": tells a spool from anybody else's database
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)  # by the disk, which may change its mind; others are for a person to set right
_TABLES = frozenset({"meta", "boots", "topics", "rows", "state", "losses", "dead"})
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE boots (id INTEGER PRIMARY KEY, boot TEXT NOT NULL UNIQUE);
CREATE TABLE topics (id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL);
CREATE TABLE rows (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL,
                   mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL, boot INTEGER NOT NULL, origin TEXT);
CREATE INDEX rows_by_topic ON rows (topic, seq);
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE losses (stream TEXT NOT NULL, reason TEXT NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, rows INTEGER NOT NULL,
                     PRIMARY KEY (stream, reason)) WITHOUT ROWID;
CREATE TABLE dead (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL, why TEXT NOT NULL, wall_ns INTEGER NOT NULL);
"""


class Corrupt(SpoolError):
    """The file is broken: it must be set aside and a new one begun."""


class CutShort(Corrupt):
    """Somebody took a part of the file away while it was open: closing and opening it again would only make that worse."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How `max_bytes` is shared out. The WAL is emptied every `wal_pages`, but the commit that crosses the mark still fits."""

    max_bytes: int

    @property
    def wal_pages(self) -> int:
        """Pages of WAL after which SQLite checkpoints."""
        return max(16, min(1000, self.max_bytes // PAGE_BYTES // 16))

    @property
    def file_pages(self) -> int:
        """The hard cap of the database file: what three WALs leave."""
        return self.max_bytes // PAGE_BYTES - 3 * self.wal_pages

    @property
    def soft_pages(self) -> int:
        """Above this, `on_full` decides; the rest is room for deleting, losses and state."""
        return self.file_pages - max(16, self.file_pages // 16)

    @property
    def commit_bytes(self) -> int:
        """The most that one transaction may add."""
        return self.wal_pages * PAGE_BYTES // 3


def connect(path: Path, budget: Budget) -> sqlite3.Connection:
    """Open or make the file. Raises CannotStart (folder, rights, in use, not a spool), SpoolError (the disk refuses), Corrupt."""
    if path != MEMORY:
        try:
            _require_file(path)
        except OSError as error:
            raise SpoolError(f"spool {path}: cannot be looked at: {error.strerror}") from error
    try:
        connection = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path, budget)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _opening_error(path, error) from error
    return connection


def translate(error: sqlite3.Error, doing: str) -> SpoolError:
    """What SQLite said, as the error that decides who reacts."""
    # Malformed, no database at all, a key that exists twice, text that is no UTF-8.
    if type(error) is sqlite3.DatabaseError or isinstance(error, sqlite3.IntegrityError) or "decode" in str(error):
        return Corrupt(f"{doing}: {error}")
    return SpoolError(f"{doing}: {error}")


def filesystem_of(path: Path) -> str:
    """The type of file system under `path` ("ext4", "tmpfs" …); empty where the system does not say."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    parents = {str(parent) for parent in path.resolve().parents}
    return max(((where, kind) for where, kind in mounts if where in parents), key=lambda mount: len(mount[0]), default=("", ""))[1]


def boot_id() -> str:
    """What tells this boot from others; the process's own start where the kernel does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"process-{os.getpid()}-{time.monotonic_ns()}"


class Standing(NamedTuple):
    """A file under a name: which one, and how long."""

    device: int
    inode: int
    size: int


def standing(path: Path) -> tuple[Standing, ...] | None:
    """What stands under the names of a database and its WAL now, as far as it is there. None: the disk does not say."""
    found = []
    for each in (path, path.with_name(path.name + "-wal")):
        try:
            status = each.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return None
        found.append(Standing(status.st_dev, status.st_ino, status.st_size))
    return tuple(found)


def _require_file(path: Path) -> None:
    """A file that is there, made where it was not, in a folder that can be written."""
    _require_folder(path)
    if not path.exists():
        _make(path)
    elif path.stat().st_size == 0:
        raise Corrupt(f"spool {path}: is empty: it was truncated")
    elif not os.access(path, os.R_OK | os.W_OK):
        raise CannotStart(f"spool {path}: this user may not write the file: give it that right, or set [spool] path to a file of its own")


def _require_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise CannotStart(f"spool {path}: its folder {folder} does not exist: create it, or set [spool] path to a folder on a disk")
    if path.is_dir():
        raise CannotStart(f"spool {path}: expected a file, found a folder: set [spool] path to a file in it")
    probe = folder / f".{path.name}.probe-{secrets.token_hex(4)}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno in _REFUSALS:
            raise SpoolError(f"spool {path}: its folder cannot be written: {error.strerror}") from error
        raise CannotStart(f"spool {path}: its folder cannot be written: {error.strerror}; give this user the right to write {folder}") from error


def _opening_error(path: Path, error: sqlite3.Error) -> SpoolError | CannotStart:
    text = str(error)
    if "locked" in text or "busy" in text:
        return CannotStart(f"spool {path}: another process has it open: stop that one, or give each daemon its own [spool] path")
    if "readonly" in text:  # folder and file can be written, that was tried: so it is the header that says so
        return Corrupt(f"spool {path}: {text}")
    return translate(error, f"spool {path}: cannot be opened")


def _make(path: Path) -> None:
    """A new file, whole or not at all. Raises SpoolError."""
    fresh = path.with_name(path.name + ".new")
    try:
        remove(fresh)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before the first table
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA synchronous=FULL")
            _create(connection)
        remove(path)  # what is left of a file that was deleted: its WAL must not be taken for that of the new one
        fresh.rename(path)
        sync_folder(path)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            remove(fresh)
        raise SpoolError(f"spool {path}: cannot be made: {error}") from error


def _prepare(connection: sqlite3.Connection, path: Path, budget: Budget) -> None:
    run = connection.execute
    run("PRAGMA locking_mode=EXCLUSIVE")
    if path == MEMORY:
        run("PRAGMA auto_vacuum=INCREMENTAL")
        run(f"PRAGMA page_size={PAGE_BYTES}")
    run("PRAGMA journal_mode=WAL")
    run("PRAGMA synchronous=FULL")
    run("PRAGMA temp_store=MEMORY")
    run("PRAGMA cache_size=-1024")
    run(f"PRAGMA wal_autocheckpoint={budget.wal_pages}")
    run(f"PRAGMA journal_size_limit={budget.wal_pages * PAGE_BYTES}")
    if path == MEMORY:
        _create(connection)
    _recognise(connection, path)
    run(f"PRAGMA max_page_count={budget.file_pages}")
    run("BEGIN IMMEDIATE")  # takes the lock now, so that a second daemon is refused now
    run("COMMIT")


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Ours, and of a format that this version knows. Both stand twice; where header and tables disagree about them, something is damaged."""
    run = connection.execute
    application = run("PRAGMA application_id").fetchone()[0]
    written = run("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in run("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = tables >= _TABLES
    if not ours and application != _APPLICATION:
        raise CannotStart(f"spool {path}: this SQLite file belongs to something else: set [spool] path to a file of its own")
    said = run("SELECT value FROM meta WHERE key = 'format'").fetchone() if "meta" in tables else None
    if written > FORMAT and (said is None or said[0] == str(written)):
        raise CannotStart(f"spool {path}: written by a newer version (format {written}, this one knows {FORMAT}): update, or move the file away")
    if not ours or application != _APPLICATION or (said is not None and said[0] != str(written)):
        raise Corrupt(f"spool {path}: its header and its tables disagree about what it is")


def _create(connection: sqlite3.Connection) -> None:
    epoch = secrets.token_hex(3)
    connection.execute("BEGIN EXCLUSIVE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    meta = {"epoch": epoch, "seal": seal_of(epoch), "format": str(FORMAT)}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
    connection.execute(f"PRAGMA application_id={_APPLICATION}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")
