"""The gate: it opens for what is right, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_export.about import read_about
from edge_export.bundle import prepared
from edge_export.framework import Network
from edge_export.parity import LEAST_DETECTIONS, Compared, Limits, Report, Subject, compare, prove
from edge_export.pictures import find_pictures, read_picture
from edge_export.plain import Found
from edge_runtime.types import Size
from tests import tiny
from tests.conftest import write_about


@pytest.fixture(scope="module")
def subject(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepared(network, read_about(write_about(tmp_path_factory.mktemp("about"))))[1]


def proven(subject: Subject) -> Report:
    pictures = tiny.pictures()
    return prove(subject, pictures, len(pictures))


def with_input(subject: Subject, **changes: Any) -> Subject:
    image = replace(subject.manifest.inputs[0], **changes)
    return replace(subject, manifest=replace(subject.manifest, inputs=(image,)))


def test_prove_accepts_what_was_converted(subject: Subject) -> None:
    report = proven(subject)
    assert report.problems == []
    assert report.raw_largest < 1e-5
    assert [row.missing for row in report.compared[:2]] == [0, 0]
    assert all(row.detections > 2 * LEAST_DETECTIONS for row in report.compared)
    assert max(report.compared[0].box_px) < 0.01
    assert max(report.compared[1].box_px) < 0.01


@pytest.mark.parametrize(
    "wrong",
    [{"color": "RGB"}, {"pad": 0}, {"align": "center"}, {"resize": "stretch"}, {"scale": 1.0}, {"mean": (0.3, 0.2, 0.1)}, {"std": (1.0, 1.0, 1.0)}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_prove_refuses_a_wrong_manifest(subject: Subject, wrong: dict[str, Any]) -> None:
    problems = proven(with_input(subject, **wrong)).problems
    assert any(problem.startswith("device, from BGR") for problem in problems)
    assert any(problem.startswith("device, from I420") for problem in problems)


def test_prove_refuses_a_model_that_computes_something_else(subject: Subject) -> None:
    model = onnx.load_model_from_string(subject.data)
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    changed = numpy_helper.to_array(weight) * np.float32(1.01)
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    problems = proven(replace(subject, data=model.SerializeToString())).problems
    assert any(problem.startswith("raw outputs") for problem in problems)


def test_prove_refuses_pictures_that_prove_nothing(subject: Subject) -> None:
    report = prove(subject, [], 0)
    assert len([problem for problem in report.problems if "0 detections to compare" in problem]) == 2


@pytest.mark.material
def test_prove_on_real_pictures(subject: Subject, material: Path) -> None:
    files = find_pictures(material / "streets", 6)
    assert prove(subject, ((str(file), read_picture(file)) for file in files), len(files)).problems == []


def found(*rows: tuple[float, float, float, float, float, int]) -> Found:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Found(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def compared(ours: Found, theirs: Found) -> Compared:
    row = Compared("x", Limits())
    compare(row, ours, theirs, 0.45)
    return row


def test_compare_pairs_the_best_overlap_of_one_label() -> None:
    ours = found((0, 0, 100, 100, 0.9, 1), (0, 0, 100, 90, 0.8, 2))
    theirs = found((0, 0, 100, 91, 0.8005, 2), (0, 0, 100, 100.25, 0.9, 1))
    row = compared(ours, theirs)
    assert (row.detections, row.missing, row.excused) == (2, 0, 0)
    assert sorted(row.box_px) == [0.25, 1.0]
    assert max(row.score) == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("extra", "excused"),
    [
        ((200, 0, 300, 100, 0.9, 1), False),  # nobody else saw it
        ((200, 0, 300, 100, 0.1005, 1), True),  # the other side had it at 0.0999
        ((0, 40, 100, 140, 0.8, 1), True),  # overlap 0.43 of 0.45: on the other side just over it
        ((0, 70, 100, 170, 0.8, 1), False),  # overlap 0.18: nothing suppresses that
        ((0, 40, 100, 140, 0.95, 1), False),  # better than what should have suppressed it
        ((0, 40, 100, 140, 0.8, 2), False),  # of another label 0.7 is needed
    ],
)
def test_compare_excuses_only_what_suppression_explains(extra: tuple[float, float, float, float, float, int], excused: bool) -> None:
    one = (0, 0, 100, 100, 0.9, 1)
    for row in (compared(found(one, extra), found(one)), compared(found(one), found(one, extra))):
        assert (row.detections, row.excused, row.missing) == (1, int(excused), int(not excused))


def test_problems_are_those_beyond_a_limit() -> None:
    row = Compared("x", Limits(), detections=100, box_px=[0.5] * 100, score=[0.001] * 100)
    assert row.problems() == []
    row.box_px[7], row.score[9], row.missing = 0.51, 0.0011, 1
    assert [problem.split(": ")[1].split(" ")[0] for problem in row.problems()] == ["1", "box", "score"]
    row.binding = False
    assert row.problems() == []
    assert row.as_json()["limits"] is None


def test_report_refuses_what_is_no_number() -> None:
    report = Report(1, 1e-4, float("nan"), 0.0, [])
    assert report.problems


def test_prove_says_which_network_it_looked_at(subject: Subject) -> None:
    assert subject.manifest.inputs[0].size == Size(tiny.WIDTH, tiny.HEIGHT)
    assert subject.manifest.labels == tiny.LABELS
