"""A spool that never gives up: the disk's, and while the disk refuses, one in memory.

    disk ──SpoolError──► memory (small, and said so) ──disk takes a write again──► rows move to the disk, keeping their ids ──► disk
     │   └─at the start─► the same; rows and totals are read from the disk, as far as it can be read
     └─broken, deleted──► mending.py

Rows of the disk go before rows of the memory: keys of the latter begin at MEMORY_BASE, so that a topic's order is the order of its keys.
No key is ever used for two rows of one process: what is in flight while the spool changes under it is settled for what it was, or not at all.
While the disk cannot even be read, rows in memory wait for HOLD_NS before they overtake those on the disk.
What is in memory when the process dies is covered by the `down` gap: the last sign of life was not written either.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Losses
from edge_runtime.deliver.mending import MendingSpool
from edge_runtime.deliver.owed import Owed
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import MEMORY, Budget, filesystem_of
from edge_runtime.errors import CannotStart, SpoolError
from edge_runtime.types import Json, SpooledRow, Tick

_log = logging.getLogger("edge_runtime.spool")

MEMORY_BASE = 1 << 60
_GENERATION = 1 << 40  # keys that one spool in memory may use
MEMORY_BYTES = 8_000_000
RETRY_NS = 5_000_000_000
HOLD_NS = 60_000_000_000
_PIECE = 500  # rows moved at once
_MENDINGS = 4  # opened again, begun anew, and what that may bring to light


class SteadySpool:
    """The interface of a spool without its errors: after `open`, nothing raises for what the disk does. One thread calls everything."""

    def __init__(self, options: SpoolOptions, beat: Callable[[], None] | None = None) -> None:
        """`beat`: called now and then while something takes long."""
        self.degraded = ""  # why rows are in memory; empty when they are on the disk
        self.leads: dict[str, int] = {}  # boot -> by how much its wall clock led the monotonic one when it was right: unsynced rows are told by that
        self._options = options
        self._beat = beat or _nobody
        self._disk = MendingSpool(options, self.leads, self._beat)
        self._memory: Spool | None = None
        self._volatile = False
        self._base = MEMORY_BASE
        self._moves = 0
        self._dropped = 0  # by memories that are no more
        self._bytes = 0
        self._retry_ns = 0
        self._owed = Owed()
        self._unread_ns: int | None = None  # since when the disk cannot be read
        self._withheld = False  # rows in memory, because of that

    @property
    def state(self) -> dict[str, str]:
        """The newest value of every key."""
        return self._disk.state

    @property
    def corruptions(self) -> int:
        """How many files were set aside."""
        return self._disk.corruptions

    @property
    def moves(self) -> int:
        """How often rows got other keys: all must then be read anew."""
        return self._moves + self._disk.moves

    @property
    def commit_bytes(self) -> int:
        """The most that should go into one commit."""
        return Budget(self._options.max_bytes).commit_bytes

    def open(self, now: Tick) -> None:
        """Open the file. Raises CannotStart for what only a person can set right: folder, rights, another process, somebody else's file.

        A broken file is set aside. A disk that takes no writes is no reason not to start: what comes is kept in memory until it does.
        """
        try:
            self._disk.open(now)
        except SpoolError as error:
            self._disk.open_to_read()
            self._degrade(error, now)
        kind = filesystem_of(self._options.path)
        self._volatile = kind in ("tmpfs", "ramfs")
        if self._volatile:
            _log.warning("the spool %s lies in memory (%s): a power cut takes all of it; set [spool] path to a disk", self._options.path, kind)

    def close(self) -> None:
        """Let go of the file. What is still in memory is lost, and said."""
        if self._memory is not None:
            if self._memory.depth:
                _log.error("%d messages were in memory only, because the disk refused (%s): they are lost", self._memory.depth, self.degraded)
            self._memory.close()
            self._memory = None
        self._disk.spool.close()

    def commit(self, batch: Batch, now: Tick) -> list[tuple[str, int]]:
        """Store `batch`; the topics that have new rows, with their priorities."""
        self.state.update(batch.state)
        topics = list({each.topic: each.priority for each in batch.entries}.items())
        if self._memory is not None:
            batch = self._settle(self._memory, batch, now)  # before what is in memory moves, and gets other keys
            self._try_disk(now)
        if self._memory is None:
            try:
                self._disk.commit(batch, now)
            except (SpoolError, CannotStart) as error:
                batch = self._settle(self._degrade(error, now), batch, now)
        if self._memory is not None:
            self._memory.commit(replace(batch, state={}), now)  # which waits in `self.state`
        return topics

    def topics(self) -> list[tuple[str, int]]:
        """Every topic that may have rows, with its priority."""
        found = {topic: priority for spool in self._spools for topic, (_, priority) in spool.topics.items()}
        return list(found.items())

    def read(self, topic: str, after: int, limit: int, now: Tick) -> list[SpooledRow]:
        """Up to `limit` rows of `topic` behind `after`, in order."""
        rows = self._read_disk(topic, after, limit, now) if after < MEMORY_BASE else []
        if self._waits(now):
            self._withheld = True
            return []
        if self._memory is not None and len(rows) < limit:
            found = self._memory.read(topic, max(0, after - self._base), limit - len(rows), now)
            rows += [replace(row, seq=row.seq + self._base) for row in found]
        return rows

    def expire(self, now: Tick) -> None:
        """Drop what is too old; give free pages back; see that everything is where it should be."""
        if self._withheld and not self._waits(now):
            self._withheld = False
            self._moves += 1  # what waited in memory goes now: once, because reading anew sends again what is in flight
        if self._memory is not None:
            self._try_disk(now)
            return
        try:
            self._disk.expire(now)
        except (SpoolError, CannotStart) as error:
            self._degrade(error, now)

    @property
    def losses(self) -> Losses:
        """What is owed as gaps and can be told now: while the disk refuses, what is owed there waits."""
        return self._disk.spool.losses if self._memory is None else self._memory.losses

    @property
    def depth(self) -> int:
        """Rows not yet acknowledged."""
        return max(0, sum(spool.depth for spool in self._spools) - len(self._owed))

    @property
    def oldest(self) -> Tick | None:
        """When the oldest row's event happened; `mono_ns` is -1 when that was before this boot."""
        disk, memory = self._disk.spool, self._memory  # read once: health asks from another thread
        return disk.oldest or (None if memory is None else memory.oldest)

    def stats(self) -> dict[str, Json]:
        """Numbers for `health`."""
        with contextlib.suppress(SpoolError):  # else what it was
            self._bytes = self._disk.spool.bytes_used
        return {
            "state": "memory" if self.degraded else "disk",
            "reason": self.degraded,
            "volatile": self._volatile,
            "depth": self.depth,
            "bytes": self._bytes,
            "dropped": self._dropped + self._disk.dropped + (self._memory.dropped if self._memory else 0),
            "losses": len(self.losses),
            "commits": self._disk.spool.commits,
            "corrupt_files": self.corruptions,
            "rescued_files": self._disk.rescues,
        }

    # -- inside ----------------------------------------------------------------------------------------------------------------

    @property
    def _spools(self) -> Sequence[Spool]:
        return (self._disk.spool,) if self._memory is None else (self._disk.spool, self._memory)

    def _waits(self, now: Tick) -> bool:
        """Rows in memory must not overtake those on a disk that may be readable again soon."""
        return self._unread_ns is not None and now.mono_ns - self._unread_ns < HOLD_NS

    def _read_disk(self, topic: str, after: int, limit: int, now: Tick) -> list[SpooledRow]:
        """Again after each time that the file was mended; nothing while it cannot be read."""
        if self._disk.hidden and self._unread_ns is None:
            self._unread_ns = now.mono_ns
        for _ in range(_MENDINGS):
            if not self._disk.spool.file.is_open:
                break
            try:
                rows = self._disk.read(topic, after, limit, now, self._owed)
            except SpoolError as error:
                self._unreadable(error, now)
                if self._memory is not None:
                    break
            else:
                self._unread_ns = None
                return rows
        return []

    def _settle(self, memory: Spool, batch: Batch, now: Tick) -> Batch:
        """Do what `batch` says of rows and losses in memory; that of the disk's is owed. What is left: all that is new."""
        own = Batch(
            settled=[seq - self._base for seq in batch.settled if seq > self._base],
            refused=[(seq - self._base, why) for seq, why in batch.refused if seq > self._base],
            closed=[loss for loss in batch.closed if loss in memory.losses],
        )
        self._owed.add(
            Batch(
                settled=[seq for seq in batch.settled if seq < MEMORY_BASE],
                refused=[(seq, why) for seq, why in batch.refused if seq < MEMORY_BASE],
                closed=[loss for loss in batch.closed if loss not in own.closed],
            )
        )
        if own:
            memory.commit(own, now)
        return Batch(batch.entries, batch.state, lost=batch.lost)

    def _degrade(self, error: SpoolError | CannotStart, now: Tick) -> Spool:
        """The spool in memory, from now on."""
        if self._memory is not None:
            return self._memory
        self._retry_ns = now.mono_ns + RETRY_NS
        self.degraded = str(error)
        _log.error("the disk refused, messages are kept in memory (up to %d MB) until it takes them: %s", MEMORY_BYTES // 1_000_000, error)
        self._memory = Spool(replace(self._options, path=MEMORY, max_bytes=MEMORY_BYTES), self.leads)
        self._memory.open()
        self._base += _GENERATION
        return self._memory

    def _unreadable(self, error: SpoolError, now: Tick) -> None:
        if self._unread_ns is None:
            self._unread_ns = now.mono_ns
        if self._memory is None:
            try:
                self._disk.unreadable(error, now)
                self._unread_ns = None  # a new file
            except (SpoolError, CannotStart) as refusal:
                self._degrade(refusal, now)

    def _try_disk(self, now: Tick) -> None:
        """Move what is in memory to the disk, if the disk is back."""
        memory = self._memory
        if memory is None or now.mono_ns < self._retry_ns:
            return
        self._retry_ns = now.mono_ns + RETRY_NS
        moved = 0
        try:
            self._disk.reopen(now, self._owed.as_batch())
            self._owed.clear()
            while piece := memory.first(_PIECE, self.commit_bytes):
                self._disk.commit(Batch([entry for _, entry in piece]), now)
                memory.commit(Batch(settled=[seq for seq, _ in piece]), now)
                moved += len(piece)
                self._beat()
            self._disk.commit(Batch(state=self.state, lost=list(memory.losses), dead=memory.dead(self.commit_bytes)), now)
        except (SpoolError, CannotStart) as error:
            self.degraded = str(error)
            self._moves += bool(moved)
            self._disk.open_to_read()
            return
        _log.warning("the disk takes messages again; %d moved to it from memory", moved)
        self._dropped += memory.dropped - sum(loss.rows for loss in memory.losses)  # those are the disk's now
        memory.close()
        self._memory = None
        self.degraded = ""
        self._unread_ns = None
        self._moves += 1


def _nobody() -> None:
    """Nobody wants to know."""
