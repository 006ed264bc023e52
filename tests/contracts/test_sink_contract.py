"""One suite for every sink of the table: what `contracts.Sink` promises, with the real thing at the far end where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.deliver import SINKS
from edge_runtime.deliver.link import Link, Message
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.types import Settlement, SpooledRow
from tests.peers.broker import Broker

pytestmark = pytest.mark.system
Maker = Callable[[], Link]


def _mqtt(kind: Any, folder: Path, stack: ExitStack) -> Link:
    broker = stack.enter_context(Broker(folder / "broker"))
    return kind(MqttOptions(url=broker.url), "contract")  # type: ignore[no-any-return]


MAKERS: dict[str, Callable[[Any, Path, ExitStack], Link]] = {
    "mqtt": _mqtt,
    "memory": lambda kind, _folder, _stack: kind(),
    "lines": lambda kind, folder, _stack: kind(folder / "rows.jsonl"),
}


def test_every_row_of_the_table_has_a_maker_here() -> None:
    assert set(MAKERS) == set(SINKS)


@pytest.fixture(params=sorted(SINKS))
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    module, name = SINKS[request.param].split(":")
    with ExitStack() as stack:
        made = MAKERS[request.param](getattr(import_module(module), name), tmp_path, stack)
        stack.callback(made.close, 2.0)
        yield made


def _row(seq: int) -> SpooledRow:
    return SpooledRow(seq, "edge/v1/a/b/obs/s/count", b'{"v":1,"n":%d}' % seq, 1)


def _until(sink: Link, condition: Callable[[], bool]) -> list[Settlement]:
    found: list[Settlement] = []
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, sink.state
        sink.wait(0.05)
        found += sink.settled()
    return found


def test_offer_before_connect_takes_nothing(sink: Link) -> None:
    assert not sink.offer(_row(1))
    assert list(sink.settled()) == []


def test_connect_returns_at_once(sink: Link) -> None:
    began = time.monotonic()
    sink.connect()
    assert time.monotonic() - began < 1


def test_every_row_is_settled_once_and_the_window_is_bounded(sink: Link) -> None:
    sink.connect()
    _until(sink, lambda: sink.state.name == "connected")
    assert sink.state.connects == 1
    taken = 0
    while sink.offer(_row(taken + 1)):
        taken += 1
        assert taken <= 16
    found: list[Settlement] = []
    end = time.monotonic() + 10
    while len(found) < 100 and time.monotonic() < end:
        found += sink.settled()
        while taken < 100 and sink.offer(_row(taken + 1)):
            taken += 1
        sink.wait(0.05)
    assert sorted(each.seq for each in found) == list(range(1, 101))
    assert all(each.accepted and not each.why for each in found)
    assert list(sink.settled()) == []


def test_settled_never_blocks(sink: Link) -> None:
    sink.connect()
    _until(sink, lambda: sink.state.name == "connected")
    sink.offer(_row(1))
    began = time.monotonic()
    for _ in range(50):
        sink.settled()
    assert time.monotonic() - began < 1


def test_tell_goes_only_when_connected(sink: Link) -> None:
    assert not sink.tell(Message("edge/v1/a/b/health", b"{}"))
    sink.connect()
    _until(sink, lambda: sink.state.name == "connected")
    assert sink.tell(Message("edge/v1/a/b/health", b"{}"))
    assert sink.tell(Message("edge/v1/a/b/status", b"online", 1, True))
    _until(sink, lambda: not sink.untold)


def test_wake_ends_a_wait(sink: Link) -> None:
    sink.wake()
    began = time.monotonic()
    sink.wait(30)
    assert time.monotonic() - began < 10


def test_close_is_idempotent_and_nothing_is_taken_afterwards(sink: Link) -> None:
    sink.connect()
    _until(sink, lambda: sink.state.name == "connected")
    sink.close(1.0)
    sink.close(1.0)
    assert sink.state.name == "offline"
    assert not sink.offer(_row(1))
    assert not sink.tell(Message("edge/v1/a/b/health", b"{}"))
    assert list(sink.settled()) == []
    sink.wake()
