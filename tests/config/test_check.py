"""What a config needs of the world: missing, broken or mismatching things, found without starting anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge_runtime.config.check import bundle_of, problems, require_sound
from edge_runtime.config.load import load
from edge_runtime.errors import ConfigError
from tests.config.street import GOOD, furnish, line_of, make_bundle, problems_of

NORTH = 'camera "main-st-n"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path, monkeypatch)
    make_bundle(tmp_path / "street-nano")
    return tmp_path


def found(folder: Path, text: str) -> list[str]:
    """The problems with a file of this text, as a user reads them, without the folder's own name."""
    file = folder / "device.toml"
    file.write_text(text)
    return [str(problem).replace(str(folder), "") for problem in problems(load(file))]


def test_problems_of_a_good_config_are_none(folder: Path) -> None:
    assert found(folder, GOOD) == []
    require_sound(load(folder / "device.toml"))
    config = load(folder / "device.toml").config
    assert bundle_of(config, config.model[0]).manifest.identity == "street-nano@1.2.0"


def test_require_sound_raises_everything_at_once(folder: Path) -> None:
    (folder / "device.toml").write_text(GOOD.replace('"bus"', '"buss"').replace('"spool.db"', '"gone/spool.db"'))
    with pytest.raises(ConfigError) as caught:
        require_sound(load(folder / "device.toml"))
    assert len(caught.value.problems) == 2


def test_class_that_the_model_does_not_know_is_suggested(folder: Path) -> None:
    text = GOOD.replace('"bus"]', '"buss", "zebra"]')
    line = line_of(text, "classes")
    assert found(folder, text) == [
        f'/device.toml:{line}: {NORTH}: classes[1] = "buss": no class of street-nano@1.2.0: did you mean "bus"?',
        f'/device.toml:{line}: {NORTH}: classes[2] = "zebra": no class of street-nano@1.2.0: it knows car, bus, truck',
    ]


def test_bundle_that_is_missing_says_where_it_was_looked_for(folder: Path) -> None:
    text = GOOD.replace('"street-nano"', '"street-mini"')
    (said,) = found(folder, text)
    assert said.startswith(f'/device.toml:{line_of(text, "street-mini")}: model "street": bundle = "street-mini": no bundle')
    assert "/street-mini" in said


def test_bundle_that_is_broken_says_what_is_wrong_inside(folder: Path) -> None:
    manifest = folder / "street-nano" / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('family = "yolox"', 'family = "yolo99"'))
    first, second = found(folder, GOOD)
    assert f'/device.toml:{line_of(GOOD, "street-nano")}: model "street": bundle = "street-nano"' in first + second
    assert "/street-nano/manifest.toml:" in first + second
    assert "yolo99" in first + second


def test_model_that_was_swapped_is_found(folder: Path) -> None:
    (folder / "street-nano" / "model.onnx").write_bytes(b"others")
    (said,) = found(folder, GOOD)
    assert "sha256" in said


def test_camera_with_a_model_that_detects_nothing_is_refused(folder: Path) -> None:
    manifest = folder / "street-nano" / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('task = "detect"', 'task = "classify"'))
    assert all("a camera needs a detector" in each for each in found(folder, GOOD))
    assert len(found(folder, GOOD)) == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("clip.mp4", "there is no such file"),
        ("gone/clip.mp4?loop=1", "nor a folder"),
        (".", "is a folder"),
        ("file:clip.mp4", "there is no such file"),
    ],
)
def test_footage_that_is_not_there_is_found(source: str, words: str, folder: Path) -> None:
    text = GOOD.replace("v4l2:/dev/video0", source)
    (said,) = found(folder, text)
    assert said.startswith(f'/device.toml:{line_of(text, f"source = {chr(34)}{source}")}: camera "side": source = ')
    assert words in said
    (folder / "clip.mp4").touch()
    assert found(folder, GOOD.replace("v4l2:/dev/video0", "clip.mp4?loop=1")) == []


@pytest.mark.parametrize(("path", "words"), [("gone/spool.db", "mkdir -p /gone"), ("street-nano", "is a folder")])
def test_spool_that_cannot_be_is_found(path: str, words: str, folder: Path) -> None:
    text = GOOD.replace('"spool.db"', f'"{path}"')
    (said,) = found(folder, text)
    assert said.startswith(f"/device.toml:{line_of(text, '[spool]') + 1}: [spool]: path = ")
    assert words in said


def test_provider_that_is_absent_is_refused(folder: Path) -> None:
    text = GOOD.replace('threads = "auto"', 'providers = ["coreml", "cpu"]')
    (said,) = found(folder, text)
    assert said.startswith(
        f'/device.toml:{line_of(text, "providers")}: model "street": providers[0] = "coreml": the ONNX Runtime that is installed here has only cpu'
    )


# -- TLS -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates with their keys."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("a", "b"):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", f"/CN={name}"]
        subprocess.run(
            [*command, "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")], check=True, capture_output=True, timeout=30
        )
        (folder / f"{name}.key").chmod(0o600)
    (folder / "junk.pem").write_text("no certificate")
    return folder


def tls(pairs: Path, ca: str, cert: str, key: str) -> str:
    return GOOD.replace('protocol = "5"', f'ca = "{pairs / ca}"\ncert = "{pairs / cert}"\nkey = "{pairs / key}"')


def test_tls_pair_that_fits_is_sound(pairs: Path, folder: Path) -> None:
    assert found(folder, tls(pairs, "a.pem", "a.pem", "a.key")) == []


@pytest.mark.parametrize(
    ("ca", "cert", "key", "at", "words"),
    [
        ("gone.pem", "a.pem", "a.key", "ca =", "there is no such file"),
        ("a.pem", "gone.pem", "a.key", "cert =", "there is no such file"),
        ("junk.pem", "a.pem", "a.key", "ca =", "no certificate in PEM form"),
        ("a.pem", "a.pem", "b.key", "cert =", "the key do not work together"),
        ("a.pem", "junk.pem", "a.key", "cert =", "the key do not work together"),
    ],
)
def test_tls_files_that_do_not_fit_are_found(ca: str, cert: str, key: str, at: str, words: str, pairs: Path, folder: Path) -> None:
    text = tls(pairs, ca, cert, key)
    (said,) = found(folder, text)
    assert said.startswith(f"/device.toml:{line_of(text, at)}: [mqtt]: {at[:-2]}")
    assert words in said


def test_tls_key_that_others_can_read_is_refused(pairs: Path, folder: Path) -> None:
    key = folder / "open.key"
    key.write_bytes((pairs / "a.key").read_bytes())
    key.chmod(0o644)
    text = tls(pairs, "a.pem", "a.pem", str(key))
    (said,) = found(folder, text)
    assert f"/device.toml:{line_of(text, 'key =')}: [mqtt]: key: others can read" in said
    assert "chmod 600" in said


def test_load_with_a_typing_error_tells_of_missing_files_too(folder: Path) -> None:
    text = GOOD.replace("fps = 10", "fsp = 10").replace('"bus"', '"buss"').replace("v4l2:/dev/video0", "gone.mp4")
    (folder / "device.toml").write_text(text)
    lines = [problem.line for problem in problems_of(folder / "device.toml")]
    assert lines == [line_of(text, words) for words in ("fsp", "buss", "gone.mp4")]
