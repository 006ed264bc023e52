"""The oracle itself: fed with made-up records in which one thing is wrong, it says which; with none, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_runtime.deliver.mqtt import WINDOW
from edge_runtime.present.envelope import rfc3339
from tests.faults.oracle import Arrival, Fault, Promise, Verdict, judge

TOPIC = "edge/v1/test/box/obs/oracle/load"
RATE = 100
COUNT = 500
_NS = 1_000_000_000
_BEGAN_NS = 1_800_000_000 * _NS
KILL = Fault("kill", _BEGAN_NS + 2 * _NS + 60_000_000, _BEGAN_NS)  # behind number 200, 60 ms later
CUT = Fault("cut", _BEGAN_NS + 4 * _NS)


def number(n: int, seq: int | None = None, late_s: float = 0.0) -> Arrival:
    """Number `n` as it comes 50 ms after it was due; behind the kill all is half a second later."""
    due_ns = _BEGAN_NS + n * _NS // RATE + (_NS // 2 if n > 200 else 0)
    seq = seq or (n if n <= 200 else n + 10_000)
    return Arrival(due_ns + 50_000_000 + round(late_s * _NS), TOPIC, f"abc123-{seq}", seq, "oracle", due_ns, n)


def gap(reason: str, from_ns: int, to_ns: int, *, stream: str = "oracle", seq: int = 10_100, **more: Any) -> Arrival:
    data = {"from": rfc3339(from_ns), "to": rfc3339(to_ns), "reason": reason, **more}
    return Arrival(to_ns, f"edge/v1/test/box/obs/{stream}/gap", f"abc123-{seq}", seq, stream, to_ns, None, data)


def downs() -> list[Arrival]:
    from_ns, to_ns = _BEGAN_NS + 2 * _NS, _BEGAN_NS + 2 * _NS + 400_000_000
    return [gap("down", from_ns, to_ns), gap("down", from_ns, to_ns, stream="node", seq=10_101)]


def sound() -> list[Arrival]:
    """A node that did as promised through one kill and one cut."""
    return sorted([*map(number, range(1, COUNT + 1)), *downs()])


def verdict(arrivals: Sequence[Arrival], faults: Sequence[Fault] = (KILL, CUT), **promise: Any) -> Verdict:
    return judge(sorted(arrivals, key=lambda each: each.at_ns), faults, Promise(COUNT, RATE)._replace(**promise))


def require(found: Verdict, *words: str) -> None:
    """One complaint for each of `words`."""
    assert len(found.complaints) == len(words), found.complaints
    for complaint, part in zip(found.complaints, words, strict=True):
        assert part in complaint


def test_sound_records_give_no_complaint() -> None:
    found = verdict(sound())
    assert found == Verdict(COUNT, 0, 0, 0, [0.06], 0, 0, found.spent, [])
    assert found.most("cut") == (0, WINDOW)


def test_hole_is_a_loss_in_silence() -> None:
    found = verdict([each for each in sound() if each.number not in (77, 300, 301)])
    assert (found.delivered, found.silent, found.told) == (COUNT - 3, 3, 0)
    require(found, "numbers 77 … 77", "numbers 300 … 301")


def test_hole_at_the_end_is_a_loss_in_silence() -> None:
    found = verdict([each for each in sound() if each.number != COUNT])
    assert found.silent == 1
    require(found, f"numbers {COUNT} … {COUNT} did not come")


def test_hole_that_a_gap_tells_of_is_no_complaint_and_one_too_large_for_it_is() -> None:
    missing = [number(n) for n in range(300, 310)]
    kept = [each for each in sound() if each not in missing]
    told = gap("full", missing[0].time_ns, missing[-1].time_ns, seq=20_000, messages=10)
    found = verdict([*kept, told])
    assert (found.silent, found.told, found.complaints) == (0, 10, [])
    found = verdict([*kept, told._replace(gap={**(told.gap or {}), "messages": 7})])
    assert (found.silent, found.told) == (3, 7)
    require(found, "gaps tell of 7 of them")


def test_gap_about_another_time_another_stream_or_without_messages_excuses_no_hole() -> None:
    kept = [each for each in sound() if each.number != 300]
    when = number(300).time_ns
    for other in (
        gap("full", when - 2 * _NS, when - _NS, seq=20_000, messages=9),
        gap("full", when, when, stream="corner", seq=20_000, messages=9),
        gap("down", when, when, seq=20_000),
    ):
        assert verdict([*kept, other]).silent == 1


def test_swap_is_disorder() -> None:
    early, late = number(100), number(101)
    swapped = [early._replace(at_ns=late.at_ns), late._replace(at_ns=early.at_ns)]
    found = verdict([*(each for each in sound() if each not in (early, late)), *swapped])
    assert (found.disorder, found.silent) == (1, 0)
    require(found, "abc123-100 (n 100) came behind abc123-101 (n 101)")


def test_duplicate_between_later_ones_is_no_disorder() -> None:
    found = verdict([*sound(), number(340, late_s=0.3)], [KILL, CUT])
    assert (found.disorder, found.duplicates) == (0, 1)
    assert not found.complaints


def test_one_number_under_two_ids_and_one_id_for_two_numbers_are_seen() -> None:
    require(verdict([*sound(), number(500, seq=20_500, late_s=0.1)]), "number 500 of oracle came as abc123-10500 and as abc123-20500", "came behind")
    twice = number(340)._replace(number=339, at_ns=CUT.at_ns + _NS)
    require(verdict([*sound(), twice]), "is two messages", "number 339 of oracle")


def test_duplicates_within_the_window_are_allowed_and_one_more_is_not() -> None:
    again = [number(n, late_s=1.0) for n in range(330, 330 + WINDOW)]
    found = verdict([*sound(), *again], [CUT, KILL])
    assert (found.duplicates, found.most("cut"), found.complaints) == (WINDOW, (WINDOW, WINDOW), [])
    found = verdict([*sound(), *again, number(346, late_s=1.0)], [CUT])
    require(
        found,
        "1 duplicates more than",
    )


def test_kill_may_cost_what_was_acknowledged_in_the_second_before_and_no_more() -> None:
    arrived = [number(each.number, late_s=0.3) if each.number in (198, 199, 200) else each for each in sound()]  # those the broker held up
    again = [number(n, late_s=2.5) for n in range(60, 201)]
    found = verdict([*arrived, *again], [KILL])
    spent, allowed = found.most("kill")
    acknowledged = sum(KILL.at_ns - _NS <= each.at_ns < KILL.at_ns for each in arrived)
    assert (found.duplicates, acknowledged, spent, allowed) == (141, 97, WINDOW + 100, WINDOW + 100)
    require(found, f"{141 - allowed} duplicates more than")


def test_kill_does_not_pay_for_what_was_acknowledged_long_before_it_or_made_after_it() -> None:
    cut = Fault("cut", KILL.at_ns + _NS)
    again = [number(n, late_s=2.0) for n in range(210, 260)]
    require(verdict([*sound(), *again], [KILL, cut]), f"{50 - WINDOW} duplicates more than")
    old = Fault("kill", KILL.at_ns - 100 * _NS)  # before anything was produced
    require(verdict([*sound(), *again], [old, cut]), f"{50 - WINDOW} duplicates more than")
    late = Fault("kill", _BEGAN_NS + 5 * _NS)
    require(verdict([*sound(), number(30, late_s=6.0)], [late]), "1 duplicates more than")


def test_duplicate_that_two_faults_may_have_cost_leaves_the_one_to_what_no_other_explains() -> None:
    cuts = [Fault("cut", _BEGAN_NS + at_s * _NS) for at_s in (3, 4)]
    either = [number(n, late_s=3.5) for n in range(100, 100 + WINDOW)]
    second = [number(n, late_s=1.6) for n in range(280, 280 + WINDOW)]  # made behind the first cut
    found = verdict([*sound(), *either, *second], cuts)
    assert (found.duplicates, found.complaints) == (2 * WINDOW, [])
    third = [number(n, late_s=2.2) for n in range(201, 201 + WINDOW)]
    require(verdict([*sound(), *either, *second, *third], cuts), f"{WINDOW} duplicates more")


def test_duplicates_without_any_fault_are_too_many() -> None:
    require(verdict([*sound(), number(30, late_s=0.2)]), "1 duplicates more than")


def test_what_the_broker_redelivers_is_not_charged_to_the_node() -> None:
    found = verdict([*sound(), number(30, late_s=0.2)._replace(redelivered=True)])
    assert (found.redelivered, found.duplicates, found.complaints) == (1, 0, [])


def test_kill_without_a_gap_or_beyond_the_commit_window_is_seen() -> None:
    without = [each for each in sound() if each.stream != "node"]
    require(verdict(without), "no gap `down` of node")
    require(verdict([each for each in sound() if each.gap is None]), "no gap `down` of oracle", "no gap `down` of node")
    late = Fault("kill", _BEGAN_NS + 2 * _NS + 390_000_000, _BEGAN_NS)
    assert verdict(sound(), [late], commit_s=0.2).complaints == []
    tail = [each for each in sound() if each.number is None or not 80 <= each.number <= 200]
    renumbered = [each._replace(number=each.number - 121) if each.number and each.number > 200 else each for each in tail]
    found = verdict(renumbered, [KILL], last=COUNT - 121)
    assert found.silent == 0
    require(found, "a kill took 1.270 s", "gaps `down` begin 1.210 s behind the newest number")


def test_gaps_of_lives_that_committed_nothing_are_one_time_down() -> None:
    between_ns = KILL.at_ns + 100_000_000
    first, second = (KILL.at_ns - 60_000_000, between_ns), (between_ns + 150_000_000, between_ns + 300_000_000)
    chain = [
        gap("down", *span, stream=stream, seq=10_100 + n)
        for n, (span, stream) in enumerate((s, t) for s in (first, second) for t in ("oracle", "node"))
    ]
    numbers = [each for each in sound() if each.number]
    again = Fault("kill", second[0] + 50_000_000, between_ns)
    assert verdict([*numbers, *chain], [KILL, again]).complaints == []
    require(verdict([*numbers, *chain[:2]], [KILL, again]), "no gap `down` of oracle", "no gap `down` of node")


def test_kill_before_anything_was_produced_takes_nothing() -> None:
    early = Fault("kill", _BEGAN_NS + 2 * _NS + 390_000_000)
    found = verdict([each for each in sound() if each.gap is None], [early])
    assert (list(found.windows_s), found.complaints) == ([0.0], [])


def test_numbers_that_nobody_produced_are_seen() -> None:
    require(verdict(sound(), last=COUNT - 2), "numbers that nobody produced: 499 … 500")
