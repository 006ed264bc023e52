"""A good file becomes the config that it says, and mangled ones never become anything but problems."""

from __future__ import annotations

import dataclasses
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.config.load import load
from edge_runtime.errors import ConfigError
from tests.config.street import BROKER_SECRET, CAMERA_SECRET, GOOD, furnish, line_of, problems_of


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path, monkeypatch)
    path = tmp_path / "device.toml"
    path.write_text(GOOD)
    return path


def test_load_good_file_is_what_it_says(file: Path) -> None:
    config = load(file).config
    main, side = config.camera
    assert (config.device.site, config.device.node, config.device.location) == ("north", "cam-017", (-4.728, 41.655))
    assert (config.device.health_s, main.interval_s, config.spool.max_age_s) == (10.0, 300.0, 604800.0)
    assert (config.spool.max_bytes, config.spool.path, config.file) == (256_000_000, file.parent / "spool.db", file)
    assert (main.fps, type(main.fps), main.classes, main.stall_s) == (10.0, float, ("car", "bus"), 10.0)
    assert main.line[0].points == ((0.06, 0.69), (0.73, 0.69))
    assert main.mask == (((0.0, 0.0), (0.2, 0.0), (0.2, 0.3)),)
    assert (main.zone[0].size, main.zone[0].measure) == ((640, 360), ("occupancy",))
    assert (side.classes, side.line, side.password) == (None, (), None)
    assert config.model[0].threads == "auto"
    assert config.mqtt.url == "mqtts://broker.city.example:8883"
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.device.site = "other"  # type: ignore[misc]


def test_load_relative_file_name_resolves_against_its_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    loaded = load(Path("device.toml"))
    assert loaded.config.spool.path == file.parent / "spool.db"
    assert loaded.name == "device.toml"


def test_loaded_knows_where_things_stand(file: Path) -> None:
    loaded = load(file, ["camera.side.fps=3"])
    assert loaded.line_of("camera", 0, "line", 0, "points") == line_of(GOOD, "points")
    assert loaded.line_of("camera", 0, "line", 0, "backward") == line_of(GOOD, "[[camera.line]]")
    assert loaded.line_of("camera", 1, "fps") == 0
    assert loaded.was_written("mqtt", "url")
    assert not loaded.was_written("mqtt", "ca")
    assert str(loaded.problem(("camera", 0, "zone", 0, "polygon", 2), "odd")).endswith(
        f'device.toml:{line_of(GOOD, "polygon")}: camera "main-st-n": zone "stop": polygon[2]: odd'
    )


def test_load_empty_file_asks_for_the_device(tmp_path: Path) -> None:
    (tmp_path / "device.toml").touch()
    (problem,) = problems_of(tmp_path / "device.toml")
    assert problem.message == "[device] is missing: expected it with site and node"


def test_load_least_file_has_defaults_for_all_the_rest(tmp_path: Path) -> None:
    (tmp_path / "device.toml").write_text('[device]\nsite = "a"\nnode = "b"\n')
    config = load(tmp_path / "device.toml").config
    assert (config.mqtt.url, config.log.level, config.camera, config.privacy.mode) == ("mqtt://127.0.0.1:1883", "info", (), "strict")


def test_load_far_too_many_cameras_is_one_problem(tmp_path: Path) -> None:
    text = '[device]\nsite = "a"\nnode = "b"\n' + "[[camera]]\nx=1\n" * 4097
    (tmp_path / "device.toml").write_text(text)
    (problem,) = problems_of(tmp_path / "device.toml")
    assert "expected at most 4096 values, found 4097" in problem.message


def test_load_polygon_of_very_many_corners_is_refused_at_once(tmp_path: Path) -> None:
    corners = ", ".join(f"[{0.5 + i / 9000}, {(i * 7 % 1000) / 1000}]" for i in range(300))
    text = f'[device]\nsite = "a"\nnode = "b"\n[[camera]]\nname = "c"\nsource = "v4l2:/dev/video0"\nmodel = "m"\nmask = [[{corners}]]\n'
    (tmp_path / "device.toml").write_text(text)
    assert any("300 corners: expected at most 256" in problem.message for problem in problems_of(tmp_path / "device.toml"))


