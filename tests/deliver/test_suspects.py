"""Refused rows and rows that kill the line: tried again within bounds, found, and never confused with a broker at fault."""

from __future__ import annotations

from edge_runtime.deliver.suspects import LONE_STRIKES, RETRY_AFTER_S, STRIKES, Poison, Refusals
from edge_runtime.types import SpooledRow


def row(seq: int, topic: str = "t") -> SpooledRow:
    return SpooledRow(seq, topic, b"", 0)


def test_refused_row_is_due_again_with_growing_waits_then_given_up() -> None:
    refusals = Refusals()
    now = 100.0
    for wait in RETRY_AFTER_S:
        assert refusals.refused(row(1), "not authorized", now)
        assert refusals.due(now + wait - 0.01) == []
        assert refusals.holds("t")
        now += wait
        assert refusals.due(now) == [row(1)]
        assert not refusals.holds("t")
    assert not refusals.refused(row(1), "not authorized", now)
    assert not refusals.refused(row(2), "not authorized", now)  # the topic is hopeless: no more waiting
    refusals.taken("t")
    assert refusals.refused(row(3), "quota exceeded", now)


def test_refused_rows_of_one_window_come_again_in_order() -> None:
    refusals = Refusals()
    for seq in (3, 1, 2):
        assert refusals.refused(row(seq), "no", 0.0)
    assert refusals.refused(row(9, "other"), "no", 0.5)
    assert [each.seq for each in refusals.due(RETRY_AFTER_S[0])] == [1, 2, 3]
    assert refusals.next_s == 0.5 + RETRY_AFTER_S[0]


def test_topic_stays_held_when_the_connection_is_lost_with_the_refusal() -> None:
    refusals = Refusals()
    assert refusals.refused(row(1), "not authorized", 0.0)
    refusals.forget()
    assert refusals.holds("t") and refusals.topics == {"t"}
    assert refusals.due(RETRY_AFTER_S[0] - 0.01) == []
    assert refusals.due(RETRY_AFTER_S[0]) == [], "the spool offers them anew"
    assert not refusals.topics


def _play(poison: Poison, rows: list[int], killers: set[int], limit: int = 200) -> list[int]:
    """A broker that drops the connection when it gets a killer; the rows that end up buried."""
    buried: list[int] = []
    waiting = list(rows)
    for _ in range(limit):
        answered = False
        while True:
            offered = [seq for seq in waiting if seq not in poison.left_out][: 1 if poison.cautious else 4]
            if not offered:
                return buried
            killed = False
            in_flight = list(offered)
            for seq in offered:
                if seq in killers:
                    killed = True
                    break
                in_flight.remove(seq)
                waiting.remove(seq)
                answered = True
                for guilty in sorted(poison.taken()):
                    buried.append(guilty)
                    waiting.remove(guilty)
            if killed:
                poison.lost(in_flight, answered)
                break
    return buried


def test_poison_row_among_good_ones_is_the_one_buried() -> None:
    assert _play(Poison(), list(range(20)), {7}) == [7]
    assert _play(Poison(), list(range(20)), {0, 1, 12}) == [0, 1, 12]


def test_poison_broker_that_kills_every_row_loses_none() -> None:
    assert _play(Poison(), list(range(50)), set(range(50)), limit=1000) == []


def test_poison_line_that_works_between_losses_suspects_nobody() -> None:
    poison = Poison()
    for first in range(1, 10 * STRIKES):
        poison.taken()
        poison.lost([first, first + 1, first + 2], answered=True)
        assert not poison.cautious and not poison.left_out
    for _ in range(10 * STRIKES):
        poison.lost([], answered=False)
    assert not poison.cautious


def test_row_behind_which_the_answers_end_is_found_while_others_are_taken() -> None:
    """Other topics' rows are taken on each connection, so that the broker is plainly not at fault, and nothing is ever in flight alone by chance."""
    poison = Poison()
    company = iter(range(100, 1000))
    for _ in range(STRIKES):
        assert not poison.cautious
        poison.taken(next(company))
        poison.lost([7, next(company), next(company)], answered=True)
    assert poison.cautious
    for _ in range(LONE_STRIKES):
        assert not poison.left_out
        poison.taken(next(company))
        poison.lost([7], answered=True)
    assert poison.left_out == {7}
    assert poison.taken(next(company)) == {7}
    assert not poison.cautious
