"""Counted against true, and what is fair to compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.runtime.demo.score import CLASSES, EDGE_S, RECENT, Crossing, Ledger, compare, error_of, group_of
from edge_runtime.sources.sim.street import GROUP_OF, LABEL_OF

RULES = [("main", "forward"), ("main", "backward")]
SPAN = (0.0, 100.0)


def ledger(*crossings: Crossing) -> Ledger:
    made = Ledger()
    made.add(crossings)
    return made


def crossing(at_s: float, label: str = "car", way: str = "forward", kmh: float | None = None) -> Crossing:
    return Crossing("main", way, label, at_s, kmh)


def test_classes_and_groups_are_those_of_the_simulated_street() -> None:
    assert set(CLASSES) == set(LABEL_OF.values()) == set(GROUP_OF)
    assert group_of("horse") == "horse"


def test_compare_puts_both_sides_into_a_row_for_each_direction() -> None:
    counted = ledger(crossing(10), crossing(20, "bus"), crossing(30, way="backward"))
    true = ledger(crossing(10), crossing(20), crossing(30, way="backward"), crossing(40, "person", "backward"))
    compared = compare(counted, true, RULES, SPAN)
    forward, backward = compared.rows
    assert (forward.counted, forward.true) == ({"car": 1, "bus": 1}, {"car": 2})
    assert (backward.counted, backward.true) == ({"car": 1}, {"car": 1, "person": 1})
    assert (compared.counted, compared.true, compared.left_out) == (3, 4, 0)
    assert error_of(forward) == 0, "a bus taken for a car is still a vehicle"
    assert error_of(backward) == 0.5
    assert compared.error == 0.25


def test_compare_lets_too_many_and_too_few_not_cancel() -> None:
    counted = ledger(crossing(10), crossing(20), crossing(30, "person"))
    true = ledger(crossing(10), crossing(20, "person"), crossing(30, "person"))
    compared = compare(counted, true, RULES, SPAN)
    assert compared.counted == compared.true == 3
    assert compared.error == pytest.approx(2 / 3)
    assert compared.grouped() == [("main", "vehicles", 2, 1), ("main", "pedestrians", 1, 2)]


def test_compare_leaves_out_at_either_end_what_nobody_counted() -> None:
    true = ledger(crossing(0.5), crossing(50), crossing(SPAN[1] - 0.5))
    compared = compare(ledger(crossing(50.2)), true, RULES, SPAN)
    assert (compared.counted, compared.true, compared.left_out) == (1, 1, 2)
    assert compared.error == 0


def test_compare_keeps_at_either_end_what_was_counted() -> None:
    """Also when the count's instant lies on the other side of the edge."""
    true = ledger(crossing(EDGE_S - 0.1), crossing(SPAN[1] - EDGE_S + 0.1))
    counted = ledger(crossing(EDGE_S + 0.3), crossing(SPAN[1] - EDGE_S - 0.3))
    compared = compare(counted, true, RULES, SPAN)
    assert (compared.counted, compared.true, compared.left_out) == (2, 2, 0)


def test_compare_forgives_nothing_in_between_and_nothing_that_was_counted_too_much() -> None:
    compared = compare(ledger(crossing(1), crossing(99)), ledger(crossing(EDGE_S + 0.1)), [("main", "forward")], SPAN)
    assert (compared.counted, compared.true, compared.left_out) == (2, 1, 0)
    missed = compare(ledger(), ledger(crossing(50)), RULES, SPAN)
    assert missed.error == 1.0


def test_compare_matches_one_count_to_one_body() -> None:
    compared = compare(ledger(crossing(1.0)), ledger(crossing(1.0), crossing(1.1)), RULES, SPAN)
    assert (compared.counted, compared.true, compared.left_out) == (1, 1, 1)
    other_way = compare(ledger(crossing(1.0, way="backward")), ledger(crossing(1.0)), RULES, SPAN)
    assert other_way.left_out == 1


def test_compare_matches_the_right_kind_first() -> None:
    counted = ledger(crossing(1.0, "person"), crossing(1.4, "car"))
    compared = compare(counted, ledger(crossing(1.0, "car"), crossing(1.1, "person")), RULES, SPAN)
    assert compared.left_out == 0 and compared.error == 0


def test_compare_without_truth_only_counts() -> None:
    compared = compare(ledger(crossing(10)), None, RULES, SPAN)
    assert compared.counted == 1
    assert compared.true is None and compared.error is None and compared.grouped() == []
    assert error_of(compared.rows[0]) is None


def test_compare_of_nothing_has_no_error() -> None:
    assert compare(ledger(), ledger(), RULES, SPAN).error is None


def test_speeds_are_means_of_those_that_are_known() -> None:
    counted = ledger(crossing(10, kmh=40.0), crossing(11, kmh=50.0), crossing(12))
    row = compare(counted, ledger(crossing(10, kmh=44.0)), RULES, SPAN).rows[0]
    assert (row.counted_kmh, row.true_kmh) == (45.0, 44.0)


def test_ledger_is_bounded_however_long_it_runs() -> None:
    made = Ledger()
    made.add(crossing(float(second)) for second in range(5 * RECENT))
    assert made.total == made.sums["main", "forward", "car"] == 5 * RECENT
    assert len(made.latest) == RECENT
    assert len(made.first) < RECENT


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from(CLASSES), st.sampled_from(["forward", "backward"])), max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_what_is_left_out_was_at_an_end_and_not_counted(bodies: list[tuple[float, str, str]], noticed: list[bool]) -> None:
    """However bodies and counts are mixed: whoever was missed in between stays missed."""
    true = [Crossing("main", way, label, at_s) for at_s, label, way in sorted(bodies)]
    counted = [each for each, seen in zip(true, noticed, strict=False) if seen]
    missed = [each for each, seen in zip(true, noticed, strict=False) if not seen]
    compared = compare(ledger(*counted), ledger(*true), RULES, SPAN)
    assert compared.counted == len(counted)
    assert compared.true == len(true) - compared.left_out
    assert compared.left_out <= sum(each.at_s < EDGE_S or each.at_s > SPAN[1] - EDGE_S for each in missed)


def test_groups_that_were_never_there_are_left_out() -> None:
    compared = compare(ledger(crossing(50)), ledger(crossing(50), crossing(0.5, "bicycle")), RULES, SPAN)
    assert compared.left_out == 1
    assert compared.grouped() == [("main", "vehicles", 1, 1)]
