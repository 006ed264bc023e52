"""Files as people have them: odd, turned, torn, lying."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Exhausted, Unsupported
from edge_runtime.sources import Footage, SourceSpec, make_footage, make_source
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size
from tests.sources.clips import cut, make_clip, number_of, rotate_clockwise

MS = 1_000_000


def spec(url: Path | str, fps: float = 1000) -> SourceSpec:
    return SourceSpec(name="clip", url=str(url), fps=fps)


def read_all(source: Footage) -> list[Frame]:
    source.open()
    frames = []
    try:
        while True:
            frame = source.read(0)
            assert frame is not None, "a file never lets one wait"
            frames.append(frame)
    except Exhausted:
        source.close()
    return frames


def numbers(frames: list[Frame]) -> list[int]:
    return [number_of(frame.planes[0]) for frame in frames]


def test_read_every_frame_as_the_decoder_gave_it(tmp_path: Path) -> None:
    source = make_footage(spec(make_clip(tmp_path / "a.mp4")))
    assert source.describe() is None
    frames = read_all(source)
    assert numbers(frames) == list(range(30))
    assert [frame.stamp.seq for frame in frames] == list(range(30))
    assert [round(frame.stamp.mono_ns * 30 / 1e9) for frame in frames] == list(range(30))
    info = source.describe()
    assert info is not None
    assert (info.codec, info.size, info.pixel_format, info.fps, info.note) == ("h264", Size(320, 240), "yuv420p", 30.0, "")
    stats = source.stats()
    assert (stats.decoded, stats.selected, stats.dropped, stats.corrupt, stats.stream_fps) == (30, 30, 0, 0, 30.0)
    assert source.expected_frames == 30


def test_planes_cannot_be_written(tmp_path: Path) -> None:
    frames = read_all(make_footage(spec(make_clip(tmp_path / "a.mp4", frames=2))))
    for plane in frames[0].planes:
        with pytest.raises(ValueError, match="read-only"):
            plane[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            plane.flags.writeable = True


def test_frames_stay_as_they_were_after_the_source_is_closed(tmp_path: Path) -> None:
    frames = read_all(make_footage(spec(make_clip(tmp_path / "a.mp4", frames=60))))
    assert numbers(frames) == list(range(60)), "a plane was reused by the decoder"


@pytest.mark.parametrize("bframes", ["0", "3"])
@pytest.mark.parametrize(("fps", "every"), [(10, 3), (7.5, 4), (30, 1), (2, 15)])
def test_fps_selects_the_same_frames_with_and_without_b_frames(tmp_path: Path, bframes: str, fps: float, every: int) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=90, options={"bf": bframes, "g": "45"})
    source = make_footage(spec(clip, fps))
    frames = read_all(source)
    assert numbers(frames) == list(range(0, 90, every))
    assert source.stats().decoded == 90, "skipped pictures count as seen"
    assert source.stats().selected == len(frames) == source.expected_frames


def test_unwanted_b_frames_are_not_decoded(tmp_path: Path) -> None:
    options = {"bf": "3", "g": "250", "preset": "fast", "crf": "14"}
    clip = make_clip(tmp_path / "a.mp4", frames=90, size=(960, 540), options=options)

    def cpu_s(fps: float) -> float:
        began = time.thread_time()
        read_all(make_footage(spec(clip, fps)))
        return time.thread_time() - began

    cpu_s(1000)
    assert min(cpu_s(10) for _ in range(2)) < 0.95 * min(cpu_s(1000) for _ in range(2))


def test_variable_rate_is_selected_by_time(tmp_path: Path) -> None:
    times = [0, 10, 20, 95, 120, 130, 250, 251, 400, 1000, 1033, 1066, 1100, 3000]
    clip = make_clip(tmp_path / "vfr.mkv", times_ms=times)
    frames = read_all(make_footage(spec(clip, 10)))
    assert numbers(frames) == [0, 4, 6, 8, 9, 12, 13]
    assert [frame.stamp.mono_ns // MS for frame in frames] == [0, 120, 250, 400, 1000, 1100, 3000]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_degrees_clockwise(tmp_path: Path, degrees: int) -> None:
    frame = read_all(make_footage(spec(rotate_clockwise(make_clip(tmp_path / "a.mp4", frames=2), degrees))))[0]
    assert frame.rotation == degrees
    assert frame.size == (320, 240)
    assert frame.upright == ((240, 320) if degrees in (90, 270) else (320, 240))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg to compare with")
def test_rotation_agrees_with_a_player(tmp_path: Path) -> None:
    clip = rotate_clockwise(make_clip(tmp_path / "a.mp4", frames=1), 90)
    frame = read_all(make_footage(spec(clip)))[0]
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-f", "rawvideo", "-pix_fmt", "gray", "-frames:v", "1", "-"]
    shown = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8).reshape(320, 240)
    turned = np.rot90(frame.planes[0], -frame.rotation // 90)
    # ffmpeg's gray is full range
    assert np.abs(shown.astype(int) - (turned.astype(int) - 16) * 255 / 219).max() < 3


ODD = Size(641, 361)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "expected"),
    [
        ("yuv420p", "libx264", PixelFormat.YUV420P),
        ("yuvj420p", "mjpeg", PixelFormat.YUV420P),
        ("yuv422p", "libx264", PixelFormat.YUV422P),
        ("yuv420p10le", "libx264", PixelFormat.YUV420P10),
        ("yuv420p", "ffv1", PixelFormat.YUV420P),
        ("yuv422p", "ffv1", PixelFormat.YUV422P),
        ("yuv420p10le", "ffv1", PixelFormat.YUV420P10),
        ("gray", "libx264", PixelFormat.YUV420P),  # FFmpeg's decoder adds grey chroma
        ("gray", "ffv1", PixelFormat.GRAY8),
        ("bgr24", "rawvideo", PixelFormat.BGR24),
        ("nv12", "rawvideo", PixelFormat.NV12),
        ("yuyv422", "rawvideo", PixelFormat.YUYV),
        ("yuv444p", "libx264", PixelFormat.YUV422P),
        ("yuv422p10le", "libx264", PixelFormat.YUV420P10),
        ("rgb24", "rawvideo", PixelFormat.BGR24),
        ("gray10le", "ffv1", PixelFormat.GRAY8),
    ],
)
def test_pixel_formats_and_odd_sizes(tmp_path: Path, pix_fmt: str, codec: str, expected: PixelFormat, caplog: pytest.LogCaptureFixture) -> None:
    even = codec == "libx264" and pix_fmt.startswith("yuv42")  # x264 refuses odd sizes with halved chroma; the others need not
    size = Size(640, 360) if even else ODD
    suffix = ".nut" if codec == "rawvideo" else ".mkv"
    clip = make_clip(tmp_path / f"a{suffix}", frames=5, size=size, codec=codec, pix_fmt=pix_fmt)
    source = make_footage(spec(clip))
    frames = read_all(source)
    assert len(frames) == 5
    assert {frame.format for frame in frames} == {expected}
    assert {frame.size for frame in frames} == {size}
    half = ((size.height + 1) // 2, (size.width + 1) // 2)
    shapes = {
        PixelFormat.YUV420P: [size[::-1], half, half],
        PixelFormat.YUV420P10: [size[::-1], half, half],
        PixelFormat.YUV422P: [size[::-1], (size.height, half[1]), (size.height, half[1])],
        PixelFormat.NV12: [size[::-1], (*half, 2)],
        PixelFormat.YUYV: [(size.height, half[1], 4)],
        PixelFormat.BGR24: [(*size[::-1], 3)],
        PixelFormat.GRAY8: [size[::-1]],
    }[expected]
    assert [plane.shape for plane in frames[0].planes] == shapes
    luma = [frame.planes[0] for frame in frames]
    if expected is PixelFormat.YUYV:
        luma = [plane[:, :, ::2].reshape(size.height, -1) for plane in luma]
    if expected is PixelFormat.BGR24:
        luma = [plane[:, :, 0] for plane in luma]
    assert [number_of(plane) for plane in luma] == list(range(5))
    converted = pix_fmt in ("yuv444p", "yuv422p10le", "rgb24", "gray10le")
    info = source.describe()
    assert info is not None
    assert bool(info.note) == converted
    read_all(source)
    said = [record for record in caplog.records if "converted" in record.message]
    assert len(said) == converted, "said once, however often it is opened"


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("codec", ["libx264", "ffv1"])  # the one says so by a pixel format of its own (yuvj444p), the other by a flag
def test_conversion_keeps_luma_and_range(tmp_path: Path, codec: str, full_range: bool) -> None:
    options = {"qp": "0"} if codec == "libx264" else {}
    clips = {
        pix_fmt: make_clip(tmp_path / f"{pix_fmt}.mkv", frames=1, codec=codec, pix_fmt=pix_fmt, options=options, full_range=full_range)
        for pix_fmt in ("yuv444p", "yuv422p")
    }
    converted, plain = (read_all(make_footage(spec(clip)))[0] for clip in clips.values())
    assert converted.format is plain.format is PixelFormat.YUV422P
    assert converted.color == plain.color == ColorSpec(Matrix.BT601, full_range=full_range)
    assert np.array_equal(converted.planes[0], plain.planes[0])
    assert number_of(converted.planes[0]) == 0


def test_metadata_in_another_encoding_is_no_reason_to_refuse(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=2, metadata={"title": "Strasse mit Kamera"})
    data = clip.read_bytes()
    assert b"Strasse" in data
    clip.write_bytes(data.replace(b"Strasse", b"Stra\xdfe\xff"))
    assert len(read_all(make_footage(spec(clip)))) == 2


@pytest.mark.parametrize(
    ("options", "size", "color"),
    [
        ({}, (320, 240), ColorSpec(Matrix.BT601, full_range=False)),
        ({}, (1280, 720), ColorSpec(Matrix.BT709, full_range=False)),
        ({"x264-params": "colormatrix=bt709"}, (320, 240), ColorSpec(Matrix.BT709, full_range=False)),
        ({"x264-params": "colormatrix=smpte170m:fullrange=on"}, (1280, 720), ColorSpec(Matrix.BT601, full_range=True)),
        ({"x264-params": "colormatrix=bt2020nc"}, (320, 240), ColorSpec(Matrix.BT2020, full_range=False)),
    ],
)
def test_color_is_what_the_stream_says_else_what_players_assume(
    tmp_path: Path, options: dict[str, str], size: tuple[int, int], color: ColorSpec
) -> None:
    assert read_all(make_footage(spec(make_clip(tmp_path / "a.mp4", frames=1, size=size, options=options))))[0].color == color


def test_truncated_mp4_gives_what_is_there(tmp_path: Path) -> None:
    clip = cut(make_clip(tmp_path / "a.mp4", frames=90, container_options={"movflags": "faststart"}), 0.6)
    source = make_footage(spec(clip))
    seen = numbers(read_all(source))
    assert 30 < len(seen) < 85
    assert seen[:30] == list(range(30))
    assert source.stats().corrupt >= 1


def test_mpegts_cut_at_both_ends_gives_what_can_be_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.ts", frames=90)
    data = clip.read_bytes()
    clip.write_bytes(data[len(data) // 5 + 77 : -101])
    source = make_footage(spec(clip))
    seen = numbers(read_all(source))
    assert 50 < len(seen) < 85
    assert seen == sorted(seen)


def test_damage_in_the_middle_is_counted_and_passed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.ts", frames=90)
    data = bytearray(clip.read_bytes())
    rng = np.random.default_rng(0)
    middle = len(data) // 2
    data[middle : middle + 4000] = rng.integers(0, 256, 4000, np.uint8).tobytes()
    clip.write_bytes(bytes(data))
    source = make_footage(spec(clip))
    frames = read_all(source)
    assert source.stats().corrupt > 0
    assert numbers(frames)[-1] == 89, "the end is read although the middle is broken"
    times = [frame.stamp.mono_ns for frame in frames]
    assert all(after > before for before, after in itertools.pairwise(times))


def test_header_that_lies_about_the_number_of_frames_does_no_harm(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.avi", frames=20, codec="mpeg4")
    data = bytearray(clip.read_bytes())
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, 4_000_000)  # dwTotalFrames
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 4_000_000)  # dwLength
    clip.write_bytes(bytes(data))
    source = make_footage(spec(clip))
    assert numbers(read_all(source)) == list(range(20))
    assert source.expected_frames is None or source.expected_frames > 20


def _audio(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return path


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b""), "found an empty one"),
        (lambda path: path.write_bytes(np.random.default_rng(3).integers(0, 256, 50_000, np.uint8).tobytes()), "expected a video"),
        (lambda path: path.write_text("not a video at all\n" * 100), "expected a video"),
        (lambda path: path.mkdir(), "found a folder"),
        (lambda path: None, "No such file"),
        (_audio, r"expected a video stream, found audio \(pcm_s16le\)"),
        (lambda path: cut(make_clip(path.with_name("x.mp4")), 0.6).rename(path), "is it complete"),
    ],
    ids=["empty", "garbage", "text", "folder", "missing", "audio only", "index cut off"],
)
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, make: object, why: str) -> None:
    path = tmp_path / "broken.mp4"
    assert callable(make)
    make(path)
    for source in (make_footage(spec(path)), make_source(spec(path))):
        with pytest.raises(Unsupported, match=why) as refusal:
            source.open()
        assert str(path) in str(refusal.value)
        source.close()
