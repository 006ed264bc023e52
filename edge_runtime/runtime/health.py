"""The node's `health`: numbers about itself, measured, every few seconds. Lost when nobody listens; what must not be lost is an event."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.types import ClockState, Json

if TYPE_CHECKING:
    from edge_runtime.runtime.camera import CameraRun
    from edge_runtime.runtime.lane import Lane
    from edge_runtime.runtime.station import Station

_THERMAL = Path("/sys/class/thermal")


@dataclass(slots=True)
class _Last:
    lane: Lane  # a new one counts from zero
    mono_s: float
    processed: int
    decoded: int


class HealthReport:
    """Makes one health message after another; rates are over the time since the one before."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last: dict[str, _Last] = {}
        self._cpu = (time.monotonic(), _cpu_seconds())

    def make(
        self,
        cameras: Mapping[str, CameraRun],
        stations: Mapping[str, Station],
        spool: Mapping[str, Json],
        delivery: Mapping[str, Json],
        clock: ClockState,
    ) -> Json:
        """The body of the health topic."""
        now = time.monotonic()
        then, cpu = self._cpu
        used = _cpu_seconds()
        self._cpu = (now, used)
        self._last = {name: last for name, last in self._last.items() if name in cameras}
        return {
            "v": 1,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "clock": clock.value,
            "uptime_s": round(now - self._began_s, 1),
            "cpu_cores": round((used - cpu) / max(1e-3, now - then), 3),
            "rss_mb": round(_resident_mb(), 1),
            "temperature_c": temperature_c(),
            "streams": {name: self._stream(name, run, now) for name, run in cameras.items()},
            "engines": {name: asdict(station.engine.stats()) for name, station in stations.items()},
            "spool": spool,
            "mqtt": delivery,
        }

    def _stream(self, name: str, run: CameraRun, now_s: float) -> Json:
        lane = run.lane
        count = lane.counters
        stats = run.source.stats()
        last = self._last.get(name)
        if last is None or last.lane is not lane:
            last = _Last(lane, self._began_s if last is None else last.mono_s, 0, 0)
        elapsed_s = max(1e-3, now_s - last.mono_s)
        body = {
            "state": run.state,
            "reason": run.reason,
            "fps": round((count.processed - last.processed) / elapsed_s, 2),
            "stream_fps": round((stats.decoded - last.decoded) / elapsed_s, 2),
            "decoded": stats.decoded,
            "selected": stats.selected,
            "dropped": stats.dropped + count.dropped,
            "behind": stats.behind,
            "corrupt": stats.corrupt,
            "still": count.still,
            "processed": count.processed,
            "failed": count.failed,
            "latency_ms": round(count.latency_ms, 1),
            "blind_s": round(lane.analysis.completeness.total_blind_s + lane.analysis.completeness.blind_now_s(time.monotonic_ns()), 1),
            "connects": run.connects,
            "child_pid": run.source.child_pid,
            "restarts": run.restarts,
        }
        self._last[name] = _Last(lane, now_s, count.processed, stats.decoded)
        return body


def temperature_c() -> float | None:
    """The hottest thermal zone, degrees Celsius; None where the kernel shows none."""
    readings = []
    for zone in _THERMAL.glob("thermal_zone*/temp"):
        try:
            readings.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a zone may be listed and unreadable
    return max(readings) if readings else None


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
