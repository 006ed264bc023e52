"""A topic without backlog does not wait for one that has hundreds of thousands of rows: how many of them go before, counted, not timed.

spool    bulk/crossing ▮▮▮▮▮▮▮▮▮▮▮▮▮ 200,000       broker ─► mosquitto_sub
         fresh/<type>                ▮ ─ committed while `sent` is S ─► comes as number P of all: P − S went before it
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from edge_runtime.deliver.backlog import AHEAD, LOW_EVERY
from edge_runtime.deliver.entry import Batch, Entry
from edge_runtime.deliver.mqtt import WINDOW
from edge_runtime.deliver.spool import Spool, SpoolOptions
from edge_runtime.types import ClockState, Event
from tests.peers.broker import Broker, until
from tests.runtime.test_publisher import CLOCK, ENVELOPER, node

pytestmark = pytest.mark.system
MOSQUITTO_SUB = shutil.which("mosquitto_sub")
PREFIX = "edge/v1/north/cam-1"
KINDS = ("camera", "count", "noise")  # of the three classes; the backlog is crossings, in the first
FRESH = 20  # of each
EARLIEST, LATEST = 0.05, 0.9  # of the backlog has gone when the fresh ones come


def fill(path: Path, rows: int) -> None:
    """A spool that a day without a broker might leave."""
    spool = Spool(SpoolOptions(path=path))
    spool.open()
    for start in range(0, rows, 1000):
        events = [Event("crossing", "bulk", CLOCK.now(), {"n": start + n}) for n in range(min(1000, rows - start))]
        spool.commit(Batch([Entry.of(ENVELOPER.wrap(event, ClockState.NTP)) for event in events]), CLOCK.now())
    spool.close()


class Listener:
    """mosquitto_sub, a process of its own that does nothing else: when what came, until all of `count` did."""

    def __init__(self, port: int, count: int, out: Path) -> None:
        assert MOSQUITTO_SUB is not None
        self._out = out
        words = [MOSQUITTO_SUB, "-p", str(port), "-q", "1", "-t", f"{PREFIX}/obs/#", "-F", "%U %t", "-C", str(count)]
        with out.open("wb") as file:
            self._process = subprocess.Popen(words, stdout=file)

    def arrivals(self, limit_s: float) -> list[tuple[float, str]]:
        """Seconds of the wall clock, and "stream/type"."""
        assert self._process.wait(limit_s) == 0
        lines = [line.split() for line in self._out.read_text().splitlines()]
        return [(float(at_s), topic.removeprefix(f"{PREFIX}/obs/")) for at_s, topic in lines]


@pytest.mark.parametrize("rows", [20_000, pytest.param(200_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_fresh_topics_overtake_a_backlog(tmp_path: Path, rows: int) -> None:
    if MOSQUITTO_SUB is None:
        pytest.skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
    fill(tmp_path / "s.db", rows)
    before: dict[str, tuple[int, float]] = {}  # of each fresh message: how many had been sent when it was committed, and when that was
    with Broker(tmp_path / "broker", "log_type subscribe", talkative=False) as broker:
        listener = Listener(broker.port, rows + FRESH * len(KINDS), tmp_path / "heard")
        until(lambda: f"{PREFIX}/obs/#" in broker.log, 10)
        with node(tmp_path / "s.db", broker.url) as made:
            for number in range(FRESH):
                due = rows * (EARLIEST + (LATEST - EARLIEST) * number / FRESH)
                until(lambda due=due: int(str(made.stat("acked"))) >= due, 900)  # type: ignore[misc]
                for kind in KINDS:
                    made.recorder.record([ENVELOPER.wrap(Event(kind, f"fresh-{number}", CLOCK.now(), {"n": number}), ClockState.NTP)], {})
                    assert made.recorder.flush(60)
                    before[f"fresh-{number}/{kind}"] = int(str(made.stat("sent"))), time.time()
            assert int(str(made.recorder.stats()["depth"])) > 1, "the backlog was gone before the fresh ones came"
            arrivals = listener.arrivals(900)
    assert len(arrivals) == rows + len(before)
    came = {name: (place, at_s) for place, (at_s, name) in enumerate(arrivals) if name in before}
    for kind, limit in zip(KINDS, (1, LOW_EVERY, LOW_EVERY), strict=True):
        names = [name for name in before if name.endswith(kind)]
        most = max(came[name][0] - before[name][0] for name in names)
        longest_s = max(came[name][1] - before[name][1] for name in names)
        print(f"{rows} rows of backlog, {kind}: at most {most} of them between the commit and the arrival, at most {longest_s * 1000:.0f} ms")
        assert most <= limit * (WINDOW + 2 * AHEAD)
    span_s = arrivals[-1][0] - arrivals[0][0]
    print(f"{len(arrivals)} messages in {span_s:.1f} s, {len(arrivals) / span_s:.0f} a second")
