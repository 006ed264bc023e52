"""The campaign (campaign.py), short; `make soak` does the long one. What it must hold stands in DELIVERY.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.campaign import Round, main, make_plan, run, table

pytestmark = pytest.mark.system


def kinds(plan: list[Round]) -> Counter[str]:
    return Counter(kind for each in plan for kind, _ in each.beside)


def test_plan_is_the_seeds_and_has_as_many_of_each_as_asked_for() -> None:
    plan = make_plan(40, 12, 9, seed=4)
    assert plan == make_plan(40, 12, 9, seed=4) != make_plan(40, 12, 9, seed=5)
    assert len(plan) - 1 == 40
    assert kinds(plan) == {"restart": 12, "cut": 9}
    assert sum(each.early for each in plan) == 6
    assert {each.dark_s > 0 for each in plan} == {True, False}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kills", "restarts", "cuts", "tls"), [(10, 4, 4, False), (3, 1, 2, True)], ids=["plain", "tls"])
def test_kills_restarts_and_cuts_at_random_lose_nothing_in_silence(tmp_path: Path, kills: int, restarts: int, cuts: int, tls: bool) -> None:
    tmp_path.chmod(0o755)
    record = run(tmp_path, make_plan(kills, restarts, cuts, seed=7), 500, tls)
    verdict = record.verdict
    print(table(record, verdict))
    assert verdict.complaints == []
    assert Counter(fault.kind for fault in record.faults) == {"kill": kills, "restart": restarts, "cut": cuts}
    assert verdict.delivered == record.last > 500


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("more", [[], ["--tls"]], ids=["plain", "tls"])
def test_200_kills_50_restarts_and_50_cuts_lose_nothing_in_silence(more: list[str]) -> None:
    assert main(["--seed", "20", *more]) == 0
