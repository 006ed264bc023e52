"""What is told and never arrives is set aside after a bounded number of tries, and comes back when it changes."""

from __future__ import annotations

from edge_runtime.deliver.link import Message
from edge_runtime.deliver.setaside import STRIKES, TOPICS, SetAside, packet_bytes


def test_message_is_held_after_its_strikes_and_no_other() -> None:
    aside = SetAside()
    info, other = Message("info", b"large", 1, True), Message("status", b"online", 1, True)
    for _ in range(STRIKES):
        assert not aside.holds(info)
        aside.struck(info)
    assert aside.holds(info)
    assert not aside.holds(other)
    assert not aside.holds(info._replace(payload=b"smaller"))


def test_message_that_is_taken_in_between_begins_anew() -> None:
    aside = SetAside()
    info = Message("info", b"large", 1, True)
    for _ in range(STRIKES * 3):
        aside.struck(info)
        aside.taken(info)
        assert not aside.holds(info)


def test_topics_that_are_remembered_are_bounded() -> None:
    aside = SetAside()
    messages = [Message(f"reply/{number}", b"x", 1) for number in range(3 * TOPICS)]
    for message in messages:
        for _ in range(STRIKES):
            aside.struck(message)
    assert sum(aside.holds(message) for message in messages) == TOPICS
    assert aside.holds(messages[-1])


def test_packet_bytes_is_never_less_than_what_paho_sends() -> None:
    from edge_runtime.deliver.line import _properties

    user = (("id", "ü" * 10), ("source", "edge/v1/a/b"))
    for message in (
        Message("edge/ü", b"x" * 200, 1, expiry_s=60),
        Message("t", b"", 1, expiry_s=60, content_type="application/json", user=user, correlation=b"12345678"),
    ):
        sent = 1 + 4 + 2 + len(message.topic.encode()) + 2 + len(_properties(message).pack()) + len(message.payload)
        assert sent - 4 <= packet_bytes(message) <= sent + 40
