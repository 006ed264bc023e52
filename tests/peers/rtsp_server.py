"""An RTSP server for tests: H.264 clips, not re-encoded, in real time, looped without a seam. Run with the system's Python (GStreamer).

    /usr/bin/python3 rtsp_server.py [--port N] [--user U --password P] [--tls CERTIFICATE.pem] PATH=CLIP …

With --tls it speaks RTSP over TLS only, as cameras do on their port of rtsps; the file holds certificate and key.

Prints `READY port`. A line `sent` on standard input is answered with one line of JSON: access units given to the network since the
start, by path. Ends when standard input does.

    clip ─► qtdemux ─► h264parse ─► list of access units (once)
    each viewing: appsrc ◄─ a thread pushes unit k at its decoding time, round after round ─► h264parse ─► rtph264pay
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from dataclasses import dataclass

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstApp, GstRtspServer  # noqa: E402

LATE_S = 1.0


@dataclass(frozen=True)
class Unit:
    data: bytes
    pts: int
    dts: int


@dataclass(frozen=True)
class Clip:
    units: list[Unit]
    length: int


def load(path: str) -> Clip:
    """Every access unit of the clip, in decoding order."""
    pipeline = Gst.parse_launch(
        f'filesrc location="{path}" ! qtdemux ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au '
        "! appsink name=out sync=false max-buffers=64"
    )
    sink = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    while (sample := sink.try_pull_sample(5 * Gst.SECOND)) is not None:
        buffer = sample.get_buffer()
        dts = buffer.dts if buffer.dts != Gst.CLOCK_TIME_NONE else buffer.pts
        units.append(Unit(buffer.extract_dup(0, buffer.get_size()), buffer.pts, dts))
    pipeline.set_state(Gst.State.NULL)
    if len(units) < 2:
        sys.exit(f"{path}: expected an MP4 with H.264")
    first = min(unit.pts for unit in units)
    units = [Unit(unit.data, unit.pts - first, unit.dts - first) for unit in units]
    span = max(unit.pts for unit in units)
    return Clip(units, span + span // (len(units) - 1))


class Feeder:
    """Pushes one clip into one media's appsrc until the media goes."""

    def __init__(self, clip: Clip, source: GstApp.AppSrc, sent: dict[str, int], path: str) -> None:
        self.stop = threading.Event()
        self._clip, self._source, self._sent, self._path = clip, source, sent, path
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        start = time.monotonic()
        offset = 0
        while True:
            for unit in self._clip.units:
                late = time.monotonic() - start - (unit.dts + offset) / Gst.SECOND
                if late > LATE_S:  # we were stopped: go on from here, do not hurry
                    start += late
                if self.stop.wait(max(0.0, -late)):
                    return
                buffer = Gst.Buffer.new_wrapped(unit.data)
                buffer.pts = unit.pts + offset
                buffer.dts = max(0, unit.dts + offset)
                if self._source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
                self._sent[self._path] += 1
            offset += self._clip.length


class Factory(GstRtspServer.RTSPMediaFactory):
    def __init__(self, clip: Clip, sent: dict[str, int], path: str) -> None:
        super().__init__()
        self._clip, self._sent, self._path = clip, sent, path
        self.set_shared(True)
        self.set_launch(
            "( appsrc name=units is-live=true format=time do-timestamp=false max-bytes=0 "
            "caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
        )
        self.connect("media-configure", self._configure)

    def _configure(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_by_name("units")
        feeder = Feeder(self._clip, source, self._sent, self._path)
        media.connect("unprepared", lambda *_: feeder.stop.set())


def guard(factories: list[Factory], args: argparse.Namespace) -> GstRtspServer.RTSPAuth:
    """Who may connect and how: with a password, over TLS, or both."""
    auth = GstRtspServer.RTSPAuth()
    viewer = GstRtspServer.RTSPToken()
    viewer.set_string("media.factory.role", "viewer")
    if args.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(args.tls))
    if args.user:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(args.user, args.password), viewer)
    else:
        auth.set_default_token(viewer)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    return auth


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--tls", metavar="PEM")
    parser.add_argument("clips", nargs="+", metavar="PATH=CLIP")
    args = parser.parse_args()
    Gst.init(None)
    sent: dict[str, int] = {}
    clips: dict[str, Clip] = {}
    factories = []
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    for pair in args.clips:
        path, _, file = pair.partition("=")
        if file not in clips:
            clips[file] = load(file)
        sent[path] = 0
        factory = Factory(clips[file], sent, path)
        factories.append(factory)
        server.get_mount_points().add_factory(path, factory)
    if args.user or args.tls:
        server.set_auth(guard(factories, args))
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on 127.0.0.1:{args.port}")
    loop = GLib.MainLoop()

    def obey() -> None:
        for line in sys.stdin:
            if line.strip() == "sent":
                print(json.dumps(sent), flush=True)
        loop.quit()

    threading.Thread(target=obey, daemon=True).start()
    print(f"READY {server.get_bound_port()}", flush=True)
    loop.run()


main()
