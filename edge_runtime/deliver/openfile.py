"""The spool's file while it is open: its one connection, what SQLite's errors mean, and whether it still stands where it was opened."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_runtime.deliver.salvage import connect_to_read, write_anew
from edge_runtime.deliver.spoolfile import MEMORY, Budget, CutShort, Standing, connect, standing, translate
from edge_runtime.errors import SpoolError


class OpenFile:
    """Construction is pure."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self._path = path
        self._budget = budget
        self._db: sqlite3.Connection | None = None
        self._files: tuple[Standing, ...] = ()  # as they were after the last write

    @contextlib.contextmanager
    def opening(self, to_read: bool = False) -> Iterator[None]:
        """Open it for what follows; if that fails it is closed again. Raises CannotStart, SpoolError, Corrupt."""
        try:
            with self.reading("opening"):
                self._db = connect_to_read(self._path) if to_read else connect(self._path, self._budget)
                yield
        except BaseException:
            self.close()
            raise
        if not to_read:
            self.wrote()

    def close(self) -> None:
        """Idempotent."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
            self._files = ()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._db is not None

    @property
    def connection(self) -> sqlite3.Connection:
        """Raises SpoolError when it is not open."""
        if self._db is None:
            raise SpoolError(f"spool {self._path} is not open")
        return self._db

    @contextlib.contextmanager
    def reading(self, doing: str) -> Iterator[None]:
        """SQLite's errors come out as SpoolError or Corrupt."""
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, f"spool {self._path}: {doing}") from error

    def pragma(self, name: str) -> int:
        """One number. Raises SpoolError, Corrupt."""
        with self.reading("looking"):
            return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    def wrote(self) -> None:
        """Remember what stands there now: nobody else should change it."""
        if self._path != MEMORY:
            self._files = standing(self._path) or self._files

    def require_whole(self) -> None:
        """Raises CutShort when somebody cut the file or its WAL short since the last write: SQLite may not see it while its cache lasts."""
        for before, now in zip(self._files, standing(self._path) or (), strict=False):
            if now[:2] == before[:2] and now.size < before.size:
                raise CutShort(f"spool {self._path}: cut short while in use, from {before.size} to {now.size} bytes")

    @property
    def displaced(self) -> bool:
        """Somebody deleted or replaced the file, or its WAL: what is written goes where nobody will find it."""
        if not self._files:
            return False
        found = standing(self._path)  # None: a disk that does not answer; reading and writing will say so
        return found is not None and [each[:2] for each in found] != [each[:2] for each in self._files]

    def write_anew(self, beat: Callable[[], None]) -> None:
        """After `displaced`: put everything back to where it should stand, and close. Raises SpoolError: then it is still open."""
        stands = standing(self._path)
        if stands and stands[0][:2] == self._files[0][:2]:  # only the WAL is gone
            self.pragma("wal_checkpoint(TRUNCATE)")
        else:
            write_anew(self.connection, self._path, beat)
        self.close()
