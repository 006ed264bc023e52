"""Films: complete with their times and colours, or not there at all."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from edge_runtime.errors import CannotStart
from edge_runtime.present.picture import to_bgr
from edge_runtime.sources.film import Film
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size
from tests import naive_image

COLOURS = ((40, 40, 220), (40, 200, 40), (220, 60, 40), (180, 180, 180))  # B, G, R


def picture(width: int, height: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def left(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def played(path: Path) -> tuple[list[float], list[np.ndarray], av.video.stream.VideoStream]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return [frame.time for frame in frames], [shown(frame) for frame in frames], stream


def shown(frame: av.VideoFrame) -> np.ndarray:
    """What a player that believes the file's tags shows: BT.709, limited range."""
    planes = tuple(np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width].copy() for p in frame.planes)
    return to_bgr(Frame(naive_image.stamp(), planes, PixelFormat.YUV420P, ColorSpec(Matrix.BT709), Size(frame.width, frame.height)), ())


@pytest.mark.parametrize(("width", "height"), [(64, 48), (65, 49), (640, 360)])
def test_write_gives_back_pictures_and_times(tmp_path, width, height):
    path = tmp_path / "out.mp4"
    times_ns = [5_000_000_000, 5_100_000_000, 5_350_000_000, 5_400_000_000]
    with Film(path, 10) as film:
        for colour, at_ns in zip(COLOURS, times_ns, strict=True):
            film.write(picture(width, height, colour), at_ns)
    seconds, pictures, stream = played(path)
    np.testing.assert_allclose(seconds, [0.0, 0.1, 0.35, 0.4], atol=1e-3)
    for each, colour in zip(pictures, COLOURS, strict=True):
        assert each.shape[:2] == (height + height % 2, width + width % 2)
        assert np.abs(each[:height, :width].astype(int) - colour).max() <= 12  # 4:2:0 and quantisation of flat colours
    assert stream.codec_context.name == "h264"
    assert stream.codec_context.colorspace == 1 and stream.codec_context.color_range == 1
    assert left(tmp_path) == ["out.mp4"]


def test_write_without_x264_says_so_and_writes_mpeg4(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with caplog.at_level(logging.WARNING), Film(tmp_path / "out.mp4", 12.5) as film:
        for number, colour in enumerate(COLOURS):
            film.write(picture(64, 48, colour), number * 80_000_000)
    seconds, pictures, stream = played(tmp_path / "out.mp4")
    assert stream.codec_context.name == "mpeg4"
    assert "no libx264" in caplog.text
    assert len(pictures) == 4
    np.testing.assert_allclose(seconds, [0.0, 0.08, 0.16, 0.24], atol=1e-3)


def test_write_takes_times_that_stand_still(tmp_path):
    path = tmp_path / "out.mp4"
    with Film(path, 10) as film:
        for colour in COLOURS:
            film.write(picture(64, 48, colour), 1_000)
    seconds, pictures, _ = played(path)
    assert len(pictures) == 4
    assert seconds == sorted(set(seconds))


def test_error_leaves_nothing_and_keeps_what_was_there(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"an older film")
    with pytest.raises(RuntimeError, match="in between"), Film(path, 10) as film:
        film.write(picture(64, 48, COLOURS[0]), 0)
        raise RuntimeError("in between")
    assert path.read_bytes() == b"an older film"
    assert left(tmp_path) == ["out.mp4"]


def test_write_refuses_another_size(tmp_path):
    with pytest.raises(ValueError, match="the film is 64×48, this picture 66×48"), Film(tmp_path / "out.mp4", 10) as film:
        film.write(picture(64, 48, COLOURS[0]), 0)
        film.write(picture(66, 48, COLOURS[0]), 1)
    assert left(tmp_path) == []


def test_film_without_pictures_is_no_file(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), Film(tmp_path / "out.mp4", 10):
        pass
    assert left(tmp_path) == []
    assert "no picture came" in caplog.text


def test_write_where_no_file_can_be(tmp_path):
    with pytest.raises(CannotStart, match="cannot be written here"), Film(tmp_path / "missing" / "out.mp4", 10) as film:
        film.write(picture(64, 48, COLOURS[0]), 0)


FILM_WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
import numpy as np
from edge_runtime.errors import CannotStart
from edge_runtime.sources.film import Film

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
rng = np.random.default_rng(0)
try:
    with Film(Path(sys.argv[1]), 10) as film:
        for number in range(int(sys.argv[3])):
            film.write(rng.integers(0, 256, (240, 320, 3), np.uint8), number * 100_000_000)
except CannotStart as error:
    print(error)
"""


@pytest.mark.parametrize(("room", "pictures"), [(100_000, 80), (1000, 3)])
def test_disk_that_refuses_leaves_nothing(tmp_path, room, pictures):
    """The kernel itself refuses to let the file grow: while pictures come, and only at the very end."""
    arguments = [sys.executable, "-c", FILM_WITHOUT_ROOM, str(tmp_path / "out.mp4"), str(room), str(pictures)]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert "out.mp4: the film cannot be written" in said.stdout, said.stderr
    assert said.returncode == 0
    assert left(tmp_path) == []