# -- mangled files ---------------------------------------------------------------------------------------------------------------

LINES = GOOD.split("\n")
VALUES = st.sampled_from([
    "1", "-1", "0", "1.5", "nan", "inf", "-inf", "true", '""', '"x"', '"5m"', "[]", "[[]]", "{}", "{ file = 5 }", "[[0.1, 0.2], [0.3]]",
    "{ env = [] }", "2026-11-05", "10:00:00", "9" * 400, '"' + "a" * 5000 + '"', r'"\u0000"', "[[[]]]", "[nan, nan]", '"rtsp://u:p@h"', "[{}]",
    "[1, 'a', {}]",
])  # fmt: skip
KEYS = st.sampled_from([*(line.split("=")[0].strip() for line in LINES if "=" in line), "", "x", "a.b", '"q"', "mask.x"])
HEADERS = st.sampled_from([line.strip() for line in LINES if line.strip().startswith("[") and "=" not in line] + ["[x]", "[[mqtt]]", "[camera.line]"])
POSITION = st.integers(0, len(LINES) - 1)
EDITS = st.one_of(
    st.tuples(st.just("delete"), POSITION),
    st.tuples(st.just("repeat"), POSITION, POSITION),
    st.tuples(st.just("swap"), POSITION, POSITION),
    st.tuples(st.just("value"), POSITION, VALUES),
    st.tuples(st.just("insert"), POSITION, st.one_of(HEADERS, st.tuples(KEYS, VALUES).map(" = ".join))),
    st.tuples(st.just("cut"), POSITION, st.integers(0, 40)),
)


def edit(lines: list[str], change: tuple[Any, ...]) -> None:
    what, at, *more = change
    at = min(at, len(lines) - 1)
    if what == "delete" and len(lines) > 1:
        del lines[at]
    elif what == "repeat":
        lines.insert(min(more[0], len(lines)), lines[at])
    elif what == "swap":
        other = min(more[0], len(lines) - 1)
        lines[at], lines[other] = lines[other], lines[at]
    elif what == "value" and "=" in lines[at]:
        lines[at] = lines[at].partition("=")[0] + "= " + more[0]
    elif what == "insert":
        lines.insert(at, more[0])
    elif what == "cut":
        lines[at] = lines[at][: more[0]]


@pytest.fixture(scope="module")
def mangled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("mangled")
    with pytest.MonkeyPatch.context() as patch:
        furnish(folder, patch)
        yield folder / "device.toml"


def loads_or_says_why(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    try:
        load(file)
    except ConfigError as error:
        assert error.problems
        count = data.count(b"\n") + 1
        for problem in error.problems:
            assert problem.message
            assert 0 <= problem.line <= count
            assert len(str(problem)) < 2000
        assert BROKER_SECRET not in str(error)
        assert CAMERA_SECRET not in str(error)


@given(st.lists(EDITS, min_size=1, max_size=8))
@settings(max_examples=150)
def test_load_of_an_edited_file_loads_or_says_why(mangled: Path, edits: list[tuple[Any, ...]]) -> None:
    lines = list(LINES)
    for change in edits:
        edit(lines, change)
    loads_or_says_why(mangled, "\n".join(lines).encode())


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=6), st.integers(0, 9)), min_size=1, max_size=4))
@settings(max_examples=150)
def test_load_of_a_damaged_file_loads_or_says_why(mangled: Path, damages: list[tuple[int, bytes, int]]) -> None:
    data = GOOD.encode()
    for at, junk, lost in damages:
        data = data[:at] + junk + data[at + lost :]
    loads_or_says_why(mangled, data)


@given(
    st.lists(st.tuples(KEYS, st.text(string.printable, max_size=20)).map("=".join), max_size=3),
    st.sampled_from(["", "camera.side.", "mqtt.", "camera.main-st-n.line.lane1."]),
)
def test_load_of_any_override_loads_or_says_why(mangled: Path, overrides: list[str], prefix: str) -> None:
    mangled.write_text(GOOD)
    try:
        load(mangled, [prefix + each for each in overrides])
    except ConfigError as error:
        assert error.problems
