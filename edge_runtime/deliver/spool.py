"""The spool: a disk queue in SQLite WAL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolOptions:
    """The disk queue between this device and the broker."""

    path: Path = option("The database file.", default=Path("spool.db"), kind="path")
    max_bytes: int = option("Hard cap of the file.", default=256_000_000, low=1_000_000, kind="size")
    max_age_s: float = option("Older rows are dropped, and a gap says so.", default=7 * 86400.0, low=60, kind="duration")
    on_full: Literal["drop_oldest", "reject_new"] = option("Either way a gap is published.", default="drop_oldest")
    commit_ms: int = option("Group commit: the most that a power cut can take.", default=200, low=1, high=5000, unit="ms")
