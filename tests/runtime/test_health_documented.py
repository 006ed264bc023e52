"""DELIVERY.md names every number that `health` has of the spool and of the line to the broker, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_runtime.deliver.memory import MemorySink
from tests.runtime.test_publisher import node

DOCUMENT = (Path(__file__).parents[2] / "DELIVERY.md").read_text(encoding="utf-8")


def documented(table: str) -> list[str]:
    """Keys in the first column of a table under its heading."""
    rows = DOCUMENT.partition(f"| `{table}` | |\n")[2].partition("\n\n")[0]
    return sorted(key for cell in re.findall(r"^\| (`[^|]*`) \|", rows, re.MULTILINE) for key in re.findall(r"`(\w+)`", cell))


@pytest.mark.parametrize("table", ["spool", "mqtt"])
def test_every_number_of_health_is_documented_and_no_other(tmp_path: Path, table: str) -> None:
    with node(tmp_path / "s.db", sink=MemorySink()) as made:
        stats = {"spool": made.recorder.stats(), "mqtt": made.publisher.stats()}[table]
    assert documented(table) == sorted(stats)
