"""What goes into the spool: envelopes as bytes, and what one transaction does with them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge_runtime.deliver.losses import Loss
from edge_runtime.present.envelope import encode, splice
from edge_runtime.types import Envelope

_ROW_BYTES = 96  # what SQLite adds to a row, its index entry included


class Entry(NamedTuple):
    """One envelope, encoded. `origin` is the id that a row keeps which was first held in memory."""

    topic: str
    body: bytes
    priority: int
    mono_ns: int
    wall_ns: int
    origin: str | None = None

    @staticmethod
    def of(envelope: Envelope) -> Entry:
        """Encode. Raises ValueError, TypeError for a payload that is no JSON."""
        return Entry(envelope.topic, encode(envelope.payload), envelope.priority, envelope.mono_ns, envelope.wall_ns)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.body) + _ROW_BYTES


class Dead(NamedTuple):
    """A message that the broker refused for good: kept for a person to look at, as it was sent."""

    topic: str
    body: bytes
    why: str
    wall_ns: int


@dataclass(slots=True)
class Batch:
    """What one commit does.

    `settled` rows were acknowledged; `refused` go to `dead`, where those in `dead` are already; `closed` losses have become entries of this batch.
    """

    entries: Sequence[Entry] = ()
    state: Mapping[str, str] = field(default_factory=dict)  # key -> JSON text; an empty one forgets the key
    settled: Sequence[int] = ()
    refused: Sequence[tuple[int, str]] = ()
    lost: Sequence[Loss] = ()
    closed: Sequence[Loss] = ()
    dead: Sequence[Dead] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.state or self.settled or self.refused or self.lost or self.closed or self.dead)


def checksum(seq: int, entry: Entry, boot: int) -> int:
    """CRC-32 of everything about a row that reaches the wire: its times do when they are put right (see present/restamp.py)."""
    row = f"{seq}\0{entry.topic}\0{entry.origin or ''}\0{entry.mono_ns}\0{entry.wall_ns}\0{boot}\0"
    return zlib.crc32(entry.body, zlib.crc32(row.encode()))


def on_the_wire(body: bytes, epoch: str, seq: int, origin: str | None) -> bytes:
    """A row's body with its id: its own, or the one that it had before."""
    identity = origin or f"{epoch}-{seq}"
    return splice(body, identity, int(identity.rpartition("-")[2]))
