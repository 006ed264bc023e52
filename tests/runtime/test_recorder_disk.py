"""The recorder on a disk that refuses for a while: what the broker answered counts before rows move."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.deliver import steady
from edge_runtime.runtime import intake
from edge_runtime.runtime import recorder as module
from tests.deliver.test_steady_start import full
from tests.peers.broker import until
from tests.peers.disk import small_disk
from tests.runtime.test_recorder import CLOCK, crossing, recording, taken


def test_row_that_was_acknowledged_while_in_memory_is_not_offered_again_by_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "RETRY_NS", 100_000_000)
    monkeypatch.setattr(module, "ALIVE_S", 0.1)
    monkeypatch.setattr(intake, "SETTLE_S", 600.0)  # acknowledgements wait for a commit that has another reason
    with small_disk(tmp_path / "disk") as disk, recording(disk / "s.db") as recorder:
        recorder.record([crossing(0)], recorder.sign_of_life(CLOCK.now()))
        rows = taken(recorder, 1)
        heal = full(disk)
        recorder.record([crossing(1), crossing(2)], {})
        rows += taken(recorder, 2)
        assert recorder.stats()["state"] == "memory"
        recorder.settle([row.seq for row in rows])
        heal()
        until(lambda: recorder.stats()["state"] == "disk", 10)
        until(lambda: recorder.drained, 10)
        assert recorder.stats()["depth"] == 0
        assert recorder.take() is None
