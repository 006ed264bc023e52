"""The recorder: the one thread that owns the spool.

    lanes ──record──► incoming (bounded) ──┐                       ┌── ahead ──take──► publisher
                                           ├─► recorder ─► spool ──┘                       │
    publisher ──settle─────────────────────┘   one transaction for all that waits  ◄───────┘

Group commit: what is recorded waits at most `commit_ms`, so a power cut takes no more than that. Acknowledged rows are deleted with the next
commit, or within a second: a crash before that sends them once more, under the same id. A sign of life is stored every ten seconds, so that
the next process can say how long nobody looked; the first one in the transaction of the gaps that tell of the time before.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from edge_runtime.clock import Clock
from edge_runtime.deliver.backlog import Backlog
from edge_runtime.deliver.entry import Batch
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.spoolfile import boot_id
from edge_runtime.deliver.steady import SteadySpool
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.gaps import gaps
from edge_runtime.runtime.intake import Intake, Item
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.types import Envelope, Json, SpooledRow, Tick

_log = logging.getLogger("edge_runtime.recorder")

BATCH_BYTES = 256_000
ALIVE_S = 10.0
EXPIRE_S = 10.0
IDLE_S = 5.0
BOOTS = 16  # of which it is remembered how their clocks were put right
ALIVE = "alive"
_LEADS = "leads"


class Recorder:
    """`record` from any thread; `take`, `settle`, `rewind` from the publisher's."""

    def __init__(self, options: SpoolOptions, enveloper: Enveloper, pulses: Pulses, clock: Clock) -> None:
        self._enveloper = enveloper
        self._pulses = pulses
        self.clock = clock
        self._spool = SteadySpool(options, lambda: pulses.beat("recorder"))
        self._intake = Intake(options.commit_ms / 1000, min(BATCH_BYTES, self._spool.commit_bytes))
        self._backlog = Backlog()
        self._changed = threading.Condition()
        self._saved: dict[str, str] = {}
        self._refill = True
        self._wanted = False  # somebody takes: gaps can be told
        self._rewound = False
        self._flush_to = 0
        self._stop = False
        self._done = 0  # items that are stored
        self._gaps = 0
        self._moves = 0
        self._ready: Callable[[], None] = _nobody
        self._stats: Mapping[str, Json] = {}
        self._alive_due_s = math.inf  # nobody has declared yet how long nobody looked
        self._expire_due_s = 0.0
        self.boot = boot_id()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    # -- for the node ----------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the spool. Raises CannotStart."""
        now = self.clock.now()
        self._spool.open(now)
        self._saved = dict(self._spool.state)
        self._moves = self._spool.moves
        self._spool.leads.update({str(boot): int(lead_ns) for boot, lead_ns in (self.saved(_LEADS) or {}).items()})
        self._backlog.grown(self._spool.topics())
        self._stats = self._spool.stats()

    def start(self) -> None:
        """Begin to store. Returns at once."""
        self._thread.start()

    def saved(self, key: str) -> Json:
        """The newest state that was recorded under `key`, by this process or an earlier one; None where there is none."""
        with self._changed:
            text = self._saved.get(key)
        return json.loads(text) if text else None

    @property
    def keys(self) -> Sequence[str]:
        """What `saved` knows."""
        with self._changed:
            return [key for key, text in self._saved.items() if text]

    def last_alive(self) -> Tick | None:
        """The last sign of life of the process before this one; `mono_ns` is -1 when that was before this boot."""
        alive = self.saved(ALIVE)
        if alive is None:
            return None
        return Tick(int(alive["mono_ns"]) if alive["boot"] == self.boot else -1, int(alive["wall_ns"]))

    def sign_of_life(self, now: Tick) -> dict[str, Json]:
        """State to `record` together with the gaps that end `now`: from then on a sign of life is stored with every commit, and not before."""
        return {ALIVE: {"mono_ns": now.mono_ns, "wall_ns": now.wall_ns, "boot": self.boot}}

    def synchronised(self, lead_ns: int) -> bool:
        """The wall clock is right, and leads the monotonic one by `lead_ns`: what was stored in this boot before is told by that from now on.

        The first call in a boot counts, also when an earlier process made it; whether this was it.
        """
        with self._changed:
            leads = self._spool.leads
            if self.boot in leads:
                return False
            while len(leads) >= BOOTS:
                del leads[next(iter(leads))]
            leads[self.boot] = lead_ns
            self._backlog.refresh()
            self._refill = True
            self._changed.notify_all()
            kept = dict(leads)
        self.record([], {_LEADS: kept})
        return True

    def flush(self, timeout: float) -> bool:
        """Store now what was recorded before this call. False when that took longer than `timeout` seconds."""
        with self._changed:
            self._flush_to = wanted = self._intake.given
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= wanted, timeout)

    def stats(self) -> Mapping[str, Json]:
        """Numbers for `health`: depth, oldest_s, bytes, dropped, gaps owed, state of the disk."""
        oldest = self._spool.oldest
        now = self.clock.now()
        age_ns = 0 if oldest is None else (now.mono_ns - oldest.mono_ns if oldest.mono_ns >= 0 else now.wall_ns - oldest.wall_ns)
        with self._changed:
            waiting = self._intake.given - self._done
        return {
            **self._stats,
            "waiting": waiting,
            "overflowed": self._intake.overflowed,
            "gaps": self._gaps,
            "oldest_s": round(max(0, age_ns) / 1e9, 1),
        }

    def close(self, deadline_s: float) -> None:
        """Store what waits, mark the end, let go of the file. After `deadline_s` the thread is left behind."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
            if self._thread.is_alive():
                _log.error("the disk did not take the last messages within %.1f s", deadline_s)
        elif self._thread.ident is None:
            self._spool.close()

    # -- for the lanes ---------------------------------------------------------------------------------------------------------

    def record(self, envelopes: Sequence[Envelope], state: Mapping[str, Json]) -> None:
        """Store envelopes, and `state` (JSON by key, None forgets it) in the same transaction. Never blocks for the disk, never raises for it."""
        item = Item.of(envelopes, state)
        now = self.clock.now()
        with self._changed:
            self._saved.update(item.state)
            before = self._intake.overflowed
            if self._intake.put(item, now):
                self._changed.notify_all()
            if self._intake.overflowed and not before:
                _log.error("the disk does not follow: events are lost until it does, and a gap will say so")

    # -- for the publisher -----------------------------------------------------------------------------------------------------

    def listen(self, ready: Callable[[], None]) -> None:
        """Call `ready` (which must not block) in the recorder's thread when there are rows to take."""
        self._ready = ready

    def take(self) -> SpooledRow | None:
        """The row that goes next; None when nothing is read ahead (`ready` is called when that changes)."""
        with self._changed:
            self._wanted = True
            row = self._backlog.take()
            if self._backlog.hungry and not self._refill:
                self._refill = True
                self._changed.notify_all()
            return row

    def settle(self, accepted: Sequence[int], refused: Sequence[tuple[int, str]] = ()) -> None:
        """Rows that the broker took are deleted; those that it refused for good, with the reason, are buried and told as a gap."""
        with self._changed:
            if self._intake.settle(accepted, refused):
                self._changed.notify_all()

    def rewind(self) -> None:
        """The connection was lost: what was taken and not settled will be offered again."""
        with self._changed:
            self._wanted = False
            self._refill = self._rewound = True
            self._backlog.rewind()
            self._changed.notify_all()

    def pause(self, topic: str, paused: bool) -> None:
        """Give out no rows of `topic` until told otherwise."""
        with self._changed:
            self._backlog.pause(topic, paused)

    @property
    def drained(self) -> bool:
        """Nothing waits to be stored, read or taken."""
        with self._changed:
            return self._backlog.empty and self._done >= self._intake.given

    # -- the thread ------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._turn():
            pass
        self._spool.close()
        self._pulses.retire("recorder")  # only after an orderly end: a loop that died must be missed

    def _turn(self) -> bool:
        self._pulses.beat("recorder")
        with self._changed:
            wait_s = self._wait_s()
            if wait_s > 0:
                self._changed.wait(wait_s)
                return True
            stopping, wanted = self._stop, self._wanted
            refill, self._refill = self._refill, False
            must_store = self._must_store()
            now = self.clock.now()  # what is recorded from now on is not in the transaction that says so
            batch, taken = self._intake.gather() if must_store else (Batch(), 0)
            done = self._done + taken
        if wanted:
            self._add_gaps(batch, now)
        if batch or taken or stopping or self._alive_due_s <= time.monotonic():
            self._store(batch, done, now)
        if must_store and self._expire_due_s <= time.monotonic():  # behind what the broker answered, because rows may move
            self._expire_due_s = time.monotonic() + EXPIRE_S
            self._spool.expire(now)
            self._stats = self._spool.stats()
        if refill or batch.entries or self._spool.moves != self._moves:
            self._read_ahead(now)
        return not (stopping and self._done >= self._intake.given)

    def _must_store(self) -> bool:
        """Reading ahead alone is no reason for a transaction."""
        rewound, self._rewound = self._rewound, False  # what was acknowledged must be gone before it is read again
        return self._stop or rewound or self._done < self._flush_to or min(self._intake.due_s, self._alive_due_s) <= time.monotonic()

    def _wait_s(self) -> float:
        """Seconds until something is to be done."""
        if self._stop or self._refill or self._done < self._flush_to:
            return 0.0
        gap_s = self._spool.losses.wait_s(self.clock.now()) if self._wanted and self._spool.losses else IDLE_S
        return max(0.0, min(min(self._intake.due_s, self._alive_due_s) - time.monotonic(), gap_s, IDLE_S))

    def _add_gaps(self, batch: Batch, now: Tick) -> None:
        """Losses that are due become messages, in the transaction that forgets them."""
        due = self._spool.losses.due(now)
        if not due:
            return
        batch.closed = due
        batch.entries = [*batch.entries, *gaps(due, self._enveloper, now, self.clock.state())]
        self._gaps += len(due)

    def _store(self, batch: Batch, done: int, now: Tick) -> None:
        if ALIVE in batch.state or self._alive_due_s < math.inf:
            self._alive_due_s = time.monotonic() + ALIVE_S
            batch.state = {**batch.state, ALIVE: json.dumps(self.sign_of_life(now)[ALIVE])}
        grown = self._spool.commit(batch, now)
        self._stats = self._spool.stats()
        with self._changed:
            self._backlog.grown(grown)
            self._done = done
            self._changed.notify_all()

    def _read_ahead(self, now: Tick) -> None:
        if self._spool.moves != self._moves:
            self._moves = self._spool.moves
            with self._changed:
                self._backlog.rewind()
                self._backlog.grown(self._spool.topics())
        with self._changed:
            wants = self._backlog.wants()
        for want in wants:
            rows = self._spool.read(want.topic, want.after, want.limit, now)
            with self._changed:
                self._backlog.fill(want, rows, end=len(rows) < want.limit)
        if wants:
            self._ready()
        if self._spool.moves != self._moves:
            with self._changed:
                self._refill = True


def _nobody() -> None:
    """Nobody listens yet."""
