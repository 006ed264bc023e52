"""A spool that never gives up: the disk's, and while the disk refuses, one in memory.

    disk ──SpoolError──► memory (small, and said so) ──disk takes a write again──► rows move to the disk, keeping their ids ──► disk
         └─Corrupt────► the file is set aside, a new one begun, a gap declared; the state is carried over

Rows of the disk go before rows of the memory: keys of the latter begin at MEMORY_BASE, so that a topic's order is the order of its keys.
No key is ever used for two rows of one process: what is in flight while the spool changes under it is settled for what it was, or not at all.
What is in memory when the process dies is covered by the `down` gap: the last sign of life was not written either.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Loss, Losses
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import MEMORY, Budget, Corrupt, filesystem_of, salvage_state, set_aside
from edge_runtime.errors import CannotStart, SpoolError
from edge_runtime.types import Json, SpooledRow, Tick

_log = logging.getLogger("edge_runtime.spool")

MEMORY_BASE = 1 << 60
_GENERATION = 1 << 40  # keys that one spool in memory may use
MEMORY_BYTES = 8_000_000
RETRY_NS = 5_000_000_000
_PIECE = 500  # rows moved at once


class SteadySpool:
    """The interface of a spool without its errors: after `open`, nothing raises for what the disk does. One thread calls everything."""

    def __init__(self, options: SpoolOptions) -> None:
        self.degraded = ""  # why rows are in memory; empty when they are on the disk
        self.corruptions = 0
        self.state: dict[str, str] = {}  # the newest value of every key, to begin a new file with
        self.leads: dict[str, int] = {}  # boot -> by how much its wall clock led the monotonic one when it was right: unsynced rows are told by that
        self._options = options
        self._disk = Spool(options, self.leads)
        self._memory: Spool | None = None
        self._retry_ns = 0
        self._volatile = False
        self._base = MEMORY_BASE
        self._dropped = 0  # by spools that are no more
        self.moves = 0  # how often rows got other keys: all must then be read anew

    @property
    def commit_bytes(self) -> int:
        """The most that should go into one commit."""
        return Budget(self._options.max_bytes).commit_bytes

    def open(self, now: Tick) -> None:
        """Open the file. Raises CannotStart; a broken file is set aside."""
        try:
            try:
                self._disk.open()
            except Corrupt as error:
                self._begin_anew(error, now, None, 1)
        except SpoolError as error:
            raise CannotStart(f"{error}; check the disk under {self._options.path.parent}") from error
        self.state.update(self._disk.saved)
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
        self._disk.close()

    def commit(self, batch: Batch, now: Tick) -> list[tuple[str, int]]:
        """Store `batch`; the topics that have new rows, with their priorities."""
        self.state.update(batch.state)
        if self._memory is not None:
            self._try_disk(now)
        if self._memory is None:
            try:
                self._on_disk(batch, now)
            except SpoolError as error:
                self._degrade(error, now)
        if self._memory is not None:
            self._in_memory(self._memory, batch, now)
        return list({each.topic: each.priority for each in batch.entries}.items())

    def topics(self) -> list[tuple[str, int]]:
        """Every topic that may have rows, with its priority."""
        found = {topic: priority for spool in self._spools for topic, (_, priority) in spool.topics.items()}
        return list(found.items())

    def read(self, topic: str, after: int, limit: int, now: Tick) -> list[SpooledRow]:
        """Up to `limit` rows of `topic` behind `after`, in order."""
        rows: list[SpooledRow] = []
        if after < MEMORY_BASE:
            try:
                rows = self._disk.read(topic, after, limit, now)
            except Corrupt as error:
                self._replace(error, now)
            except SpoolError as error:
                self._degrade(error, now)
        if self._memory is not None and len(rows) < limit:
            found = self._memory.read(topic, max(0, after - self._base), limit - len(rows), now)
            rows += [replace(row, seq=row.seq + self._base) for row in found]
        return rows

    def expire(self, now: Tick) -> None:
        """Drop what is too old; give free pages back."""
        if self._memory is not None:
            self._try_disk(now)
            return
        try:
            self._disk.expire(now)
            self._disk.shrink()
        except Corrupt as error:
            self._replace(error, now)
        except SpoolError as error:
            self._degrade(error, now)

    @property
    def losses(self) -> Losses:
        """What is owed as gaps and can be told now: while the disk refuses, what is owed there waits."""
        return self._disk.losses if self._memory is None else self._memory.losses

    @property
    def depth(self) -> int:
        """Rows not yet acknowledged."""
        return sum(spool.depth for spool in self._spools)

    @property
    def oldest(self) -> Tick | None:
        """When the oldest row's event happened; `mono_ns` is -1 when that was before this boot."""
        disk, memory = self._disk, self._memory  # read once: health asks from another thread
        return disk.oldest or (None if memory is None else memory.oldest)

    def stats(self) -> dict[str, Json]:
        """Numbers for `health`."""
        return {
            "state": "memory" if self.degraded else "disk",
            "reason": self.degraded,
            "volatile": self._volatile,
            "depth": self.depth,
            "bytes": self._disk.bytes_used,
            "dropped": self._dropped + sum(spool.dropped for spool in self._spools),
            "losses": len(self.losses),
            "commits": self._disk.commits,
            "corrupt_files": self.corruptions,
        }

    # -- inside ----------------------------------------------------------------------------------------------------------------

    @property
    def _spools(self) -> Sequence[Spool]:
        return (self._disk,) if self._memory is None else (self._disk, self._memory)

    def _on_disk(self, batch: Batch, now: Tick) -> None:
        try:
            self._disk.commit(batch, now)
        except Corrupt as error:
            self._replace(error, now)
            self._disk.commit(batch, now)

    def _in_memory(self, memory: Spool, batch: Batch, now: Tick) -> None:
        """The rows' share; the state waits in `self.state`. Rows of the disk that are settled meanwhile are sent again later: same ids."""
        settled = [seq - self._base for seq in batch.settled if seq > self._base]
        refused = [(seq - self._base, why) for seq, why in batch.refused if seq > self._base]
        memory.commit(replace(batch, state={}, settled=settled, refused=refused), now)

    def _degrade(self, error: SpoolError, now: Tick) -> None:
        self._retry_ns = now.mono_ns + RETRY_NS
        if self._memory is not None:
            return
        self.degraded = str(error)
        _log.error("the disk refused, messages are kept in memory (up to %d MB) until it takes them: %s", MEMORY_BYTES // 1_000_000, error)
        self._memory = Spool(replace(self._options, path=MEMORY, max_bytes=MEMORY_BYTES), self.leads)
        self._memory.open()
        self._base += _GENERATION

    def _try_disk(self, now: Tick) -> None:
        """Move what is in memory to the disk, if the disk is back."""
        memory = self._memory
        if memory is None or now.mono_ns < self._retry_ns:
            return
        self._retry_ns = now.mono_ns + RETRY_NS
        moved = 0
        try:
            self._reopen(now)
            while piece := memory.first(_PIECE, self.commit_bytes):
                self._disk.commit(Batch([entry for _, entry in piece]), now)
                memory.commit(Batch(settled=[seq for seq, _ in piece]), now)
                moved += len(piece)
            self._disk.commit(Batch(state=self.state, lost=list(memory.losses)), now)
        except (SpoolError, CannotStart):
            self.moves += bool(moved)
            return
        _log.warning("the disk takes messages again; %d moved to it from memory", moved)
        memory.close()
        self._memory = None
        self.degraded = ""
        self.moves += 1

    def _reopen(self, now: Tick) -> None:
        """A file whose disk went away and came back needs a new connection."""
        first_seq = self._disk.next_seq
        self._dropped += self._disk.dropped
        self._disk.close()
        self._disk = Spool(self._options, self.leads)
        try:
            self._disk.open(first_seq)
        except Corrupt as error:
            self._begin_anew(error, now, None, first_seq)

    def _replace(self, error: Corrupt, now: Tick) -> None:
        """The file broke while it was open."""
        oldest = self._disk.oldest
        loss = Loss("node", "corrupt", oldest.wall_ns if oldest else now.wall_ns, now.wall_ns, self._disk.depth)
        self._disk.close()
        try:
            self._begin_anew(error, now, loss, self._disk.next_seq)
        except (SpoolError, CannotStart) as refusal:
            self._degrade(SpoolError(str(refusal)), now)

    def _begin_anew(self, error: Corrupt, now: Tick, loss: Loss | None, first_seq: int) -> None:
        """Set the file aside and begin a new one. Raises SpoolError, CannotStart."""
        self.corruptions += 1
        owed = list(self._disk.losses)
        try:
            aside = set_aside(self._options.path)
        except OSError as refusal:
            raise SpoolError(f"{error}; and it cannot be set aside: {refusal}") from refusal
        if aside is not None:
            self.state = {**salvage_state(aside), **self.state}
        _log.error("the spool is broken, a new one is begun: %s%s", error, f"; the old one is kept as {aside}" if aside else "")
        if loss is None:  # nothing in the file can be older than max_age: it would have been dropped
            loss = Loss("node", "corrupt", now.wall_ns - round(self._options.max_age_s * 1e9), now.wall_ns, 0)
        self._dropped += self._disk.dropped
        self._disk = Spool(self._options, self.leads)
        self._disk.open(first_seq)
        self._disk.commit(Batch(state=self.state, lost=[loss, *owed]), now)
        self.moves += 1
