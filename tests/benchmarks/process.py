"""Commands as whole processes: their wall and CPU time by the system's own accounting, and what they said."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Finished:
    """One run of a command; `others` is how many cores other processes took meanwhile."""

    wall_s: float
    cpu_s: float
    others: float
    out: str
    err: str


def run(words: Sequence[str], env: Mapping[str, str] | None = None) -> Finished:
    """Run `python WORDS` to its end. Raises RuntimeError, with what it said, when it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began, busy_s = time.perf_counter(), busy_cores_s()
        process = subprocess.Popen([sys.executable, *words], stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **(env or {})})
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_s, busy_s = time.perf_counter() - began, busy_cores_s() - busy_s
        process.returncode = os.waitstatus_to_exitcode(status)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: exit status {process.returncode}\n{said[1][-4000:]}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Finished(wall_s, cpu_s, max(0.0, (busy_s - cpu_s) / wall_s), *said)


def busy_cores_s() -> float:
    """Seconds that the machine's cores, added up, have been busy since it started."""
    user, nice, system, _, _, interrupt, soft, *_ = (int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")
