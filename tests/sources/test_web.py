"""Cameras that serve multipart JPEG over HTTP or HTTPS: pictures without times, logins, and everything that is no stream."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected, SourceError, Unsupported
from edge_runtime.options import Secret
from edge_runtime.sources import make_capture
from edge_runtime.sources.isolated import IsolatedSource
from edge_runtime.types import Frame, PixelFormat
from tests.peers.web import WebCamera
from tests.sources.clips import make_jpegs, number_of
from tests.sources.observing import failure_of, frames_of, opened, reconnected, spec

pytestmark = pytest.mark.system
PICTURES = 120


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return make_jpegs(PICTURES)


@pytest.fixture
def web(jpegs: list[bytes]) -> Iterator[WebCamera]:
    with WebCamera(jpegs) as camera:
        yield camera


def read_here(url: str, count: int, **others: object) -> tuple[list[Frame], list[int]]:
    """Frames and their numbers, read in this process."""
    source = make_capture(spec(url, **others))
    source.open()
    frames = [frame for _ in range(count) if (frame := source.read(1)) is not None]
    source.close()
    return frames, [number_of(frame.planes[0]) for frame in frames]


@pytest.mark.parametrize(("pix_fmt", "expected"), [("yuvj420p", PixelFormat.YUV420P), ("yuvj422p", PixelFormat.YUV422P)])
def test_pictures_come_whole_in_full_range_and_are_timed_by_arrival(pix_fmt: str, expected: PixelFormat) -> None:
    with WebCamera(make_jpegs(PICTURES, pix_fmt)) as camera, opened(spec(camera.url("/video"))) as source:
        frames = frames_of(source, 25)
        late_ns = time.monotonic_ns() - frames[-1].stamp.mono_ns
        assert 0 <= late_ns < 1e9
        assert {(frame.format, frame.color.full_range, tuple(frame.size)) for frame in frames} == {(expected, True, (320, 240))}
        shape = (240 if expected is PixelFormat.YUV422P else 120, 160)
        assert {frame.planes[1].shape for frame in frames} == {shape}
        stats = source.stats()
        assert stats.stream_fps == pytest.approx(15, rel=0.15), "measured by arrival"
        assert stats.corrupt == 0
        info = source.describe()
        assert info is not None
        assert (info.codec, info.pixel_format, info.fps, info.note) == ("mjpeg", pix_fmt, None, "")


def test_newest_picture_is_given_as_soon_as_it_was_sent(web: WebCamera) -> None:
    web.fps = 5
    source = make_capture(spec(web.url("/video")))
    source.open()
    for _ in range(4):
        frame = source.read(1)
        assert frame is not None
        assert number_of(frame.planes[0]) == web.sent - 1
    source.close()


def test_fps_selects_by_arrival(web: WebCamera) -> None:
    frames, numbers = read_here(web.url("/video"), 11, fps=5)
    steps_ms = np.diff([frame.stamp.mono_ns for frame in frames]) / 1e6
    assert steps_ms.mean() == pytest.approx(200, rel=0.1)
    assert np.median(np.diff(numbers)) == 3


def test_every_picture_is_taken_where_the_camera_sends_what_is_wanted(web: WebCamera) -> None:
    web.unsteady_s = 0.012
    source = make_capture(spec(web.url("/video"), fps=15))
    source.open()
    for _ in range(30):
        source.read(1)
    stats = source.stats()
    source.close()
    assert stats.selected == 30
    assert stats.decoded <= 33, "jitter cost pictures"  # one was there while opening


def test_frozen_camera_disconnects_and_is_found_again(web: WebCamera) -> None:
    with opened(spec(web.url("/video"), stall_s=1)) as source:
        frames_of(source, 3)
        web.frozen.set()
        error = failure_of(source)
        assert isinstance(error, Disconnected)
        assert "no picture" in str(error) or "no answer" in str(error)
        web.frozen.clear()
        reconnected(source)
        assert frames_of(source, 2)


PASSWORD = "s3cret/w:rd ü@#"


def test_login_opens_and_is_seen_nowhere(jpegs: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with WebCamera(jpegs, login=("view er", PASSWORD)) as camera:
        url = camera.url("/video")
        with opened(spec(url, username="view er", password=Secret(PASSWORD))) as source:
            assert frames_of(source, 2)
            assert PASSWORD.encode() not in Path(f"/proc/{source.child_pid}/cmdline").read_bytes()
        for who in ({}, {"username": "view er", "password": Secret("wr0ng-word")}):
            with pytest.raises(Unsupported, match=r"401 Unauthorized.*refuses username or password; correct them in the config") as refusal:
                IsolatedSource(spec(url, **who)).open()
            assert "wr0ng-word" not in str(refusal.value)
        with pytest.raises(Unsupported, match=r"http://\*\*\*@127") as refusal:
            IsolatedSource(spec(url.replace("://", "://viewer:wr0ng-word@"))).open()
        assert "wr0ng-word" not in str(refusal.value)
    for secret in (PASSWORD, "s3cret", "wr0ng-word"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("/nowhere", Disconnected, "404 Not Found: the camera knows no such path"),
        ("/page", Disconnected, "without a video stream; compare the path|expected a video stream, found something else; compare address and path"),
    ],
)
def test_what_is_no_stream_says_so(web: WebCamera, path: str, kind: type[SourceError], why: str) -> None:
    with pytest.raises(kind, match=why):
        make_capture(spec(web.url(path))).open()


def test_stream_of_parts_that_are_no_jpeg_says_what_was_expected(jpegs: list[bytes]) -> None:
    with WebCamera(jpegs, part_type="text/plain") as camera, pytest.raises(Disconnected, match="Content-Type: image/jpeg"):
        make_capture(spec(camera.url("/video"))).open()


# -- TLS -----------------------------------------------------------------------------------------------------------------------


def test_certificate_that_the_camera_signed_itself_is_taken(jpegs: list[bytes], certificate: Path) -> None:
    with WebCamera(jpegs, certificate=certificate) as camera:
        assert camera.url("/video").startswith("https://")
        _, numbers = read_here(camera.url("/video"), 5)
        assert set(np.diff(numbers)) == {1}


def test_redirection_from_tls_to_plain_text_is_not_followed(web: WebCamera, certificate: Path) -> None:
    with WebCamera(certificate=certificate, moved_to=web.url("/video")) as moved:
        with pytest.raises(Disconnected, match="address without TLS, which is not followed"):
            make_capture(spec(moved.url("/moved"))).open()
        assert moved.requests == ["/moved"]
    assert web.requests == [], "the stream was asked for in plain text"


def test_redirection_is_followed_otherwise(web: WebCamera) -> None:
    web.moved_to = web.url("/video")
    assert read_here(web.url("/moved"), 1)[0]
    assert web.requests[-1] == "/video"


def test_no_tls_where_it_is_wanted_fails(web: WebCamera) -> None:
    with pytest.raises(Disconnected, match=r"does the camera speak TLS on this port\? without it the address begins with http://"):
        make_capture(spec(web.url("/video").replace("http://", "https://"))).open()
    assert web.requests == []
