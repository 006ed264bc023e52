"""Rows that were stored before the clock was right: told by the boot's own lead, under their own id, and untouched on the disk."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.deliver.spoolfile import boot_id
from edge_runtime.deliver.steady import SteadySpool
from edge_runtime.present.envelope import Enveloper, rfc3339
from edge_runtime.types import ClockState, Event, SpooledRow, Tick
from tests.peers.disk import small_disk

ENVELOPER = Enveloper("north", "cam-1", None)
TOPIC = "edge/v1/north/cam-1/obs/s/crossing"
S = 10**9
NOW = Tick(100 * S, 5000 * S)
LEAD_NS = 1_793_873_000 * S


def entry(number: int, clock: ClockState = ClockState.UNSYNCED) -> Entry:
    at = Tick(NOW.mono_ns + number * S, NOW.wall_ns + number * S)
    return Entry.of(ENVELOPER.wrap(Event("crossing", "s", at, {"n": number}), clock))


def opened(path: Path, leads: dict[str, int] | None = None) -> SteadySpool:
    spool = SteadySpool(SpoolOptions(path=path))
    spool.leads.update(leads or {})
    spool.open(NOW)
    return spool


def told(spool: SteadySpool) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in spool.read(TOPIC, 0, 100, NOW)]


def right(number: int) -> str:
    return rfc3339(NOW.mono_ns + number * S + LEAD_NS)


def test_read_after_the_sync_puts_rows_right_and_keeps_their_ids(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1), entry(2), entry(3, ClockState.NTP)]), NOW)
    before = told(spool)
    assert [body["clock"] for body in before] == ["unsynced", "unsynced", "ntp"]
    commits = spool.stats()["commits"]
    spool.leads[boot_id()] = LEAD_NS
    after = told(spool)
    assert [body["clock"] for body in after] == ["restamped", "restamped", "ntp"]
    assert [body["time"] for body in after] == [right(1), right(2), before[2]["time"]]
    assert [(body["id"], body["seq"], body["data"]) for body in after] == [(body["id"], body["seq"], body["data"]) for body in before]
    assert spool.stats()["commits"] == commits, "a flash is not worn out by it"
    spool.close()


def test_read_of_another_boots_rows_goes_by_that_boots_lead(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1)]), NOW)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as file, file:
        file.execute("UPDATE boots SET boot = 'the one before'")
    spool = opened(tmp_path / "s.db", {boot_id(): 77 * S})
    spool.commit(Batch([entry(2)]), NOW)
    assert [body["clock"] for body in told(spool)] == ["unsynced", "restamped"], "nobody knows when the other boot was"
    spool.leads["the one before"] = LEAD_NS
    assert [body["time"] for body in told(spool)] == [right(1), rfc3339(NOW.mono_ns + 2 * S + 77 * S)]
    spool.close()


def test_rows_in_memory_are_put_right_too(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        spool = opened(disk / "s.db")
        (disk / "ballast").write_bytes(b"x" * 2_700_000)
        number = 0
        while not spool.degraded:
            number += 1
            wide = entry(number)
            spool.commit(Batch([wide._replace(body=wide.body[:-1] + b',"x":"' + b"x" * 4000 + b'"}')]), NOW)
        spool.leads[boot_id()] = LEAD_NS
        rows: list[SpooledRow] = []
        while found := spool.read(TOPIC, rows[-1].seq if rows else 0, 100, NOW):
            rows += found
        bodies = [json.loads(row.body) for row in rows]
        assert [body["time"] for body in bodies] == [right(each) for each in range(1, number + 1)]
        spool.close()


@pytest.mark.parametrize("column", ["mono_ns", "wall_ns", "boot"])
def test_row_whose_times_broke_is_a_loss_and_never_told_wrong(tmp_path: Path, column: str) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1), entry(2)]), NOW)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as file, file:
        file.execute(f"UPDATE rows SET {column} = {column} + 1 WHERE seq = (SELECT min(seq) FROM rows)")
    spool = opened(tmp_path / "s.db", {boot_id(): LEAD_NS})
    assert [body["data"]["n"] for body in told(spool)] == [2]
    assert [loss.reason for loss in spool.losses] == ["corrupt"]
    spool.close()


def test_row_that_is_buried_after_the_sync_is_put_right_in_the_dead_table(tmp_path: Path) -> None:
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(1)]), NOW)
    spool.leads[boot_id()] = LEAD_NS
    spool.commit(Batch(refused=[(1, "not authorized")]), NOW)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as file:
        ((body, wall_ns),) = file.execute("SELECT body, wall_ns FROM dead").fetchall()
    dead = json.loads(body)
    assert (dead["clock"], dead["time"], dead["seq"]) == ("restamped", right(1), 1)
    assert rfc3339(wall_ns) == right(1)


def test_entry_keeps_its_times_when_it_moves(tmp_path: Path) -> None:
    """What was in memory and moves to the disk is the same boot's: its checksum is made anew for its new row."""
    spool = opened(tmp_path / "s.db", {boot_id(): LEAD_NS})
    spool.commit(Batch([entry(5)._replace(origin="abcdef-9")]), NOW)
    (body,) = told(spool)
    assert (body["id"], body["time"]) == ("abcdef-9", right(5))
    spool.close()


