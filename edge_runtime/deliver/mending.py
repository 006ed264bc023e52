"""The disk's spool that mends its file: while it lives, whatever can be done about a file is done, and said.

    broken              set aside, a new one begun, a gap declared; the state is carried over
    cut short in use    the same
    deleted, replaced   written anew from the connection, which still has all of it: nothing is lost
    not readable        although it takes writes, three times in ten minutes: as good as broken
    back after errors   must hold what it held when it last took a write: what it does not is declared. A commit that failed and came through
                        nevertheless is taken back, because its rows were kept elsewhere

What is left to raise is SpoolError (the disk refuses) and CannotStart (a person must set something right); never Corrupt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Loss
from edge_runtime.deliver.salvage import salvage_state, set_aside
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import Corrupt
from edge_runtime.errors import SpoolError
from edge_runtime.types import SpooledRow, Tick

_log = logging.getLogger("edge_runtime.spool")

VERIFY_NS = 600_000_000_000
STRIKES, STRIKES_NS = 3, 600_000_000_000


class MendingSpool:
    """One thread calls everything."""

    def __init__(self, options: SpoolOptions, leads: Mapping[str, int], beat: Callable[[], None]) -> None:
        """`beat`: called now and then while something takes long."""
        self.state: dict[str, str] = {}  # the newest value of every key, to begin a new file with
        self.corruptions = 0
        self.rescues = 0  # how often the file was deleted or replaced while it was in use
        self.moves = 0  # how often rows changed in a way that asks for reading all anew
        self._options = options
        self._leads = leads
        self._beat = beat
        self.spool = Spool(options, leads)
        self._dropped = 0  # by spools that are no more
        self._verify_ns = 0
        self._held: tuple[str, int, int] | None = None  # epoch, rows and next number of the file when it last took a write
        self._strikes: list[int] = []  # when reading failed

    @property
    def dropped(self) -> int:
        """Rows lost, whatever the reason."""
        return self._dropped + self.spool.dropped

    def open(self, now: Tick, first_seq: int = 1) -> None:
        """Raises CannotStart, SpoolError."""
        self._renew()
        try:
            self.spool.open(first_seq)
            self._adopt(self.spool.saved)
            self.moves += not self.spool.verify(now)
        except Corrupt as error:
            self._begin_anew(error, now, None, max(first_seq, self.spool.next_seq))

    def open_to_read(self) -> None:
        """After `open` failed: what the disk holds, as far as it can be read. A file that is still open stays so."""
        if self.spool.file.is_open:
            return
        self._renew()
        try:
            self.spool.open_to_read()
        except SpoolError as error:
            self._adopt(salvage_state(self._options.path))
            _log.error("the spool cannot be read either: %s; totals go on from %d entries of its state", error, len(self.state))
        else:
            self._adopt(self.spool.saved)

    def commit(self, batch: Batch, now: Tick) -> None:
        """Raises SpoolError, CannotStart: nothing was done."""
        try:
            self._require_in_place(now)
            self.spool.commit(batch, now)
        except Corrupt as error:
            self._replace(error, now)
            self.spool.commit(batch, now)

    def read(self, topic: str, after: int, limit: int, now: Tick, known: Collection[int] = ()) -> list[SpooledRow]:
        """Up to `limit` rows of `topic` behind `after`, in order, without those in `known`. Raises SpoolError, CannotStart."""
        rows: list[SpooledRow] = []
        while len(rows) < limit:
            wanted = limit - len(rows)
            found = self.spool.read(topic, after, wanted, now)
            rows += [row for row in found if row.seq not in known]
            if len(found) < wanted:
                break
            after = found[-1].seq
        return rows

    def unreadable(self, error: SpoolError, now: Tick) -> None:
        """`read` failed although the disk takes writes. Raises SpoolError, CannotStart: it does not, or not yet broken enough."""
        try:
            self.spool.file.require_whole()
        except Corrupt as found:
            error = found
        self._strikes = [*(each for each in self._strikes if now.mono_ns - each < STRIKES_NS), now.mono_ns]
        if not isinstance(error, Corrupt) and len(self._strikes) < STRIKES:
            raise error
        self._replace(error, now)

    def expire(self, now: Tick) -> None:
        """Drop what is too old; give free pages back; see that everything is where it should be. Raises SpoolError, CannotStart."""
        try:
            self._require_in_place(now)
            self.spool.expire(now)
            self.spool.shrink()
            if self._verify_ns <= now.mono_ns:
                self._verify_ns = now.mono_ns + VERIFY_NS
                self.moves += not self.spool.verify(now)
        except Corrupt as error:
            self._replace(error, now)

    def reopen(self, now: Tick, settled: Collection[int]) -> None:
        """After errors: with a new connection, without the rows in `settled`. Raises SpoolError, CannotStart."""
        if self.spool.file.displaced:
            self._rescue(now)
            self.spool.commit(Batch(settled=list(settled)), now)
            return
        if self._held is None:
            self._held = (self.spool.epoch, self.spool.depth, self.spool.next_seq)
        epoch, rows, next_seq = self._held
        self.spool.close()
        self.open(now, next_seq)
        try:
            self._compare(epoch, rows, next_seq, settled, now)
        except Corrupt as error:
            self._replace(error, now)
        self._held = None

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._dropped += self.spool.dropped
        self.spool = Spool(self._options, self._leads)

    def _adopt(self, found: Mapping[str, str]) -> None:
        """What is known already is newer."""
        self.state.update({key: value for key, value in found.items() if key not in self.state})

    def _compare(self, epoch: str, rows: int, next_seq: int, settled: Collection[int], now: Tick) -> None:
        """The file against what it held."""
        if self.spool.epoch != epoch:
            if epoch and rows:  # `corrupt` was declared without a number when the new file was begun
                self.spool.commit(Batch(lost=[Loss("node", "corrupt", self._longest_ago(now), now.wall_ns, rows)]), now)
            return
        self.spool.cut(next_seq)
        gone = rows - self.spool.depth - self.spool.dropped  # what `verify` declared is among `dropped`
        before = self.spool.depth
        self.spool.commit(Batch(settled=list(settled)), now)
        gone -= len(settled) - (before - self.spool.depth)  # deleted by the commit that failed
        if gone > 0:
            _log.error("the spool came back without %d messages that it held", gone)
            self.spool.commit(Batch(lost=[Loss("node", "corrupt", self._longest_ago(now), now.wall_ns, gone)]), now)

    def _require_in_place(self, now: Tick) -> None:
        """Raises Corrupt when it was cut short; SpoolError, CannotStart when it was deleted and cannot be written anew."""
        if self.spool.file.displaced:
            self._rescue(now)
        self.spool.file.require_whole()

    def _rescue(self, now: Tick) -> None:
        """The file was deleted or replaced under us. Raises SpoolError (it is still open then), CannotStart."""
        rows, next_seq = self.spool.depth, self.spool.next_seq
        self.spool.file.write_anew(self._beat)
        self.rescues += 1
        _log.error("the spool %s was deleted or replaced while in use: written anew, with all of its %d messages", self._options.path, rows)
        self.open(now, next_seq)

    def _replace(self, error: SpoolError, now: Tick) -> None:
        """The file broke while it was open. Raises SpoolError, CannotStart."""
        oldest = self.spool.oldest
        loss = Loss("node", "corrupt", oldest.wall_ns if oldest else now.wall_ns, now.wall_ns, self.spool.depth)
        self._begin_anew(error, now, loss, self.spool.next_seq)

    def _begin_anew(self, error: SpoolError, now: Tick, loss: Loss | None, first_seq: int) -> None:
        """Set the file aside and begin a new one. Raises SpoolError, CannotStart."""
        owed = list(self.spool.losses)
        self.spool.close()
        try:
            aside = set_aside(self._options.path)
        except OSError as refusal:
            raise SpoolError(f"{error}; and it cannot be set aside: {refusal}") from refusal
        self.corruptions += 1
        if aside is not None:
            self._adopt(salvage_state(aside))
        _log.error("the spool is broken, a new one is begun: %s%s", error, f"; the old one is kept as {aside}" if aside else "")
        if loss is None:
            loss = Loss("node", "corrupt", self._longest_ago(now), now.wall_ns, 0)
        self._strikes.clear()
        self._renew()
        self.spool.open(first_seq)
        self.spool.commit(Batch(state=self.state, lost=[loss, *owed]), now)
        self.moves += 1

    def _longest_ago(self, now: Tick) -> int:
        """Nothing in the file can be older than max_age: it would have been dropped."""
        return now.wall_ns - round(self._options.max_age_s * 1e9)
