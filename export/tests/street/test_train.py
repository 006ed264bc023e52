"""Training from end to end on pictures that are easy: it learns, it can be stopped, it goes on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from edge_export.errors import ExportError
from edge_export.framework import load_network
from edge_export.street.data import StreetDataError, write_labels
from edge_export.street.network import anchors, build_network
from edge_export.street.recipe import LABELS, Phase
from edge_export.street.train import CHECKPOINT, KERAS_FILE, LOG_FILE, Limits, Progress, rate, train
from tests.street import small


def prepared(tmp_path: Path) -> tuple[Path, Path]:
    """Street images, and labels as an earlier run made them."""
    from edge_export.street.data import read_streets

    data, out = tmp_path / "streets", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    write_labels(out / "labels.json", [image.labelled for image in read_streets(small.streets(data, 40))])
    return data, out


def quiet(_: Progress) -> None:
    """Nobody watches."""


def log_of(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / LOG_FILE).read_text().splitlines()]


def test_train_writes_network_checkpoint_and_log(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    told: list[Progress] = []
    made = train(small.recipe(), data, out, progress=told.append)
    network = load_network(made)
    answer = network(np.zeros((1, 3, small.PLAN.height, small.PLAN.width), np.float32))
    assert made == out / KERAS_FILE and answer.shape == (1, anchors(small.PLAN), 5 + len(LABELS))
    assert answer[..., 4:].min() >= 0 and answer[..., 4:].max() <= 1
    assert [row["step"] for row in log_of(out)] == [2, 4]
    assert told[-1].phase == "real" and told[-1].ap50 is not None


def test_train_resumed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    train(small.recipe(), data, out, limits=Limits(minutes=0), progress=quiet)
    stopped = np.load(out / CHECKPOINT)
    assert list(stopped["at"]) == [3, 0, 1]
    train(small.recipe(), data, out, resume=True, progress=quiet)
    ended = np.load(out / CHECKPOINT)
    assert list(ended["at"]) == [3, 0, 4] and float(ended["age"]) == 4
    assert any((stopped[name] != ended[name]).any() for name in stopped.files if name.startswith("mean"))


def test_train_resumed_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    ends = []
    for name, pause in (("whole", None), ("paused", Limits(minutes=0))):
        (tmp_path / name).mkdir()
        data, out = prepared(tmp_path / name)
        if pause is not None:
            train(small.recipe(), data, out, limits=pause, progress=quiet)
        train(small.recipe(), data, out, resume=pause is not None, progress=quiet)
        ends.append(np.load(out / CHECKPOINT))
    whole, paused = ends
    assert whole.files == paused.files
    for name in whole.files:
        np.testing.assert_allclose(paused[name], whole[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_train_resumed_takes_back_what_it_logged_after_its_checkpoint(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    recipe = small.recipe(phases=(Phase("real", 6, 4, 0.0, 1e-3, 1e-3, 2, False),))
    train(small.recipe(), data, out, progress=quiet)
    killed = (out / LOG_FILE).read_text()
    with (out / LOG_FILE).open("a") as log:
        log.write(json.dumps({"seconds": 9, "phase": "real", "step": 5, "loss": 1.0}) + '\n{"seconds": 12, "ph')
    train(recipe, data, out, resume=True, progress=quiet)
    assert (out / LOG_FILE).read_text().startswith(killed)
    assert [row["step"] for row in log_of(out)] == [2, 4, 6]


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


def test_train_resumed_with_a_recipe_that_is_too_short_is_refused(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    train(small.recipe(), data, out, progress=quiet)
    shorter = small.recipe(phases=(Phase("real", 3, 4, 0.0, 1e-3, 1e-3, 2, False),))
    with pytest.raises(ExportError, match="step 4 of phase 1, which the recipe does not have"):
        train(shorter, data, out, resume=True, progress=quiet)


def test_train_at_a_rate_that_breaks_it_says_so(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    with pytest.raises(ExportError, match=r"of phase real: a loss of (nan|-?inf): lower the recipe's rate"):
        train(small.recipe(phases=(Phase("real", 40, 4, 0.0, 1e12, 1e12, 1, False),), validate_every=1000), data, out, progress=quiet)


def test_train_resumed_through_a_further_phase_runs_it_from_its_start(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    recipe = small.recipe()
    train(recipe, data, out, progress=quiet)
    longer = small.recipe(phases=(*recipe.phases, Phase("more", 3, 4, 0.0, 1e-3, 1e-5, 1, True)))
    train(longer, data, out, resume=True, progress=quiet)
    assert list(np.load(out / CHECKPOINT)["at"]) == [3, 1, 3]


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


def test_train_resumed_with_another_architecture_is_refused(tmp_path: Path) -> None:
    import dataclasses

    data, out = prepared(tmp_path)
    train(small.recipe(), data, out, limits=Limits(minutes=0), progress=quiet)
    wider = small.recipe(architecture=dataclasses.replace(small.PLAN, neck=32))
    with pytest.raises(ExportError, match="another architecture"):
        train(wider, data, out, resume=True, progress=quiet)


def test_train_learns_to_find_bright_boxes(tmp_path: Path) -> None:
    data, out = prepared(tmp_path)
    train(small.recipe(phases=(Phase("real", 150, 16, 0.0, 1e-2, 1e-3, 10, False),), validate_every=1000), data, out, progress=quiet)
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