@pytest.mark.parametrize("body", [b'{"v":1,"clock":"unsynced"', b'{"v":1,"clock":"unsynced","type":"gap","data":{}}', b'["unsynced"]'])
def test_row_that_is_no_envelope_is_a_loss_and_stops_nothing(tmp_path: Path, body: bytes) -> None:
    spool = opened(tmp_path / "s.db", {boot_id(): LEAD_NS})
    spool.commit(Batch([entry(1)._replace(body=body), entry(2)]), NOW)
    assert [each["data"]["n"] for each in told(spool)] == [2]
    assert [loss.reason for loss in spool.losses] == ["corrupt"]
    spool.close()


def test_rows_without_a_monotonic_time_are_told_as_they_were_stamped_and_age_by_that(tmp_path: Path) -> None:
    """The last window of an earlier boot, told in this one."""
    spool = opened(tmp_path / "s.db", {boot_id(): LEAD_NS})
    wall_ns = LEAD_NS - 86_400 * S
    for number, clock in enumerate((ClockState.NTP, ClockState.UNSYNCED)):
        event = Event("crossing", "s", Tick(-1, wall_ns), {"n": number})
        spool.commit(Batch([Entry.of(ENVELOPER.wrap(event, clock))]), NOW)
    assert [(body["clock"], body["time"]) for body in told(spool)] == [("ntp", rfc3339(wall_ns)), ("unsynced", rfc3339(wall_ns))]
    spool.expire(Tick(NOW.mono_ns, LEAD_NS + NOW.mono_ns))
    assert spool.depth == 2
    up_ns = 13 * 43_200 * S  # six and a half days
    spool.expire(Tick(up_ns, LEAD_NS + up_ns))
    assert [body["clock"] for body in told(spool)] == ["unsynced"], "nobody knows how old the other is"
    spool.close()


def test_rows_of_a_boot_that_was_never_synchronised_are_as_old_as_this_boot(tmp_path: Path) -> None:
    """Its clock stood a year behind, and after 2020."""
    spool = opened(tmp_path / "s.db")
    spool.commit(Batch([entry(number)._replace(wall_ns=LEAD_NS - 365 * 86_400 * S) for number in range(5)]), NOW)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as file, file:
        file.execute("UPDATE boots SET boot = 'the one before'")
    spool = opened(tmp_path / "s.db", {boot_id(): LEAD_NS})
    spool.expire(Tick(NOW.mono_ns, LEAD_NS + NOW.mono_ns))
    assert spool.depth == 5
    up_ns = 8 * 86_400 * S
    spool.expire(Tick(up_ns, LEAD_NS + up_ns))
    assert spool.depth == 0, "this boot alone has lasted longer than rows are kept"
    spool.close()


def test_rows_of_an_earlier_boot_age_by_their_true_time(tmp_path: Path) -> None:
    """A clock that started a year ago must not make yesterday's rows too old, nor a step of today's clock."""
    spool = opened(tmp_path / "s.db")
    year_ns = 365 * 86_400 * S
    slow = [entry(number)._replace(mono_ns=number * S, wall_ns=LEAD_NS - year_ns) for number in range(5)]
    spool.commit(Batch(slow), NOW)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as file, file:
        file.execute("UPDATE boots SET boot = 'the one before'")
    spool = opened(tmp_path / "s.db", {"the one before": LEAD_NS, boot_id(): LEAD_NS + 3600 * S})
    today = Tick(NOW.mono_ns, LEAD_NS + 3600 * S + NOW.mono_ns)
    spool.expire(today)
    spool.expire(Tick(today.mono_ns, today.wall_ns + year_ns))
    assert spool.depth == 5
    spool.expire(Tick(today.mono_ns + 8 * 86_400 * S, today.wall_ns + 8 * 86_400 * S))
    assert spool.depth == 0
    (loss,) = spool.losses
    assert (loss.reason, loss.rows, loss.from_ns, loss.to_ns) == ("age", 5, LEAD_NS, LEAD_NS + 4 * S), "told by their true time too"
    spool.close()
