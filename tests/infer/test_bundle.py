"""Bundles: found by name, path or archive; loaded only when they are what they say; proven on their golden outputs."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer import archive
from edge_runtime.infer.bundle import (
    Bundle,
    find_bundle,
    largest_difference,
    load_bundle,
    search_path,
    shipped_models,
    verify_golden,
    write_golden,
)
from edge_runtime.infer.engine import Engine, EnginePlan
from edge_runtime.infer.modelfile import read_model
from tests.infer.tiny import LABELS


def test_load_reads_manifest_and_labels(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.manifest.labels == LABELS
    assert bundle.manifest.family == "yolox"
    assert bundle.model_path == folder / "model.onnx"


def test_load_imports_neither_onnx_nor_onnxruntime(folder: Path) -> None:
    import subprocess
    import sys

    code = f"import sys; from pathlib import Path; from edge_runtime.infer.bundle import load_bundle; load_bundle(Path({str(folder)!r}))\n"
    code += "assert not {'onnx', 'onnxruntime', 'numba', 'cv2', 'google.protobuf'} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_load_refuses_another_model_than_the_manifest_s(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as model:
        model.seek(100)
        model.write(b"\0")
    with pytest.raises(BundleError, match=r"not the model that manifest\.toml describes"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.toml", "labels.txt", "golden.npz"])
def test_load_says_which_file_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_load_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(tmp_path / "absent")


def test_model_that_is_a_link_is_refused(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "elsewhere")
    (folder / "model.onnx").symlink_to(folder / "elsewhere")
    with pytest.raises(BundleError, match="a symbolic link"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="a symbolic link"):
        read_model(folder / "model.onnx")


def test_model_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    with pytest.raises(BundleError, match="expected a plain file"):
        read_model(tmp_path / "model.onnx")


def test_model_that_is_empty_or_too_large_is_refused(tmp_path: Path) -> None:
    for size in (0, (1 << 29) + 1):
        with (tmp_path / "model.onnx").open("wb") as file:
            file.truncate(size)
        with pytest.raises(BundleError, match="bytes"):
            read_model(tmp_path / "model.onnx")


# -- finding ---------------------------------------------------------------------------------------------------------------------


def test_find_takes_paths_relative_to_the_config(folder: Path) -> None:
    assert find_bundle("tiny", folder.parent) == folder
    assert find_bundle(Path("../tiny"), folder).resolve() == folder
    assert find_bundle(folder, Path("/nowhere")) == folder


def test_find_looks_names_up_on_the_model_path(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", os.pathsep.join([str(tmp_path / "empty"), str(folder.parent)]))
    (tmp_path / "site").mkdir()
    assert find_bundle("tiny", tmp_path / "site") == folder


def test_find_prefers_what_is_nearer(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config's folder, `models` in it, EDGE_RUNTIME_MODELS from left to right, what came with the package."""
    site, near, far, shipped = (tmp_path / name for name in ("site", "near", "far", "shipped"))
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", f"{near}{os.pathsep}{far}")
    monkeypatch.setattr("edge_runtime.infer.bundle.shipped_models", lambda: shipped)
    assert search_path(site) == [site, site / "models", near, far, shipped]
    assert search_path(near / ".." / "near")[2:] == [far, shipped], "each folder once"
    for place in reversed(search_path(site)):
        shutil.copytree(folder, place / "tiny")
        assert find_bundle("tiny", site) == place / "tiny"


def test_find_passes_over_a_namesake_that_is_no_bundle(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "tiny").mkdir(parents=True)
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", str(folder.parent))
    assert find_bundle("tiny", site) == folder
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", "")
    with pytest.raises(BundleError, match=r"site/tiny/manifest.toml: cannot be read"):
        load_bundle(find_bundle("tiny", site))


def test_shipped_models_are_found_in_a_checkout_and_in_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "edge_runtime"
    (package / "infer").mkdir(parents=True)
    monkeypatch.setattr("edge_runtime.__file__", str(package / "__init__.py"))
    assert shipped_models() == tmp_path / "models"
    (package / "models").mkdir()
    assert shipped_models() == package / "models"


def test_find_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_RUNTIME_MODELS", "/opt/models")
    with pytest.raises(BundleError, match=r"no bundle 'street': looked at .*/street, .*/models/street, /opt/models/street, .*/models/street$"):
        find_bundle("street", tmp_path)
    with pytest.raises(BundleError, match=r"looked at [^,]*/models/street$"):
        find_bundle("models/street", tmp_path)


def test_find_tells_how_to_wrap_a_bare_model(folder: Path) -> None:
    with pytest.raises(BundleError, match="edge-runtime models adopt"):
        find_bundle("model.onnx", folder)


# -- archives --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packed(folder: Path, *, inside: str = "tiny/") -> Path:
    file = folder.parent / "tiny.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for each in sorted(folder.iterdir()):
            tar.add(each, f"{inside}{each.name}")
    return file


@pytest.mark.parametrize("inside", ["", "./", "tiny/", "./tiny/"])
def test_archive_is_a_bundle_too(folder: Path, cache: Path, inside: str) -> None:
    file = packed(folder, inside=inside)
    found = find_bundle(file.name, file.parent)
    assert load_bundle(found).manifest == load_bundle(folder).manifest
    assert find_bundle(file.name, file.parent) == found
    assert [each.name for each in (cache / "edge-runtime" / "bundles").iterdir()] == [found.name]


