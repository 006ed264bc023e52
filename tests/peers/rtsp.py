"""A camera for tests: `rtsp_server.py` as a process that can be killed, stopped, resumed and restarted on its port."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType

PYTHON = "/usr/bin/python3"
_SERVER = Path(__file__).with_name("rtsp_server.py")
_ANSWER_S = 20.0


@lru_cache(maxsize=1)
def missing() -> str:
    """Why no RTSP server can run here; "" when it can."""
    if not Path(PYTHON).exists():
        return f"no {PYTHON} to run GStreamer's RTSP server"
    probe = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; Gst.init(None); "
        "lacking = [e for e in ('qtdemux', 'h264parse', 'rtph264pay') if Gst.ElementFactory.find(e) is None]; assert not lacking, lacking"
    )
    done = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"GStreamer's RTSP server is not installed for {PYTHON} (gir1.2-gst-rtsp-server-1.0): {done.stderr.strip().splitlines()[-1]}"
    return ""


class RtspServer:
    """Serves H.264 MP4 clips, looped in real time. Use as a context manager."""

    def __init__(
        self, clips: Mapping[str, Path], *, user: str | None = None, password: str = "", certificate: Path | None = None, port: int = 0
    ) -> None:
        """`clips`: path ("/cam1") -> file. `certificate` (PEM, with its key): speak TLS only."""
        self._clips = dict(clips)
        self._user, self._password = user, password
        self._certificate = certificate
        self.port = port
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self) -> RtspServer:
        """Returns when clients can connect."""
        command = [PYTHON, str(_SERVER), "--port", str(self.port)]
        if self._user is not None:
            command += ["--user", self._user, "--password", self._password]
        if self._certificate is not None:
            command += ["--tls", str(self._certificate)]
        command += [f"{path}={clip}" for path, clip in self._clips.items()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()
        ready = self._line()
        assert ready.startswith("READY "), ready
        self.port = int(ready.split()[1])
        return self

    def url(self, path: str) -> str:
        """Where a client finds `path`, without credentials."""
        scheme = "rtsp" if self._certificate is None else "rtsps"
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def sent(self, path: str) -> int:
        """Access units (pictures) given to the network since the start of this process; counted by the server alone."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write("sent\n")
        process.stdin.flush()
        return int(json.loads(self._line())[path])

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default without a goodbye to its clients."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a stopped process takes no other signal than SIGKILL
        process.wait(10)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()

    def pause(self) -> None:
        """The camera freezes: connections stand, nothing comes."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on from where it was."""
        os.kill(self._running().pid, signal.SIGCONT)

    def restart(self, clips: Mapping[str, Path] | None = None) -> None:
        """Start again on the same port, with other clips when given. Kills it first when it runs."""
        self.kill()
        if clips is not None:
            self._clips = dict(clips)
        self.start()

    def __enter__(self) -> RtspServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "the server does not run"
        return self._process

    def _line(self) -> str:
        try:
            return self._lines.get(timeout=_ANSWER_S)
        except queue.Empty:
            raise AssertionError(f"the RTSP server said nothing within {_ANSWER_S} s") from None

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stdout:
            for line in stdout:
                lines.put(line.rstrip())
        lines.put("")
