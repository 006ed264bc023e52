"""The spool's file: how it is opened, what stands in it, and what happens when it turns out to be broken.

    meta    key, value                 epoch (random, made with the file; first half of every message id)
    boots   id, boot                   boot ids, so that monotonic times are compared within one boot only
    topics  id, topic, priority
    rows    seq, topic, body, crc, mono_ns, wall_ns, boot, origin
                                       body: the envelope without `id` and `seq`; origin: the id of a row that was first kept in memory
    state   key, value, crc            JSON that must agree with the rows: written in the same transaction
    losses  stream, reason, …          what was lost and is not yet published as a gap
    dead    seq, topic, body, why      rows that the broker refused for good; the newest DEAD_ROWS stay for a person to look at

One connection, one thread, locked exclusively: SQLite's WAL has had corruption bugs that need two connections. `synchronous=FULL`: a commit
that returned is on the disk. Incremental vacuum, a bounded WAL and `max_page_count` keep the file under `max_bytes`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import CannotStart, SpoolError

PAGE_BYTES = 4096
FORMAT = 1
DEAD_ROWS = 1000
MEMORY = Path(":memory:")

_APPLICATION = 0x45644765  # "EdGe": tells a spool from anybody else's database
_ASIDE = 2  # broken files kept
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
    """Open or make the file. Raises CannotStart (folder, rights, in use, not a spool), Corrupt."""
    _require_folder(path)
    emptied = path != MEMORY and path.exists() and path.stat().st_size == 0
    if emptied:
        raise Corrupt(f"{path} is empty: it was truncated, or the power went while it was made")
    try:
        connection = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise CannotStart(f"spool {path}: cannot be opened: {error}; check the rights of the file and its folder") from error
    try:
        _prepare(connection, path, budget)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise _opening_error(path, error) from error
        raise
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


def set_aside(path: Path) -> Path | None:
    """Rename a broken file and its WAL, so that a person can look at it; older ones beyond two are removed. None when only emptiness was left."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{secrets.token_hex(2)}"
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    with contextlib.suppress(FileNotFoundError):
        path.with_name(path.name + "-shm").unlink()
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        wal.rename(aside.with_name(aside.name + "-wal"))
    if path.stat().st_size == 0:
        path.unlink()
        return None
    path.rename(aside)
    kept = sorted(each for each in path.parent.glob(f"{path.name}.corrupt-*") if not each.name.endswith("-wal"))
    for old in kept[:-_ASIDE]:
        old.unlink()
        with contextlib.suppress(FileNotFoundError):
            old.with_name(old.name + "-wal").unlink()
    return aside


def salvage_state(path: Path) -> dict[str, str]:
    """What a broken file still says of the state (totals, open windows); entries whose CRC does not fit are left out."""
    state: dict[str, str] = {}
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA writable_schema=ON")  # also makes SQLite open a file that was cut short
            for key, value, crc in connection.execute("SELECT key, value, crc FROM state"):
                if crc == state_checksum(key, value):
                    state[key] = value
    except (sqlite3.Error, UnicodeError):
        pass  # what was read so far is sound, each by its own CRC
    with contextlib.suppress(FileNotFoundError):
        path.with_name(path.name + "-shm").unlink()
    return state


def state_checksum(key: str, value: str) -> int:
    """CRC-32 of one entry of the state table."""
    return zlib.crc32(f"{key}\0{value}".encode())


def boot_id() -> str:
    """What tells this boot from others; the process's own start where the kernel does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"process-{os.getpid()}-{time.monotonic_ns()}"


def _require_folder(path: Path) -> None:
    if path == MEMORY:
        return
    folder = path.parent
    if not folder.is_dir():
        raise CannotStart(f"spool {path}: its folder {folder} does not exist: create it, or set [spool] path to a folder on a disk")
    if path.is_dir():
        raise CannotStart(f"spool {path}: expected a file, found a folder: set [spool] path to a file in it")
    try:
        probe = folder / f".{path.name}.probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(f"spool {path}: its folder cannot be written: {error.strerror}; give this user the right to write {folder}") from error


def _opening_error(path: Path, error: sqlite3.Error) -> SpoolError | CannotStart:
    text = str(error)
    if "locked" in text or "busy" in text:
        return CannotStart(f"spool {path}: another process has it open: stop that one, or give each daemon its own [spool] path")
    problem = translate(error, f"spool {path}")
    if isinstance(problem, Corrupt):
        return problem
    return CannotStart(f"spool {path}: cannot be opened: {text}; check free space and the rights of the file and its folder")


def _prepare(connection: sqlite3.Connection, path: Path, budget: Budget) -> None:
    run = connection.execute
    run("PRAGMA locking_mode=EXCLUSIVE")
    run("PRAGMA auto_vacuum=INCREMENTAL")  # before the first table
    run(f"PRAGMA page_size={PAGE_BYTES}")
    run("PRAGMA journal_mode=WAL")
    run("PRAGMA synchronous=FULL")
    run("PRAGMA temp_store=MEMORY")
    run("PRAGMA cache_size=-1024")
    run(f"PRAGMA wal_autocheckpoint={budget.wal_pages}")
    run(f"PRAGMA journal_size_limit={budget.wal_pages * PAGE_BYTES}")
    application = run("PRAGMA application_id").fetchone()[0]
    written = run("PRAGMA user_version").fetchone()[0]
    if application == 0 and not run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _create(connection)
    elif application != _APPLICATION:
        raise CannotStart(f"spool {path}: this SQLite file belongs to something else: set [spool] path to a file of its own")
    elif written > FORMAT:
        raise CannotStart(f"spool {path}: written by a newer version (format {written}, this one knows {FORMAT}): update, or move the file away")
    run(f"PRAGMA max_page_count={budget.file_pages}")
    run("BEGIN IMMEDIATE")  # takes the lock now, so that a second daemon is refused now
    run("COMMIT")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (secrets.token_hex(3),))
    connection.execute(f"PRAGMA application_id={_APPLICATION}")
    connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")