def test_another_archive_of_the_same_name_is_unpacked_anew(folder: Path, cache: Path) -> None:
    first = find_bundle(packed(folder), Path())
    (folder / "labels.txt").write_text("a\nb\nc\nd\n")
    second = find_bundle(packed(folder), Path())
    assert first != second
    assert load_bundle(second).manifest.labels == ("a", "b", "c", "d")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "hostile",
    [
        member("../manifest.toml"),
        member("/etc/manifest.toml"),
        member("/labels.txt"),
        member("a/b/manifest.toml"),
        member("a/../../manifest.toml"),
        member("model.onnx", tarfile.SYMTYPE, "/etc/passwd"),
        member("model.onnx", tarfile.LNKTYPE, "/etc/passwd"),
        member("model.onnx", tarfile.FIFOTYPE),
        member("model.onnx", tarfile.CHRTYPE),
        member(".hidden"),
        member("name\nwith lines"),
    ],
    ids=lambda info: f"{info.name!r}-{info.type.decode()}",
)
def test_archive_with_anything_but_plain_files_is_refused_whole(tmp_path: Path, cache: Path, hostile: tarfile.TarInfo) -> None:
    file = tmp_path / "evil.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(member("manifest.toml"), io.BytesIO())
        tar.addfile(hostile, io.BytesIO())
    with pytest.raises(BundleError, match="plain files"):
        find_bundle(file, tmp_path)
    assert list((cache / "edge-runtime" / "bundles").iterdir()) == []


def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    file = tmp_path / "bomb.tar.gz"
    info = member("model.onnx")
    info.size = 64 << 20
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    assert file.stat().st_size < 1 << 20
    with pytest.raises(BundleError, match="unpacked"):
        find_bundle(file, tmp_path)
    assert list((cache / "edge-runtime" / "bundles").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no gzip at all", b"\x1f\x8b\x08\0"])
def test_archive_that_is_none_is_refused(tmp_path: Path, cache: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(BundleError):
        find_bundle("x.tar.gz", tmp_path)


def test_archive_that_is_cut_off_is_refused(folder: Path, cache: Path) -> None:
    file = packed(folder)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(BundleError, match="no readable"):
        find_bundle(file, Path())


def test_archive_without_a_cache_to_unpack_into_cannot_start(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "file"))
    with pytest.raises(CannotStart, match="unpack it by hand"):
        find_bundle(packed(folder), Path())


# -- golden ----------------------------------------------------------------------------------------------------------------------


def verify(bundle: Bundle) -> float:
    engine = Engine(bundle.model_path, bundle.manifest, EnginePlan())
    engine.open()
    try:
        return verify_golden(bundle, engine)
    finally:
        engine.close(5)


def golden(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "golden.npz") as stored:
        return {key: stored[key] for key in stored.files}


def test_golden_outputs_are_met(folder: Path) -> None:
    assert verify(load_bundle(folder)) <= 1e-5


def test_golden_outputs_that_differ_are_refused_with_the_difference(folder: Path) -> None:
    arrays = golden(folder)
    arrays["output.0"][0, 3, 2] += 0.5
    write_golden(folder / "golden.npz", "images", arrays["input.images"], [arrays["output.0"]])
    with pytest.raises(BundleError, match=r"differ by 0\.5 from .*golden\.npz, more than atol = 0\.001"):
        verify(load_bundle(folder))


def test_golden_outputs_with_nan_are_beyond_every_tolerance(folder: Path) -> None:
    arrays = golden(folder)
    arrays["output.0"][0, 3, 2] = np.nan
    write_golden(folder / "golden.npz", "images", arrays["input.images"], [arrays["output.0"]])
    with pytest.raises(BundleError, match="differ by nan"):
        verify(load_bundle(folder))


def test_golden_of_another_shape_or_name_is_refused(folder: Path) -> None:
    arrays = golden(folder)
    write_golden(folder / "golden.npz", "images", arrays["input.images"], [arrays["output.0"][:, :-1]])
    with pytest.raises(BundleError, match="the model makes"):
        verify(load_bundle(folder))
    write_golden(folder / "golden.npz", "picture", arrays["input.images"], [arrays["output.0"]])
    with pytest.raises(BundleError, match=r"expected arrays input\.images"):
        verify(load_bundle(folder))


def test_golden_that_is_no_archive_or_holds_pickles_is_refused(folder: Path) -> None:
    (folder / "golden.npz").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"no readable \.npz"):
        verify(load_bundle(folder))
    np.savez(folder / "golden.npz", **{"input.images": np.array([{"a": 1}], dtype=object)})  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"no readable \.npz"):
        verify(load_bundle(folder))


def test_bundle_without_golden_differs_by_nothing(folder: Path) -> None:
    manifest = folder / "manifest.toml"
    manifest.write_text(manifest.read_text().split("[golden]")[0])
    assert verify(load_bundle(folder)) == 0.0


def test_largest_difference_knows_infinities_and_nan() -> None:
    a = [np.array([1.0, np.inf, np.nan], np.float32)]
    assert largest_difference(a, a, "x") == 0.0
    assert largest_difference(a, [np.array([1.5, np.inf, np.nan], np.float32)], "x") == 0.5
    assert np.isnan(largest_difference(a, [np.array([1.0, np.inf, 0.0], np.float32)], "x"))
    assert largest_difference(a, [np.array([1.0, 0.0, np.nan], np.float32)], "x") == np.inf
    assert largest_difference([np.zeros((0, 3))], [np.zeros((0, 3))], "x") == 0.0
