"""The sinks that ship for laptops."""

from __future__ import annotations

import json
from pathlib import Path

from edge_runtime.deliver.memory import JsonLinesSink, MemorySink
from edge_runtime.types import Settlement, SpooledRow


def row(seq: int) -> SpooledRow:
    return SpooledRow(seq, "t", b'{"v":1,"n":%d}' % seq, 0)


def test_memory_judge_refuses_and_away_forgets_what_was_in_flight() -> None:
    sink = MemorySink(lambda each: "odd" if each.seq % 2 else "")
    sink.connect()
    assert sink.offer(row(1)) and sink.offer(row(2))
    assert list(sink.settled()) == [Settlement(1, False, "odd"), Settlement(2, True)]
    assert [each.seq for each in sink.rows] == [2]
    sink.offer(row(4))
    sink.away("pulled out")
    assert sink.state.reason == "pulled out"
    assert list(sink.settled()) == []


def test_lines_are_on_disk_when_settled(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    sink = JsonLinesSink(path)
    sink.connect()
    for seq in range(1, 4):
        sink.offer(row(seq))
    assert len(sink.settled()) == 3
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2, 3]
    sink.close(0)


def test_lines_into_a_missing_folder_is_a_far_end_that_is_away(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "nowhere" / "rows.jsonl")
    sink.connect()
    assert sink.state.name == "offline"
    assert "nowhere" in sink.state.reason
