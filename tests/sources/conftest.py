"""Clips and a camera, made once a worker."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.certificate import OPENSSL, self_signed
from tests.peers.rtsp import RtspServer, missing
from tests.sources.clips import make_clip


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures a second, 320x240, four seconds, without B-frames, as cameras send it."""
    return make_clip(tmp_path_factory.mktemp("clips") / "street.mp4", frames=120)


@pytest.fixture(scope="session")
def camera(street: Path) -> Iterator[RtspServer]:
    """An RTSP camera that nobody harms: /street."""
    if missing():
        pytest.skip(missing())
    with RtspServer({"/street": street}) as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a camera's own certificate and its key."""
    if OPENSSL is None:
        pytest.skip("no openssl to make a certificate with")
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def transport_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "street.ts", frames=120)


@pytest.fixture(scope="session")
def web_camera(transport_stream: Path) -> Iterator[str]:
    """A URL that gives an MPEG transport stream at the pace of a camera and ends after four seconds."""
    handler = functools.partial(_Pacer, transport_stream)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/live.ts"
    server.shutdown()
    server.server_close()
    thread.join(5)


class _Pacer(http.server.BaseHTTPRequestHandler):
    SECONDS = 4.0

    def __init__(self, clip: Path, *args: object) -> None:
        self._clip = clip
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path != "/live.ts":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.end_headers()
        data = self._clip.read_bytes()
        step = 188 * 8
        for offset in range(0, len(data), step):
            try:
                self.wfile.write(data[offset : offset + step])
            except ConnectionError:
                return
            time.sleep(self.SECONDS * step / len(data))

    def log_message(self, *args: object) -> None:
        """Quiet."""
