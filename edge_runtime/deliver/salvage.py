"""What can still be had of a spool's file that cannot be used as it is.

disk full or read-only     `connect_to_read`: rows and totals are read although nothing can be written
broken                     `set_aside`: kept for a person to look at, two of them; `salvage_state`: its totals go on in the new file
deleted while it was open  `write_anew`: the open connection still has everything; all of it goes back to where it should stand
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from edge_runtime.deliver.contents import BOOKS, state_checksum
from edge_runtime.errors import SpoolError

_ASIDE = 2  # broken files kept
_PAGES = 256  # copied between two signs of life


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing at all: no lock, no -shm, no -wal. Raises sqlite3.Error.

    With a WAL the file is read through it; SQLite then needs a VFS without locks and an index of the WAL in its own memory (locking_mode
    EXCLUSIVE) to write nothing. Without one, SQLite would make it, so the file is declared immutable. Whoever calls has no other process to
    fear: the spool has one, and this is it.
    """
    how = "immutable=1"
    with contextlib.suppress(OSError):
        if path.with_name(path.name + "-wal").stat().st_size:
            how = "vfs=unix-none"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&{how}", uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    return connection


def salvage_state(path: Path) -> dict[str, str]:
    """What a broken file still says of the state (totals, open windows), up to the first entry that cannot be read; bad CRCs are left out."""
    state: dict[str, str] = {}
    try:
        with contextlib.closing(connect_to_read(path)) as connection:
            connection.execute("PRAGMA writable_schema=ON")  # also makes SQLite open a file that was cut short
            for key, value, crc in connection.execute("SELECT key, value, crc FROM state"):
                if key != BOOKS and isinstance(value, str) and crc == state_checksum(key, value):
                    state[key] = value
    except (sqlite3.Error, OSError, UnicodeError):
        pass  # what was read so far is sound, each by its own CRC
    return state


def set_aside(path: Path) -> Path | None:
    """Rename a broken file and its WAL; older ones beyond two are removed. None when only emptiness was left. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{secrets.token_hex(2)}"
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        wal.rename(aside.with_name(aside.name + "-wal"))
    if not path.exists():
        return None
    if path.stat().st_size == 0:
        path.unlink()
        return None
    path.rename(aside)
    sync_folder(path)
    kept = sorted(each for each in path.parent.glob(f"{path.name}.corrupt-*") if not each.name.endswith("-wal"))
    for old in kept[:-_ASIDE]:
        old.unlink()
        old.with_name(old.name + "-wal").unlink(missing_ok=True)
    return aside


def write_anew(source: sqlite3.Connection, path: Path, beat: Callable[[], None]) -> None:
    """Everything that `source` holds, as a new file at `path`; what stands there now is set aside. `beat` is called every megabyte.

    The same rows under the same ids. Raises SpoolError: then `source` is still what it was, and `path` too.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        remove(fresh)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as target:
            target.execute("PRAGMA synchronous=FULL")
            source.backup(target, pages=_PAGES, progress=lambda _status, _left, _total: beat())
        if path.exists():
            set_aside(path)
        remove(path)  # its old WAL must not be taken for that of the new file
        fresh.rename(path)
        sync_folder(path)
    except (sqlite3.Error, OSError) as error:
        with contextlib.suppress(OSError):
            remove(fresh)
        raise SpoolError(f"spool {path}: cannot be written anew: {error}") from error


def remove(path: Path) -> None:
    """A database and what SQLite keeps beside it, as far as they are there. Raises OSError."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Put on the disk that `path` stands in its folder: a power cut must not take the name of a file whose content is safe. Raises OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
