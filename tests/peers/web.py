"""A camera with a web server, as cheap ones have: a multipart stream of JPEG pictures, a page to log in, perhaps a live playlist.

GET /video          --frame ⏎ Content-Type: image/jpeg ⏎ Content-Length: n ⏎⏎ JPEG ⏎ --frame …      at a steady rate, for ever
GET /page           an HTML page
GET /moved          302 to `moved_to`
GET /live/NAME      a file of `folder` (a playlist and its pieces)
GET anything else   404
"""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_TURN_S = 0.02


class WebCamera:
    """Runs in threads of this process. Use as a context manager."""

    def __init__(
        self,
        pictures: Sequence[bytes] = (),
        *,
        fps: float = 15,
        unsteady_s: float = 0.0,
        login: tuple[str, str] | None = None,
        certificate: Path | None = None,
        folder: Path | None = None,
        part_type: str = "image/jpeg",
        moved_to: str = "",
    ) -> None:
        """`unsteady_s`: by how much every third picture is late, beginning with the second."""
        self.pictures = pictures
        self.fps = fps
        self.unsteady_s = unsteady_s
        self.login = login
        self.folder = folder
        self.part_type = part_type
        self.moved_to = moved_to
        self.requests: list[str] = []  # paths that clients asked for, in the order of their coming
        self.sent = 0  # pictures, to all clients, the one on its way among them
        self.frozen = threading.Event()  # while set, connections stand and nothing comes
        self._leaving = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"camera": self}))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"

    def url(self, path: str) -> str:
        """Where a client finds `path`, without credentials."""
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def pace(self, began_s: float, count: int) -> bool:
        """Wait until picture `count` is due. False when the server ends."""
        while self.frozen.is_set() and not self._leaving.wait(_TURN_S):
            pass
        due_s = began_s + count / self.fps + (self.unsteady_s if count % 3 == 1 else 0.0)
        return not self._leaving.wait(max(0.0, due_s - time.monotonic()))

    def __enter__(self) -> WebCamera:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Handler(http.server.BaseHTTPRequestHandler):
    camera: WebCamera
    timeout = 20

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # a client that left, or one that speaks no TLS (ssl.SSLError is one)
            self.close_connection = True

    def do_GET(self) -> None:
        camera = self.camera
        camera.requests.append(self.path)
        if camera.login is not None and self.headers.get("Authorization") != _basic(*camera.login):
            self._answer(401, "text/plain", b"who are you?", {"WWW-Authenticate": 'Basic realm="camera"'})
        elif self.path == "/video":
            self._stream()
        elif self.path == "/page":
            self._answer(200, "text/html", b"<html><body>Please log in.</body></html>" * 20)
        elif self.path == "/moved":
            self._answer(302, "text/plain", b"", {"Location": camera.moved_to})
        elif self.path.startswith("/live/") and camera.folder is not None and (file := camera.folder / Path(self.path).name).exists():
            kind = "application/vnd.apple.mpegurl" if file.suffix == ".m3u8" else "video/mp2t"
            self._answer(200, kind, file.read_bytes())
        else:
            self._answer(404, "text/plain", b"no such thing")

    def _stream(self) -> None:
        camera = self.camera
        self._head(200, "multipart/x-mixed-replace; boundary=frame", {})
        began_s = time.monotonic()
        count = 0
        while camera.pace(began_s, count):
            picture = camera.pictures[count % len(camera.pictures)]
            head = f"--frame\r\nContent-Type: {camera.part_type}\r\nContent-Length: {len(picture)}\r\n\r\n"
            count += 1
            camera.sent += 1
            self.wfile.write(head.encode() + picture + b"\r\n")

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
