"""The hand-over between a lane's threads."""

from __future__ import annotations

import threading

from edge_runtime.runtime.mailbox import Mailbox


def test_latest_wins_replaces_and_returns_the_loser() -> None:
    box: Mailbox[int] = Mailbox()
    assert box.put(1, 0) is None
    assert box.put(2, 0) == 1
    assert box.get(0) == 2
    assert box.get(0) is None


def test_waiting_giver_drops_nothing_and_keeps_order() -> None:
    box: Mailbox[int] = Mailbox(capacity=2, latest_wins=False)
    taken: list[int] = []

    def take() -> None:
        while not box.exhausted:
            item = box.get(0.05)
            if item is not None:
                taken.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for number in range(500):
        assert box.put(number, 5) is None
    box.close()
    taker.join(5)
    assert taken == list(range(500))


def test_waiting_giver_gets_its_item_back_when_out_of_time() -> None:
    box: Mailbox[int] = Mailbox(capacity=1, latest_wins=False)
    box.put(1, 0)
    assert box.put(2, 0.01) == 2
    assert box.get(0) == 1


def test_close_wakes_a_waiting_taker_and_refuses_more() -> None:
    box: Mailbox[int] = Mailbox()
    threading.Timer(0.05, box.close).start()
    assert box.get(10) is None
    assert box.exhausted
    assert box.put(1, 0) == 1


def test_closed_box_still_gives_what_is_inside() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(7, 0)
    box.close()
    assert not box.exhausted
    assert box.get(0) == 7
    assert box.exhausted
