"""RTSP over TLS with a certificate that the camera signed itself, as they do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge_runtime.errors import Disconnected, Unsupported
from edge_runtime.options import Secret
from edge_runtime.sources import make_capture
from edge_runtime.sources.isolated import IsolatedSource
from tests.peers.rtsp import RtspServer, missing
from tests.sources.clips import number_of
from tests.sources.observing import frames_of, opened, spec

pytestmark = pytest.mark.system
USER, PASSWORD = "viewer", "s3cret-word"


@pytest.fixture(scope="module")
def encrypted(street: Path, certificate: Path) -> Iterator[RtspServer]:
    if missing():
        pytest.skip(missing())
    with RtspServer({"/street": street}, user=USER, password=PASSWORD, certificate=certificate) as server:
        yield server


def test_frames_come_over_tls_alone_whatever_transport_is_wanted(encrypted: RtspServer) -> None:
    wanted = spec(encrypted.url("/street"), username=USER, password=Secret(PASSWORD), transport="udp")
    assert wanted.url.startswith("rtsps://")
    with opened(wanted) as source:
        frames = frames_of(source, 20)
        assert [frame.stamp.seq for frame in frames] == sorted({frame.stamp.seq for frame in frames})
        links = psutil.Process(source.child_pid).net_connections("inet")
        assert [(link.raddr.port, link.status) for link in links] == [(encrypted.port, psutil.CONN_ESTABLISHED)], "pictures go another way"
        assert source.stats().corrupt == 0


def test_frames_come_over_tls_in_this_process(encrypted: RtspServer) -> None:
    source = make_capture(spec(encrypted.url("/street"), username=USER, password=Secret(PASSWORD)))
    source.open()
    numbers = [number_of(frame.planes[0]) for _ in range(10) if (frame := source.read(1)) is not None]
    source.close()
    assert set(np.diff(numbers) % 120) == {1}


def test_wrong_password_is_told_over_tls_too(encrypted: RtspServer) -> None:
    with pytest.raises(Unsupported, match="refuses username or password") as refusal:
        IsolatedSource(spec(encrypted.url("/street"), username=USER, password=Secret("wr0ng-word"))).open()
    assert "wr0ng-word" not in str(refusal.value)


def test_no_tls_where_it_is_wanted_fails_instead_of_going_on_in_plain_text(camera: RtspServer) -> None:
    source = IsolatedSource(spec(camera.url("/street").replace("rtsp://", "rtsps://")))
    with pytest.raises(Disconnected, match=r"rtsps://.*does the camera speak TLS on this port\? without it the address begins with rtsp://"):
        source.open()
    assert source.describe() is None


def test_plain_rtsp_to_a_port_that_speaks_tls_fails(encrypted: RtspServer) -> None:
    with pytest.raises(Disconnected, match="expected a video stream, found something else"):
        make_capture(spec(f"rtsp://127.0.0.1:{encrypted.port}/street")).open()
