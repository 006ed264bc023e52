"""Commands between two threads: what they may hold, where answers go, how many wait, and what a lost connection does to them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from edge_runtime.deliver.link import Message, Request
from edge_runtime.errors import EdgeError
from edge_runtime.runtime.commands import Commands
from edge_runtime.runtime.desk import PAYLOAD_BYTES, WAITING, Desk
from edge_runtime.types import Json

REPLY = "edge/v1/north/cam-1/reply"


def ask(name: str = "ping", payload: bytes = b"", response_topic: str = "", mid: int = 1) -> Request:
    return Request(name, payload, response_topic, b"c", mid, 1)


def one(desk: Desk) -> tuple[Message | None, Request]:
    """The next answer, sent."""
    outgoing = desk.outgoing()
    assert outgoing is not None
    desk.sent()
    return outgoing


def serve(desk: Desk, *requests: Request) -> None:
    """A table with one command that works and one that does not."""

    def fail(_: Mapping[str, Json]) -> Mapping[str, Json]:
        raise EdgeError("the disk is full: make room")

    desk.take(requests)
    Commands(desk, {"ping": lambda arguments: {"heard": dict(arguments)}, "fail": fail}).turn()


@pytest.mark.parametrize(
    ("payload", "response_topic", "reply_to"),
    [
        (b'{"id":"7"}', "", f"{REPLY}/7"),
        (b"", f"{REPLY}/me", f"{REPLY}/me"),
        (b"", f"{REPLY}/me/deeper", f"{REPLY}/me/deeper"),
        (b'{"id":"7"}', f"{REPLY}/me", f"{REPLY}/me"),
        (b"", "", None),
        (b' {"id":""} ', "", None),
    ],
)
def test_answer_goes_where_the_request_says(payload: bytes, response_topic: str, reply_to: str | None) -> None:
    desk = Desk(REPLY)
    serve(desk, ask(payload=payload, response_topic=response_topic))
    message, request = one(desk)
    assert (None if message is None else message.topic) == reply_to
    assert request.mid == 1
    if message is not None:
        body = json.loads(message.payload)
        assert body["ok"] is True and body["cmd"] == "ping" and body["v"] == 1
        assert (message.qos, message.retain, message.correlation) == (1, False, b"c")
    assert (desk.done, desk.failed) == (1, 0)


@pytest.mark.parametrize(
    "topic", ["edge/v1/north/cam-2/reply/x", f"{REPLY}", f"{REPLY}/", f"{REPLY}/+", f"{REPLY}/#", "edge/v1/north/cam-1/status", "x"]
)
def test_response_topic_elsewhere_is_refused_and_the_command_not_done(topic: str) -> None:
    desk = Desk(REPLY)
    serve(desk, ask(payload=b'{"id":"7"}', response_topic=topic))
    message, _ = one(desk)
    assert message is not None and message.topic == f"{REPLY}/7"
    said = json.loads(message.payload)
    assert said["ok"] is False and f"below {REPLY}/" in said["error"]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"{", "a JSON object"),
        (b"[1]", "found list"),
        (b"\xff", "a JSON object"),
        (b"[" * 60_000, "a JSON object"),
        (b'{"id":7}', "id: expected"),
        (b'{"id":"a/b"}', "id: expected"),
        (b'{"id":"#"}', "id: expected"),
    ],
)
def test_payload_that_is_none_is_refused_with_words(payload: bytes, words: str) -> None:
    desk = Desk(REPLY)
    serve(desk, ask(payload=payload, response_topic=f"{REPLY}/me"))
    message, _ = one(desk)
    assert message is not None
    assert words in json.loads(message.payload)["error"]
    assert (desk.done, desk.failed) == (0, 1)


def test_command_that_fails_or_is_unknown_says_why() -> None:
    desk = Desk(REPLY)
    serve(desk, ask("fail", b'{"id":"1"}'), ask("fly", b'{"id":"2"}'), ask("ping", b'{"id":"3","more":[1]}'))
    bodies = [json.loads(message.payload) for message, _ in (one(desk), one(desk), one(desk)) if message is not None]
    assert [body["id"] for body in bodies] == ["1", "2", "3"]
    assert bodies[0]["error"] == "the disk is full: make room"
    assert "expected one of fail, ping" in bodies[1]["error"]
    assert bodies[2]["data"] == {"heard": {"more": [1]}}


def test_echo_of_the_probe_is_acknowledged_and_not_done() -> None:
    desk = Desk(REPLY)
    echo = ask("echo", b"noise")
    assert desk.take([echo]) == [echo]
    assert desk.next() is None
    assert desk.outgoing() is None


def test_command_that_is_too_large_is_not_done() -> None:
    desk = Desk(REPLY)
    large = ask(payload=b" " * (PAYLOAD_BYTES + 1))
    assert desk.take([ask(payload=b" " * PAYLOAD_BYTES), large]) == [large]
    assert desk.failed == 1


@pytest.mark.parametrize("mid", [0, 1])
def test_commands_are_bounded_until_their_answers_are_sent(mid: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks with QoS 0 is held up by nothing, and a line that takes no answers is not either."""
    desk = Desk(REPLY)
    commands = Commands(desk, {"ping": lambda _: {}})
    left = [request for number in range(10 * WAITING) for request in desk.take([ask(mid=mid * number)])]
    assert len(left) == 9 * WAITING
    for _ in range(3):
        commands.turn()
        left += desk.take([ask(mid=0)])
    assert (desk.done, desk.failed) == (WAITING, len(left))
    assert sum("dropped" in record.message for record in caplog.records) == 1, "said once"
    one(desk)
    assert desk.take([ask(mid=0)]) == []
    assert len(desk.take([ask(mid=0)])) == 1
    commands.turn()
    while desk.owes:
        one(desk)
    assert desk.take([ask(mid=0)]) == []


def test_lost_connection_forgets_what_the_broker_sends_again() -> None:
    desk = Desk(REPLY)
    serve(desk, ask(mid=1), ask(mid=0))
    desk.take([ask("late", mid=2), ask("late-qos0", mid=0)])
    desk.forget()
    assert one(desk)[1].mid == 0
    assert desk.outgoing() is None
    waiting = desk.next()
    assert waiting is not None and waiting.name == "late-qos0"
    assert desk.next() is None
