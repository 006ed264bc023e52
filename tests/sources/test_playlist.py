"""Live HLS playlists, made by FFmpeg and served behind a login."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import Disconnected
from edge_runtime.options import Secret
from edge_runtime.sources import SourceSpec
from edge_runtime.sources.isolated import IsolatedSource
from tests.peers.web import WebCamera
from tests.sources.observing import eventually, failure_of, frames_of, opened, reconnected, spec

FFMPEG = shutil.which("ffmpeg")
pytestmark = [pytest.mark.system, pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg to make a live playlist with")]
LOGIN = ("viewer", "s3cret-word")
PIECE_S = 1.0


@pytest.fixture
def playlist(tmp_path: Path) -> Iterator[WebCamera]:
    with WebCamera(folder=tmp_path, login=LOGIN) as server:
        yield server


@contextmanager
def encoder(clip: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A live playlist of three pieces, a second each, until it is ended; SIGTERM makes it write the end into the playlist."""
    assert FFMPEG is not None
    source = [FFMPEG, "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip), "-c", "copy"]
    pieces = ["-f", "hls", "-hls_time", str(PIECE_S), "-hls_list_size", "3", "-hls_flags", "delete_segments+temp_file"]
    process = subprocess.Popen([*source, *pieces, str(folder / "live.m3u8")])
    try:
        assert eventually(lambda: len(list(folder.glob("*.ts"))) >= 2, 15), "no pieces"
        yield process
    finally:
        process.kill()
        process.wait(5)


def wanted(server: WebCamera, **others: object) -> SourceSpec:
    return spec(server.url("/live/live.m3u8"), username=LOGIN[0], password=Secret(LOGIN[1]), fps=10, **others)


def test_pieces_are_played_out_evenly_and_nothing_is_lost(playlist: WebCamera, street: Path, tmp_path: Path) -> None:
    with encoder(street, tmp_path), opened(wanted(playlist)) as source:
        frames = frames_of(source, 40)
        read_ms = np.diff([frame.stamp.mono_ns for frame in frames]) / 1e6
        assert np.median(read_ms) == pytest.approx(100, abs=15)
        assert source.stats().dropped <= 4, "what came in one piece was dropped as old"
        assert 0 <= time.monotonic_ns() - frames[-1].stamp.mono_ns < 4e9
        assert source.stats().stream_fps == pytest.approx(30, rel=0.1)


def test_ended_playlist_disconnects_and_a_new_one_is_taken_up(playlist: WebCamera, street: Path, tmp_path: Path) -> None:
    with encoder(street, tmp_path) as first, opened(wanted(playlist)) as source:
        frames_of(source, 3)
        first.terminate()
        assert "the far end ended the stream" in str(failure_of(source))
        with pytest.raises(Disconnected, match="the playlist has ended"):
            source.open()
        for file in tmp_path.iterdir():
            file.unlink()
        with encoder(street, tmp_path):
            reconnected(source)
            assert frames_of(source, 3)


def test_playlist_of_a_dead_encoder_gives_no_old_pictures_again(playlist: WebCamera, street: Path, tmp_path: Path) -> None:
    with encoder(street, tmp_path) as process:
        process.kill()
        process.wait(5)
    source = IsolatedSource(wanted(playlist, stall_s=2))
    source.open()
    error = failure_of(source)
    assert isinstance(error, Disconnected)
    assert source.stats().decoded > 0
    assert source.stats().selected == 0


def test_missing_playlist_says_so(playlist: WebCamera) -> None:
    with pytest.raises(Disconnected, match="404 Not Found"):
        IsolatedSource(wanted(playlist)).open()
