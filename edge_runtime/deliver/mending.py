"""The disk's spool that mends its file: while it lives, whatever can be done about a file is done, and said.

    broken              opened again, because a disk that stumbles makes SQLite see damage where there is none; if that was no help:
                        set aside, a new one begun, a gap declared; the state is carried over
    cut short in use    set aside at once
    deleted, replaced   written anew from the connection, which still has all of it: nothing is lost
    not readable        although it takes writes, three times in ten minutes: as good as broken
    back after errors   must hold what it held when it last took a write: what it does not is declared. A commit that failed and came through
                        nevertheless is taken back, because its rows were kept elsewhere

What is left to raise is SpoolError (the disk refuses) and CannotStart (a person must set something right); never Corrupt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import NamedTuple

from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.losses import Loss
from edge_runtime.deliver.salvage import salvage_state, set_aside
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.deliver.spoolfile import Corrupt, CutShort
from edge_runtime.errors import SpoolError
from edge_runtime.types import SpooledRow, Tick

_log = logging.getLogger("edge_runtime.spool")

VERIFY_NS = 600_000_000_000
STRIKES, STRIKES_NS = 3, 600_000_000_000


class _Held(NamedTuple):
    epoch: str
    rows: int
    next_seq: int
    since_ns: int  # when its oldest row's event happened


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
        self._floor = 1  # numbers below were given before, under whatever epoch: who acknowledges late must not hit another row
        self._held: _Held | None = None  # the file when it last took a write, while it does not
        self._undeclared: list[Loss] = []  # of files that were set aside, until there is a new one
        self._strikes: list[int] = []  # when reading failed
        self._suspect_ns: int | None = None  # when the file looked broken

    @property
    def dropped(self) -> int:
        """Rows lost, whatever the reason."""
        return self._dropped + self.spool.dropped

    @property
    def hidden(self) -> bool:
        """It may hold rows that cannot be read now."""
        if self.spool.file.is_open:
            return False
        if self._held is not None:
            return self._held.rows > 0
        try:
            return self._options.path.exists()
        except OSError:
            return True

    def open(self, now: Tick) -> None:
        """Raises CannotStart, SpoolError."""
        self._renew()
        try:
            self.spool.open(self._floor)
            self._adopt(self.spool.saved)
            self.moves += not self.spool.verify(now)
            self._declare(now)
        except Corrupt as error:
            self._begin_anew(error, now)

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
        for _ in range(2):
            try:
                self._require_in_place(now)
                self.spool.commit(batch, now)
            except Corrupt as error:
                self._mend(error, now)
            else:
                return
        self.spool.commit(batch, now)

    def read(self, topic: str, after: int, limit: int, now: Tick, known: Container[int] = ()) -> list[SpooledRow]:
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
        except CutShort as found:
            error = found
        if isinstance(error, Corrupt):
            self._mend(error, now)
            return
        self._strikes = [*(each for each in self._strikes if now.mono_ns - each < STRIKES_NS), now.mono_ns]
        if len(self._strikes) < STRIKES:
            raise error
        self._begin_anew(error, now)

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
            self._mend(error, now)

    def reopen(self, now: Tick, owed: Batch) -> None:
        """After errors: with a new connection, and what is `owed` done to its rows and losses. Raises SpoolError, CannotStart."""
        if self.spool.file.displaced:
            self._rescue(now)
            self.spool.commit(owed, now)
            return
        self._hold()
        self.spool.close()
        self.open(now)
        try:
            if self._held is not None:
                self._compare(self._held, owed, now)
            elif owed.closed:  # another file, to which the losses were carried over
                self.spool.commit(Batch(closed=owed.closed), now)
        except Corrupt as error:
            self._begin_anew(error, now)
        self._held = None

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _mend(self, error: Corrupt, now: Tick) -> None:
        """Once in a while it is enough to open the file again. Raises SpoolError, CannotStart."""
        again = self._suspect_ns is not None and now.mono_ns - self._suspect_ns < STRIKES_NS
        if again or isinstance(error, CutShort):
            self._begin_anew(error, now)
            return
        self._suspect_ns = now.mono_ns
        _log.warning("the spool looks broken, it is opened again: %s", error)
        self.reopen(now, Batch())

    def _renew(self) -> None:
        self._hold()
        self._dropped += self.spool.dropped
        self._floor = max(self._floor, self.spool.next_seq)
        self.spool = Spool(self._options, self._leads)

    def _hold(self) -> None:
        spool = self.spool
        if self._held is None and spool.epoch:
            self._held = _Held(spool.epoch, spool.depth, spool.next_seq, spool.oldest.wall_ns if spool.oldest else 0)

    def _adopt(self, found: Mapping[str, str]) -> None:
        """What is known already is newer."""
        self.state.update({key: value for key, value in found.items() if key not in self.state})

    def _declare(self, now: Tick) -> None:
        if self._undeclared:
            self.spool.commit(Batch(state=self.state, lost=self._undeclared), now)
            self._undeclared = []

    def _compare(self, held: _Held, owed: Batch, now: Tick) -> None:
        """The file against what it held."""
        self.spool.cut(held.next_seq)
        gone = held.rows - self.spool.depth - self.spool.dropped  # what `verify` declared is among `dropped`
        before = self.spool.depth
        self.spool.commit(owed, now)
        gone -= len(owed.settled) + len(owed.refused) - (before - self.spool.depth)  # deleted by the commit that failed
        if gone > 0:
            _log.error("the spool came back without %d messages that it held", gone)
            self.spool.commit(Batch(lost=[Loss("node", "corrupt", held.since_ns or self._longest_ago(now), now.wall_ns, gone)]), now)

    def _require_in_place(self, now: Tick) -> None:
        """Raises Corrupt when it was cut short; SpoolError, CannotStart when it was deleted and cannot be written anew."""
        if self.spool.file.displaced:
            self._rescue(now)
        self.spool.file.require_whole()

    def _rescue(self, now: Tick) -> None:
        """The file was deleted or replaced under us. Raises SpoolError (it is still open then), CannotStart."""
        self.spool.file.write_anew(self._beat)
        self.rescues += 1
        path, rows = self._options.path, self.spool.depth
        _log.error("the spool %s was deleted or replaced while in use: written anew, with all of its %d messages", path, rows)
        self.open(now)
        self._held = None

    def _begin_anew(self, error: SpoolError, now: Tick) -> None:
        """The file is broken: set it aside and begin a new one. Raises SpoolError, CannotStart."""
        self._hold()
        owed = list(self.spool.losses)
        self.spool.close()
        try:
            aside = set_aside(self._options.path)
        except OSError as refusal:
            raise SpoolError(f"{error}; and it cannot be set aside: {refusal}") from refusal
        self.corruptions += 1
        self.moves += 1
        if aside is not None:
            self._adopt(salvage_state(aside))
        _log.error("the spool is broken, a new one is begun: %s%s", error, f"; the old one is kept as {aside}" if aside else "")
        held = self._held
        loss = Loss("node", "corrupt", held.since_ns if held else 0, now.wall_ns, held.rows if held else 0)
        self._undeclared += [replace(loss, from_ns=loss.from_ns or self._longest_ago(now)), *owed]
        self._strikes.clear()
        self._suspect_ns = None
        self._renew()
        self._held = None
        self.spool.open(self._floor)
        self._declare(now)

    def _longest_ago(self, now: Tick) -> int:
        """Nothing in the file can be older than max_age: it would have been dropped."""
        return now.wall_ns - round(self._options.max_age_s * 1e9)
