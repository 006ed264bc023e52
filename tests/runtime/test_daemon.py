"""The daemon's main thread and its signals."""

from __future__ import annotations

import subprocess
import sys

# A storm of signals around a loop that waits as the daemon's does. What takes a lock in the handler that its own thread may hold waits for ever.
STORM = """
import signal, time
from pathlib import Path
from edge_runtime.runtime.daemon import Daemon

daemon = Daemon(Path("device.toml"))
daemon._listen()
signal.signal(signal.SIGALRM, daemon._on_reload)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
end = time.monotonic() + 4
while time.monotonic() < end:
    daemon._pause(0.0002)
signal.setitimer(signal.ITIMER_REAL, 0)
print("reload" if daemon._reload else "nothing came")
"""


def test_signals_at_any_instant_do_not_block_the_thread_that_they_wake() -> None:
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "reload", done.stderr
