"""Training from end to end on pictures that are easy: it learns, it can be stopped, it goes on."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_export.errors import ExportError
from edge_export.framework import load_network
from edge_export.street.data import StreetDataError, note_plan, read_streets, write_labels
from edge_export.street.network import anchors, build_network
from edge_export.street.recipe import LABELS, Labelling, Phase
from edge_export.street.train import CHECKPOINT, KERAS_FILE, LOG_FILE, Limits, Progress, rate, train
from tests.street import small


def prepared(tmp_path: Path) -> tuple[Path, Path]:
    """Street images, and labels as an earlier run made them."""
    data, out = tmp_path / "streets", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    write_labels(out / "labels.json", [image.labelled for image in read_streets(small.streets(data, 40))])
    note_plan(out / "labelling.json", dataclasses.asdict(small.recipe().labelling))
    return data, out


def quiet(_: Progress) -> None:
    """Nobody watches."""


def log_of(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / LOG_FILE).read_text().splitlines()]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a training left. Nobody may change it: trainings that go on from it do so in a copy."""

    data: Path
    out: Path
    told: list[Progress]

    def copy(self, tmp_path: Path) -> tuple[Path, Path]:
        return self.data, Path(shutil.copytree(self.out, tmp_path / "copy"))

    def checkpoint(self) -> Any:
        return np.load(self.out / CHECKPOINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Four steps at once."""
    data, out = prepared(tmp_path_factory.mktemp("whole"))
    told: list[Progress] = []
    assert train(small.recipe(), data, out, progress=told.append) == out / KERAS_FILE
    return Trained(data, out, told)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The first of the four steps."""
    data, out = prepared(tmp_path_factory.mktemp("stopped"))
    train(small.recipe(), data, out, limits=Limits(minutes=0), progress=quiet)
    return Trained(data, out, [])


@pytest.fixture(scope="module")
def resumed(stopped: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The other three."""
    data, out = stopped.copy(tmp_path_factory.mktemp("resumed"))
    train(small.recipe(), data, out, resume=True, progress=quiet)
    return Trained(data, out, [])


def test_train_writes_network_checkpoint_and_log(whole: Trained) -> None:
    network = load_network(whole.out / KERAS_FILE)
    answer = network(np.zeros((1, 3, small.PLAN.height, small.PLAN.width), np.float32))
    assert answer.shape == (1, anchors(small.PLAN), 5 + len(LABELS))
    assert answer[..., 4:].min() >= 0 and answer[..., 4:].max() <= 1
    assert [row["step"] for row in log_of(whole.out)] == [2, 4]
    assert whole.told[-1].phase == "real" and whole.told[-1].ap50 is not None


def test_train_resumed_goes_on_where_it_stopped(stopped: Trained, resumed: Trained) -> None:
    before, after = stopped.checkpoint(), resumed.checkpoint()
    assert list(before["at"]) == [3, 0, 1]
    assert list(after["at"]) == [3, 0, 4] and float(after["age"]) == 4
    assert any((before[name] != after[name]).any() for name in before.files if name.startswith("mean"))


def test_train_resumed_ends_where_it_would_have_ended(whole: Trained, resumed: Trained) -> None:
    expected, found = whole.checkpoint(), resumed.checkpoint()
    assert expected.files == found.files
    for name in expected.files:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_train_resumed_with_more_takes_back_what_it_logged_after_its_checkpoint_and_runs_a_further_phase(whole: Trained, tmp_path: Path) -> None:
    data, out = whole.copy(tmp_path)
    recipe = small.recipe(phases=(Phase("real", 6, 4, 0.0, 1e-3, 1e-3, 2, False), Phase("more", 3, 4, 0.0, 1e-3, 1e-5, 1, True)))
    killed = (out / LOG_FILE).read_text()
    with (out / LOG_FILE).open("a") as log:
        log.write(json.dumps({"seconds": 9, "phase": "real", "step": 5, "loss": 1.0}) + '\n{"seconds": 12, "ph')
    train(recipe, data, out, resume=True, progress=quiet)
    assert (out / LOG_FILE).read_text().startswith(killed)
    assert [(row["phase"], row["step"]) for row in log_of(out)] == [("real", 2), ("real", 4), ("real", 6), ("more", 2), ("more", 3)]
    assert list(np.load(out / CHECKPOINT)["at"]) == [3, 1, 3], "the further phase from its start"


@pytest.mark.parametrize("what", ["held out since", "on the other side"])
def test_train_over_labels_of_other_images_is_refused(tmp_path: Path, what: str) -> None:
    data, out = prepared(tmp_path)
    if what == "held out since":
        for listing, kept in (("train.json", [str(index) for index in range(39)]), ("holdout.json", ["39"])):
            table = json.loads((data / "train.json").read_text())
            table["images"] = [each for each in table["images"] if each["file_name"].removesuffix(".png") in kept]
            (data / f"new-{listing}").write_text(json.dumps(table))
        for listing in ("train.json", "holdout.json"):
            (data / f"new-{listing}").replace(data / listing)
    else:
        labels = (out / "labels.json").read_text()
        (out / "labels.json").write_text(labels.replace('"split": "tune"', '"split": "train"', 1))
    with pytest.raises(StreetDataError, match=r"labels\.json: is of other images or of another split"):
        train(small.recipe(), data, out, progress=quiet)


def test_train_resumed_with_a_recipe_that_is_too_short_is_refused(whole: Trained, tmp_path: Path) -> None:
    shorter = small.recipe(phases=(Phase("real", 3, 4, 0.0, 1e-3, 1e-3, 2, False),))
    with pytest.raises(ExportError, match="step 4 of phase 1, which the recipe does not have"):
        train(shorter, *whole.copy(tmp_path), resume=True, progress=quiet)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Labelling)])
def test_train_over_labels_of_another_recipe_is_refused(tmp_path: Path, name: str) -> None:
    data, out = prepared(tmp_path)
    labelling = small.recipe().labelling
    with pytest.raises(StreetDataError, match=rf"holds labels of another recipe, {name} {getattr(labelling, name)} where 0.9 is expected"):
        train(small.recipe(labelling=dataclasses.replace(labelling, **{name: 0.9})), data, out, progress=quiet)


def test_train_at_a_rate_that_breaks_it_says_so(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    with pytest.raises(ExportError, match=r"of phase real: a loss of (nan|-?inf): lower the recipe's rate"):
        train(small.recipe(phases=(Phase("real", 40, 4, 0.0, 1e12, 1e12, 1, False),), validate_every=1000), data, out, progress=quiet)


def test_train_resumed_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing to resume"):
        train(small.recipe(), tmp_path, tmp_path / "out", resume=True, progress=quiet)
    assert list(tmp_path.iterdir()) == [], "before anything was made"


def test_train_over_a_training_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"hours")
    (tmp_path / LOG_FILE).write_text("{}\n")
    with pytest.raises(ExportError, match="a training is there already: go on with --resume"):
        train(small.recipe(), tmp_path, tmp_path, progress=quiet)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"hours" and (tmp_path / LOG_FILE).read_text() == "{}\n"


def test_train_resumed_with_another_architecture_is_refused(whole: Trained, tmp_path: Path) -> None:
    wider = small.recipe(architecture=dataclasses.replace(small.PLAN, neck=32))
    with pytest.raises(ExportError, match="another architecture"):
        train(wider, *whole.copy(tmp_path), resume=True, progress=quiet)


def test_train_learns_to_find_bright_boxes(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    train(small.recipe(phases=(Phase("real", 110, 16, 0.0, 1e-2, 1e-3, 10, False),), validate_every=1000), data, out, progress=quiet)
    marks = log_of(out)[-1]["tune"]
    assert isinstance(marks, dict) and marks["real vehicles"]["ap50"] > 0.5


def test_rate_warms_up_and_falls_to_its_last_value() -> None:
    phase = Phase("p", 100, 8, 0.0, 1e-2, 1e-4, 10, True)
    rates = [rate(phase, step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3) and max(rates) == pytest.approx(1e-2) and rates[-1] < 2e-4
    assert rates[10:] == sorted(rates[10:], reverse=True) and not any(map(math.isnan, rates))


def test_build_network_without_probabilities_takes_the_same_weights() -> None:
    learning, deployed = build_network(small.PLAN, probabilities=False), build_network(small.PLAN)
    deployed.set_weights(learning.get_weights())
    picture = np.random.default_rng(1).random((1, small.PLAN.height, small.PLAN.width, 3)).astype(np.float32)
    logits, rows = np.asarray(learning(picture)), np.asarray(deployed(picture))
    np.testing.assert_allclose(rows[..., :4], logits[..., :4], atol=1e-5)
    np.testing.assert_allclose(rows[..., 4:], 1 / (1 + np.exp(-logits[..., 4:])), atol=1e-5)
