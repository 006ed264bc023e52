"""GDP by hand-made bytes, and real pipelines where GStreamer is installed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected, Unsupported
from edge_runtime.sources import SourceSpec
from edge_runtime.sources.gdp import BUFFER, Caps, buffer_bytes, parse_caps, parse_header, planes_of
from edge_runtime.sources.gstreamer import GstSource
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size

needs_gstreamer = pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="gst-launch-1.0 is not installed")


def test_header_fields() -> None:
    data = struct.pack(">BBBxHIQQ", 1, 0, 1, BUFFER, 350_416, 40_000_000, 0).ljust(62, b"\0")
    header = parse_header(data)
    assert (header.type, header.length, header.pts_ns) == (BUFFER, 350_416, 40_000_000)
    timeless = struct.pack(">BBBxHIQQ", 1, 0, 1, BUFFER, 1, 2**64 - 1, 0).ljust(62, b"\0")
    assert parse_header(timeless).pts_ns is None
    with pytest.raises(Disconnected, match="standard output"):
        parse_header(b"Setting pipeline to PLAYING ...".ljust(62, b" "))


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        (
            "video/x-raw, format=(string)I420, width=(int)641, height=(int)361, framerate=(fraction)25/1\0",
            Caps(PixelFormat.YUV420P, Size(641, 361), ColorSpec(Matrix.BT601, False), 25.0),
        ),
        (
            "video/x-raw, format=(string)NV12, width=(int)1920, height=(int)1080, colorimetry=(string)bt709, framerate=(fraction)0/1",
            Caps(PixelFormat.NV12, Size(1920, 1080), ColorSpec(Matrix.BT709, False), None),
        ),
        (
            "video/x-raw, format=(string)YUY2, width=(int)640, height=(int)480, colorimetry=(string)1:4:0:0, framerate=(fraction)30000/1001",
            Caps(PixelFormat.YUYV, Size(640, 480), ColorSpec(Matrix.BT601, True), 30000 / 1001),
        ),
    ],
)
def test_caps(text: str, caps: Caps) -> None:
    assert parse_caps(text) == caps


@pytest.mark.parametrize(
    "text",
    [
        "audio/x-raw, format=(string)S16LE",
        "video/x-raw, format=(string)RGB, width=(int)4, height=(int)4",
        "",
        "video/x-raw, format=(string)I420, width=(int)1000000, height=(int)1000000",
    ],
)
def test_caps_that_cannot_be_used(text: str) -> None:
    with pytest.raises(Unsupported, match="expected"):
        parse_caps(text)


def spec(pipeline: str, fps: float = 100) -> SourceSpec:
    return SourceSpec(name="gst", url=f"gst:{pipeline}", fps=fps)


@contextmanager
def opened(pipeline: str, fps: float = 100) -> Iterator[GstSource]:
    source = GstSource(spec(pipeline, fps))
    source.open()
    try:
        yield source
    finally:
        source.close()


def read(source: GstSource, count: int) -> list[Frame]:
    frames = []
    deadline = time.monotonic() + 10
    while len(frames) < count:
        assert time.monotonic() < deadline
        frame = source.read(0.5)
        if frame is not None:
            frames.append(frame)
    return frames


@needs_gstreamer
@pytest.mark.parametrize("size", [Size(641, 361), Size(66, 50), Size(3, 5)])
@pytest.mark.parametrize("name", ["I420", "Y42B", "NV12", "YUY2", "BGR", "GRAY8"])
def test_every_format_has_the_pixels_that_gstreamer_drew(name: str, size: Size) -> None:
    caps = f"video/x-raw,format={name},width={size.width},height={size.height}"
    drawn = f"videotestsrc pattern=solid-color foreground-color=0xff204080 num-buffers=2 ! {caps}"
    with opened(drawn) as source:
        frame = read(source, 1)[0]
        assert frame.size == size
        for plane in frame.planes:
            assert not plane.flags.writeable
            if name in ("I420", "Y42B", "GRAY8"):
                assert len(np.unique(plane)) == 1, "padding was taken for pixels"
            else:
                items = plane.reshape(-1, plane.shape[-1]) if plane.ndim == 3 else plane.reshape(-1, 1)
                inner = items if name != "YUY2" else plane[:, : size.width // 2].reshape(-1, 4)
                assert len(np.unique(inner, axis=0)) == 1
        if name == "BGR":
            assert frame.planes[0][0, 0].tolist() == [0x80, 0x40, 0x20]


def test_buffer_bytes_of_an_odd_picture() -> None:
    caps = Caps(PixelFormat.YUV420P, Size(641, 361), ColorSpec(), None)
    assert buffer_bytes(caps) == 644 * 362 + 2 * 324 * 181
    planes = planes_of(np.zeros(buffer_bytes(caps), np.uint8), caps)
    assert [plane.shape for plane in planes] == [(361, 641), (181, 321), (181, 321)]


@needs_gstreamer
def test_live_pipeline_is_selected_by_fps_and_stamped() -> None:
    with opened("videotestsrc is-live=true ! video/x-raw,format=NV12,width=64,height=48,framerate=50/1", fps=10) as source:
        frames = read(source, 5)
        steps_ms = np.diff([frame.stamp.mono_ns for frame in frames]) / 1e6
        assert 50 < np.median(steps_ms) < 150  # stamped on arrival: one of five, not every one (20 ms)
        assert [frame.stamp.seq for frame in frames] == list(range(5))
        assert 0 <= time.monotonic_ns() - frames[-1].stamp.mono_ns < 2e9
        assert source.stats().stream_fps == pytest.approx(50, rel=0.05)
        assert source.stats().decoded >= 4 * source.stats().selected
        info = source.describe()
        assert info is not None
        assert (info.size, info.pixel_format, info.fps) == (Size(64, 48), "nv12", 50.0)


@needs_gstreamer
def test_read_returns_none_when_the_pipeline_is_silent_and_takes_up_a_partial_picture() -> None:
    with opened("videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=2/1") as source:
        outcomes = [source.read(0.05) for _ in range(40)]
        frames = [frame for frame in outcomes if frame is not None]
        assert 2 <= len(frames) <= 6
        assert None in outcomes
        assert len({frame.stamp.mono_ns for frame in frames}) == len(frames)


@needs_gstreamer
@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        ("nosuchelement", 'no element "nosuchelement"'),
        ("filesrc location=/no/such/file ! decodebin", "Resource not found.*/no/such/file"),
        ("rtspsrc location=rtsp://viewer:s3cret@127.0.0.1:1/x ! decodebin", "ended with status"),
        ("audiotestsrc", "could not link"),
        ("videotestsrc num-buffers=0", "ended with status 0"),
    ],
)
def test_pipeline_that_fails_says_why(pipeline: str, why: str) -> None:
    source = GstSource(spec(pipeline))
    with pytest.raises(Disconnected, match=why) as refusal:
        source.open()
        while True:
            source.read(1)
    assert "s3cret" not in str(refusal.value)
    source.close()
    source.close()


@needs_gstreamer
@pytest.mark.parametrize(("pipeline", "why"), [("", "without a pipeline"), ("a 'b", "No closing quotation")])
def test_text_that_is_no_pipeline(pipeline: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        GstSource(spec(pipeline)).open()


@needs_gstreamer
def test_no_shell_reads_the_pipeline(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    with pytest.raises(Disconnected):
        GstSource(spec(f"videotestsrc num-buffers=1 ; touch {witness} $(touch {witness})")).open()
    assert not witness.exists()


def test_missing_gstreamer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unsupported, match=r"gst-launch-1\.0 is not installed"):
        GstSource(spec("videotestsrc")).open()


@needs_gstreamer
def test_size_change_within_the_pipeline_is_followed(tmp_path: Path) -> None:
    parts = []
    for index, side in enumerate((32, 64, 48)):
        part = tmp_path / f"{index}.gdp"
        draw = f"videotestsrc num-buffers=3 ! video/x-raw,format=GRAY8,width={side},height={side},framerate=25/1 ! gdppay ! filesink location={part}"
        subprocess.run(["gst-launch-1.0", "-q", *draw.split()], check=True)
        parts.append(part.read_bytes())
    whole = tmp_path / "whole.gdp"
    whole.write_bytes(b"".join(parts))
    with opened(f"filesrc location={whole} ! gdpdepay") as source:
        sizes = []
        with pytest.raises(Disconnected, match="ended with status 0"):
            while True:
                frame = source.read(1)
                if frame is not None:
                    sizes.append(frame.size.width)
                    assert frame.planes[0].shape == frame.size[::-1]
        assert sizes == [32] * 3 + [64] * 3 + [48] * 3


@needs_gstreamer
def test_close_kills_a_silent_pipeline_and_leaks_no_descriptor() -> None:
    def fds() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = fds()
    for _ in range(3):
        source = GstSource(spec("videotestsrc is-live=true ! video/x-raw,framerate=1/1"))
        source.open()
        assert source._process is not None
        pid = source._process.pid
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < 1
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert fds() == before
