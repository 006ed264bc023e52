"""A finished bundle takes its place, or leaves it as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import CannotStart
from edge_runtime.infer.bundle import load_bundle, put_in_place
from tests.infer.tiny import LABELS


def test_bundle_that_cannot_be_put_in_place_leaves_what_was_there(folder: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(CannotStart, match=r"tiny: the finished bundle cannot be put there: No such file or directory$"):
        put_in_place(scratch / "gone", folder)  # what was there has been taken away by then
    assert load_bundle(folder).manifest.labels == LABELS
    assert list(scratch.iterdir()) == []


def test_bundle_that_loses_its_place_to_something_else_keeps_what_was_there(folder: Path, tmp_path: Path) -> None:
    class Overtaken(type(tmp_path)):  # type: ignore[misc]
        """Somebody else makes a folder of that name in between."""

        def rename(self, target: Path | str) -> Path:
            if not Path(target).exists():
                (Path(target) / "theirs").mkdir(parents=True)
            return Path(super().rename(target))

    finished = Overtaken(shutil.copytree(folder, tmp_path / "scratch" / "tiny"))
    with pytest.raises(CannotStart, match=r"tiny: .*: Directory not empty; what was there is kept as .*tiny\.before-") as told:
        put_in_place(finished, folder)
    shutil.rmtree(tmp_path / "scratch")  # as who made the finished one does
    assert load_bundle(Path(str(told.value).rpartition(" ")[2])).manifest.labels == LABELS
    assert [each.name for each in folder.iterdir()] == ["theirs"]
