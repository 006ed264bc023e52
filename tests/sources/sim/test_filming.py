"""A street as a film with its truth, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.sources import street_options
from edge_runtime.sources.sim.__main__ import main
from edge_runtime.sources.sim.simulation import Simulation

pytestmark = pytest.mark.heavy

URL = "sim:road?seed=2&density=2&size=320x180&fps=10"


def test_film_has_a_picture_for_each_frame_of_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    assert main([URL, str(tmp_path / "road.mp4"), "--seconds", "3", "--truth", str(tmp_path / "truth")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'road.mp4'}: 30 pictures\n"
    with av.open(str(tmp_path / "road.mp4")) as container:
        pictures = list(container.decode(video=0))
    first = Simulation(street_options(URL), truthful=False).shot(0.0).picture
    assert np.abs(pictures[0].to_ndarray(format="bgr24").astype(int) - first).mean() < 8
    times = [picture.time for picture in pictures]
    assert times == pytest.approx([number / 10 for number in range(30)], abs=0.001)
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text())
    assert (truth["frames"], truth["fps"], truth["size"]) == (30, 10, [320, 180])
    rows = (tmp_path / "truth" / "gt.txt").read_text().splitlines()
    assert {int(row.split(",")[0]) for row in rows} == set(range(1, 31))


def test_film_lasts_as_long_as_the_url_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{URL}&seconds=0.5", str(tmp_path / "road.mp4")]) == 0
    assert "5 pictures" in capsys.readouterr().out
    assert main([f"{URL}&seconds=0.5", str(tmp_path / "road.mp4"), "--seconds", "0.2"]) == 0
    assert "2 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "says"),
    [("sim:raod", 'did you mean "road"'), ("sim:load?rate=5", "without pictures"), ("sim:road?seed=x", "expected a whole number")],
)
def test_film_of_what_is_no_street_says_why_and_leaves_nothing(url: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url, str(tmp_path / "road.mp4")]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_film_where_nothing_can_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{URL}&seconds=0.2", str(tmp_path / "absent" / "road.mp4")]) == 3
    assert "cannot be written here" in capsys.readouterr().err


def test_film_in_place_of_a_folder_is_refused_before_it_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{URL}&seconds=0.2", str(tmp_path)]) == 3
    assert "this is a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
