"""Refused rows and rows that kill the line: tried again within bounds, found, and never confused with a broker at fault."""

from __future__ import annotations

from edge_runtime.deliver.suspects import LONE_STRIKES, RETRY_AFTER_S, STRIKES, SUSPECTS, Poison, Refusals
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


def _play(poison: Poison, topics: list[list[int]], killers: set[int], limit: int = 200) -> list[int]:
    """A broker that drops the connection when it gets a killer, and topics that take turns, also over connections; the rows that end up buried."""
    buried: list[int] = []
    waiting = [list(rows) for rows in topics]
    for _ in range(limit):
        in_flight: list[int] = []
        sent: set[int] = set()
        answered = False
        while True:
            while (seq := _next(waiting, sent | poison.left_out)) is not None and len(in_flight) < 4 and poison.admits(seq, in_flight):
                in_flight.append(seq)
                sent.add(seq)
                waiting.append(waiting.pop(0))
            if not in_flight:
                return buried
            if in_flight[0] in killers:
                poison.lost(in_flight, answered)
                break
            taken = in_flight.pop(0)
            answered = True
            gone = {taken, *(guilty := poison.taken(taken))}
            buried += sorted(guilty)
            waiting = [[each for each in rows if each not in gone] for rows in waiting]
    return buried


def _next(topics: list[list[int]], without: set[int]) -> int | None:
    """The row whose turn it is; its topic comes first then."""
    for _ in topics:
        if rest := [seq for seq in topics[0] if seq not in without]:
            return rest[0]
        topics.append(topics.pop(0))
    return None


def test_poison_row_among_good_ones_is_the_one_buried() -> None:
    assert _play(Poison(), [list(range(20))], {7}) == [7]
    assert _play(Poison(), [list(range(20))], {0, 1, 12}) == [0, 1, 12]


def test_poison_rows_of_topics_that_take_turns_are_all_found() -> None:
    assert sorted(_play(Poison(), [[0, 2, 4, 6], [1, 3, 5, 7]], {0, 1})) == [0, 1]
    assert sorted(_play(Poison(), [[0, 3, 6], [1, 4, 7], [2, 5, 8]], {3, 4, 5})) == [3, 4, 5]


def test_poison_broker_that_kills_every_row_loses_none() -> None:
    assert _play(Poison(), [list(range(50))], set(range(50)), limit=1000) == []


def test_poison_line_that_works_between_losses_suspects_nobody() -> None:
    poison = Poison()
    for first in range(1, 10 * STRIKES):
        poison.taken(first - 1)
        poison.lost([first, first + 1, first + 2], answered=True)
        assert not poison.cautious and not poison.left_out
    for _ in range(10 * STRIKES):
        poison.lost([], answered=False)
    assert not poison.cautious
    assert poison.admits(1000, [1001, 1002])


def test_row_behind_which_the_answers_end_is_found_while_others_are_taken() -> None:
    """Other topics' rows are taken on each connection, so that the broker is plainly not at fault, and nothing is ever in flight alone by chance."""
    poison = Poison()
    company = iter(range(100, 1000))
    for _ in range(STRIKES):
        assert poison.admits(7, [8])
        poison.taken(next(company))
        poison.lost([7, next(company), next(company)], answered=True)
    assert poison.admits(7, []) and not poison.admits(7, [8]) and not poison.admits(8, [7])
    for _ in range(LONE_STRIKES):
        assert not poison.left_out
        poison.taken(next(company))
        poison.lost([7], answered=True)
    assert poison.left_out == {7}
    assert poison.taken(next(company)) == {7}
    assert poison.admits(8, [9])


def test_suspect_that_was_dropped_meanwhile_holds_nobody_up() -> None:
    """Its age or a full disk took it: nobody will ever say that it was taken."""
    poison = Poison()
    for _ in range(STRIKES):
        poison.taken(1)
        poison.lost([7, 8], answered=True)
    assert poison.admits(9, [8]) and not poison.cautious


def test_suspects_are_bounded() -> None:
    poison = Poison()
    for seq in range(10 * SUSPECTS):
        poison.taken(1000)
        poison.lost([seq], answered=True)
    assert len(poison._ends) == SUSPECTS
