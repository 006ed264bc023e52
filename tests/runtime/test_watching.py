"""What the messages add up to, without a broker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.runtime import watching
from edge_runtime.runtime.watching import Board

NODE = "edge/v1/north/cam-017"


def tell(board: Board, branch: str, body: Any, topic: str = NODE) -> Any:
    payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return board.take(f"{topic}/{branch}", payload)


def count(seq: int, *, total: int, time: str = "2026-11-05T10:05:00Z", **counts: int) -> dict[str, Any]:
    data = {"rule": "lane1", "dir": "forward", "counts": counts, "total": total}
    return {"v": 1, "id": f"aa-{seq}", "type": "count", "time": time, "seen": {"frames_expected": 100, "frames_processed": 90}, "data": data}


def crossing(seq: int, time: str) -> dict[str, Any]:
    return {"v": 1, "id": f"aa-{seq}", "type": "crossing", "time": time, "data": {"rule": "lane1", "dir": "forward", "class": "car"}}


def health(**streams: Any) -> dict[str, Any]:
    return {"v": 1, "clock": "ntp", "spool": {"depth": 7, "oldest_s": 12.5, "dropped": 3}, "streams": streams, "stalled": []}


STREAM = {"state": "live", "reason": "", "fps": 9.8, "dropped": 4, "blind_s": 1.5}


def test_status_health_and_info_describe_a_node() -> None:
    board = Board()
    tell(board, "status", "online")
    tell(board, "info", {"version": "0.3.0"})
    tell(board, "health", health(gate=STREAM))
    view = board.nodes["north", "cam-017"]
    assert (view.status, view.version, view.clock, view.spool_depth, view.spool_oldest_s, view.lost) == ("online", "0.3.0", "ntp", 7, 12.5, 3)
    assert (view.streams["gate"].fps, view.streams["gate"].dropped, view.streams["gate"].blind_s) == (9.8, 4, 1.5)


ALARMS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({"mqtt": {"cause": None, "reason": "", "refused": {}}, "writes": {"over": False, "day_bytes": 1, "budget": 2}}, {}),
    "unmeasured": ({"writes": None}, {}),
    "writes": ({"writes": {"over": True, "day_bytes": 900_000_000, "budget": 500_000_000}}, {"900 MB a day written, budget 500": ""}),
    "memory": ({"spool": {"state": "memory", "reason": "disk is full"}}, {"spool in memory": "disk is full"}),
    "RAM disk": ({"spool": {"state": "disk", "reason": "", "volatile": True}}, {"spool on a RAM disk": ""}),
    "broken files": ({"spool": {"state": "disk", "corrupt_files": 2}}, {"2 broken spool files": ""}),
    "clock": ({"clock": "unsynced"}, {"clock unsynced": ""}),
    "refused": ({"mqtt": {"cause": "refused", "reason": "…", "refused": {"t/a": "Not authorized"}}}, {"refused t/a": "Not authorized"}),
    "refused commands": ({"mqtt": {"cause": "refused", "reason": "t/cmd/#: no", "refused": {}}}, {"refused": "t/cmd/#: no"}),
}


@pytest.mark.parametrize("name", ALARMS)
def test_alarms_are_what_health_says_until_it_says_so_no_more(name: str) -> None:
    said, expected = ALARMS[name]
    board = Board()
    tell(board, "health", {**health(), **said})
    view = board.nodes["north", "cam-017"]
    assert dict(view.alarms) == expected
    tell(board, "health", health())
    assert dict(view.alarms) == {}


def test_health_without_a_stream_forgets_it() -> None:
    board = Board()
    tell(board, "health", health(gate=STREAM, back=STREAM))
    tell(board, "health", health(back=STREAM))
    assert list(board.nodes["north", "cam-017"].streams) == ["back"]


def test_count_keeps_the_newest_window_however_late_an_older_one_comes() -> None:
    board = Board()
    tell(board, "obs/gate/count", count(2, total=12, time="2026-11-05T10:10:00Z", car=5))
    tell(board, "obs/gate/count", count(1, total=7, time="2026-11-05T10:05:00Z", car=7))
    rule = board.nodes["north", "cam-017"].rules["gate", "lane1", "forward"]
    assert (rule.counts, rule.total, rule.processed, rule.expected) == ({"car": 5}, 12, 90, 100)


def test_duplicates_are_told_apart_by_id_and_node() -> None:
    board = Board()
    assert tell(board, "obs/gate/crossing", crossing(1, "2026-11-05T10:00:01Z")) is not None
    assert tell(board, "obs/gate/crossing", crossing(1, "2026-11-05T10:00:01Z")) is None
    assert tell(board, "obs/gate/crossing", crossing(1, "2026-11-05T10:00:01Z"), topic="edge/v1/north/other") is not None
    assert board.duplicates == 1
    assert board.nodes["north", "cam-017"].rules["gate", "lane1", "forward"].since == 1


def test_crossings_since_the_window_start_at_zero_with_the_next() -> None:
    board = Board()
    tell(board, "obs/gate/crossing", crossing(1, "2026-11-05T10:00:01Z"))
    tell(board, "obs/gate/count", count(2, total=1, car=1))
    tell(board, "obs/gate/crossing", crossing(3, "2026-11-05T10:05:01Z"))
    tell(board, "obs/gate/crossing", crossing(4, "2026-11-05T10:04:59Z"))  # belongs to the window that is told already
    assert board.nodes["north", "cam-017"].rules["gate", "lane1", "forward"].since == 1


def test_gap_is_counted_and_shown() -> None:
    board = Board()
    tell(board, "obs/gate/gap", {"v": 1, "id": "aa-1", "time": "x", "data": {"from": "10:00", "to": "10:07", "reason": "down"}})
    view = board.nodes["north", "cam-017"]
    assert (view.gaps, view.last_gap) == (1, "gate: down, 10:00 – 10:07")


def test_everything_has_a_bound(monkeypatch: Any) -> None:
    for name, bound in (("MAX_NODES", 2), ("MAX_RULES", 3), ("MAX_STREAMS", 2), ("MAX_IDS", 5)):
        monkeypatch.setattr(watching, name, bound)
    board = Board()
    for number in range(9):
        tell(board, "status", "online", topic=f"edge/v1/north/n{number}")
        body = crossing(number, "2026-11-05T10:00:01Z")
        body["data"]["rule"] = f"rule{number}"
        tell(board, "obs/gate/crossing", body, topic="edge/v1/north/n0")
    refusing = {"mqtt": {"refused": {f"t/{number}": "x" * 1000 for number in range(100)}}}
    tell(board, "health", {**health(a=STREAM, b=STREAM, c=STREAM), **refusing}, topic="edge/v1/north/n0")
    assert len(board.nodes["north", "n0"].alarms) == watching.MAX_ALARMS
    assert {len(why) for why in board.nodes["north", "n0"].alarms.values()} == {watching.REASON_CHARS}
    view = board.nodes["north", "n0"]
    assert (len(board.nodes), len(view.rules), len(view.streams), len(board._ids)) == (2, 3, 2, 5)
    assert board.unshown == 7 + 6 + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(
    st.sampled_from(["status", "info", "health", "obs/a/count", "obs/a/crossing", "obs/a/gap", "obs/a/camera", "obs/a/occupancy", "obs", "x"]),
    JSON | st.dictionaries(st.sampled_from(["data", "time", "spool", "streams", "clock", "id", "mqtt", "writes"]), JSON),
)
def test_any_message_is_survived(branch: str, body: Any) -> None:
    board = Board()
    assert tell(board, branch, json.dumps(body)) is not None
    assert board.messages == 1


def test_bytes_that_are_no_text_are_survived() -> None:
    board = Board()
    assert board.take(f"{NODE}/health", b"\xff\xfe{") is not None
    assert board.strange == 1
