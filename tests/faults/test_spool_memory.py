"""A long outage of the broker: two hundred thousand messages wait on the disk, not in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.native]

ROOT = Path(__file__).parents[2]
MESSAGES = 200_000
GROWTH_MB = 30

NODE = """
import json, os, sys, time
from pathlib import Path
from edge_runtime.clock import SystemClock
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.spool import SpoolOptions
from edge_runtime.present.envelope import Enveloper
from edge_runtime.runtime.publisher import Publisher
from edge_runtime.runtime.pulse import Pulses
from edge_runtime.runtime.recorder import Recorder
from edge_runtime.types import ClockState, Event

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def store(first, count):
    for start in range(first, first + count, 100):
        data = {"rule": "lane1", "dir": "forward", "label": "southbound", "class": "car", "score": 0.81, "speed_kmh": 48.2}
        events = [Event("crossing", f"s{n % 4}", clock.now(), {**data, "track": n}) for n in range(start, start + 100)]
        recorder.record([enveloper.wrap(event, ClockState.NTP) for event in events], {"n": start + 100})
        if start % 2000 == 1900 and not recorder.flush(30):
            sys.exit("the disk hangs")

clock, enveloper, pulses = SystemClock(), Enveloper("north", "cam-1", None), Pulses()
recorder = Recorder(SpoolOptions(path=Path(sys.argv[1])), enveloper, pulses, clock)
recorder.open()
recorder.start()
publisher = Publisher(MqttOptions(url="mqtt://127.0.0.1:1"), enveloper, "north-cam-1", recorder, pulses)
publisher.start()
store(0, 4000)
before = resident_mb()
most = before
for first in range(4000, int(sys.argv[2]), 4000):
    store(first, 4000)
    most = max(most, resident_mb())
recorder.flush(30)
stats = recorder.stats()
print(json.dumps({"before_mb": before, "most_mb": most, "depth": stats["depth"], "dropped": stats["dropped"], "bytes": stats["bytes"]}), flush=True)
publisher.close(2.0)
recorder.close(10.0)
"""


def test_200000_messages_that_wait_take_no_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", NODE, str(tmp_path / "s.db"), str(MESSAGES)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    growth_mb = found["most_mb"] - found["before_mb"]
    print(
        f"\n{found['depth']} messages wait on the disk in {found['bytes'] / 1e6:.1f} MB; memory {found['before_mb']:.1f} MB with 4,000 of them, "
        f"{found['most_mb']:.1f} MB at most: {growth_mb:+.1f} MB (limit {GROWTH_MB})"
    )
    assert found["depth"] == MESSAGES
    assert found["dropped"] == 0
    assert growth_mb <= GROWTH_MB
