"""The shipped model on the simulated junction: its counts against a truth that is known exactly, on seeds that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import street_counts

FEW_WRONG = 2
"""A minute holds ten to thirty crossings of a group: whether 2 % of them are wrong only hundreds can tell, see below."""


@pytest.mark.system
@pytest.mark.parametrize(
    ("weather", "seed"),
    [("day", 11), *(pytest.param(*each, marks=pytest.mark.slow) for each in [("dusk", 12), ("night", 13), ("rain", 14)])],
)
def test_counts_of_a_minute_agree_with_truth(weather: str, seed: int, tmp_path: Path) -> None:
    light = street_counts.Light(weather)
    light.add(*street_counts.count_stretch(tmp_path / "stretch", f"sim:junction?seed={seed}&weather={weather}&seconds=60", "street-nano", 10), 60)
    street_counts.tell(light)
    assert sum(score.true for score in light.groups.values()) >= 30, "a street without traffic proves nothing"
    assert {group: (score.true, score.counted) for group, score in light.groups.items() if abs(score.counted - score.true) > FEW_WRONG} == {}


@pytest.mark.slow
def test_counts_agree_with_truth_over_hundreds_of_crossings() -> None:
    assert street_counts.main([]) == 0


def test_pairing_tells_a_miss_and_a_false_count_that_cancel_out() -> None:
    def crossing(at_s: float, way: str = "forward") -> street_counts.Crossing:
        return street_counts.Crossing("main-road", way, "vehicles", at_s)

    light = street_counts.Light("day")
    light.add([crossing(3.0), crossing(5.0), crossing(9.0)], [crossing(3.4), crossing(9.2), crossing(20.0)], 30)
    score = light.groups["vehicles"]
    assert (score.true, score.counted, score.missed, score.invented) == (3, 3, 1, 1)
    there, back = crossing(3.0), crossing(3.0, "backward")
    assert street_counts.unpaired([there], [back]) == ([there], [back])


def test_crossings_at_the_ends_of_a_stretch_are_asked_for_when_they_were_counted() -> None:
    times = (0.5, 1.5, 15.0, 28.5, 29.5)
    true = [street_counts.Crossing("main-road", "forward", "vehicles", at_s) for at_s in times]
    light = street_counts.Light("day")
    light.add(true, [true[1], true[3]], 30)
    score = light.groups["vehicles"]
    assert (score.true, score.counted, score.missed) == (3, 2, 1)


def test_few_crossings_are_no_proof(capsys: pytest.CaptureFixture[str]) -> None:
    light = street_counts.Light("day")
    one = street_counts.Crossing("main-road", "forward", "vehicles", 1.0)
    light.add([one], [one], 30)
    assert street_counts.tell(light)
    assert not street_counts.tell(light, 1), "nobody cycled or walked"
    assert capsys.readouterr().out.count("FEWER THAN 1") == 2
