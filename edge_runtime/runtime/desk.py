"""Commands on their way: from the publisher's thread to the one that does them, and the answers back.

    cmd/<name> ─► publisher ─take─► waiting (bounded) ─next─► main thread does it ─answer─► answers ─► publisher ─► reply, then PUBACK of the command

The payload is empty, or a JSON object; what it holds beside `id` is for the command. The answer goes to the request's ResponseTopic (MQTT 5; only
below …/reply/, so that nobody makes this node speak elsewhere), else to …/reply/<id>; with neither the command is done and nobody hears of it.

A command is acknowledged after its answer has been written. When the connection is lost before that, what came by it is forgotten here and the
broker sends it once more: at least once, so every command must bear being done twice.

WAITING is the bound of all that is not over: waiting, being done, or with an answer that the line has no room for. A broker keeps to its own bound
only for QoS 1 on MQTT 5. What comes beyond is dropped and acknowledged; the log says so once, until all are through.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from edge_runtime.deliver.link import Message, Request
from edge_runtime.types import Json

_log = logging.getLogger("edge_runtime.commands")

WAITING = 32
PAYLOAD_BYTES = 65_536  # on MQTT 5 the broker was told so
REPLY_EXPIRY_S = 300
IGNORED = ("echo",)  # `check --online` proves with it that publishing works
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REST = re.compile(r"[^+#\0]{1,200}")


class Task(NamedTuple):
    """One command to be done. `fault` says why it cannot be; `reply_to` is empty when nobody is told."""

    name: str
    arguments: Mapping[str, Json]
    fault: str
    id: str
    reply_to: str
    request: Request


class Desk:
    """`take`, `forget`, `outgoing`, `sent` and `owes` for the publisher's thread, `next` and `answer` for the one that does commands."""

    def __init__(self, reply_prefix: str) -> None:
        self._prefix = reply_prefix
        self._lock = threading.Lock()
        self._waiting: deque[Task] = deque()  # at most WAITING
        self._doing = 0
        self._answers: deque[tuple[Message | None, Request]] = deque()
        self._full = False  # and the log knows
        self._called: Callable[[], None] = _nobody
        self._answered: Callable[[], None] = _nobody
        self.done = 0
        self.failed = 0

    def listen(self, called: Callable[[], None]) -> None:
        """Call `called` (which must not block) in the publisher's thread when there is something to do."""
        self._called = called

    # -- for the publisher's thread --------------------------------------------------------------------------------------------

    def attend(self, answered: Callable[[], None]) -> None:
        """Call `answered` (which must not block) when there is an answer to send."""
        self._answered = answered

    def take(self, requests: Sequence[Request]) -> list[Request]:
        """Commands that came; those of them that are not done, and can be acknowledged at once."""
        with self._lock:
            left = [request for request in requests if not self._accepts(request)]
        if len(left) < len(requests):
            self._called()
        return left

    def forget(self) -> None:
        """The connection was lost: what the broker will send again is dropped."""
        with self._lock:
            self._waiting = deque(task for task in self._waiting if not task.request.mid)
            self._answers = deque(answer for answer in self._answers if not answer[1].mid)

    def outgoing(self) -> tuple[Message | None, Request] | None:
        """The next answer to send, and the command that is done with it."""
        with self._lock:
            return self._answers[0] if self._answers else None

    @property
    def owes(self) -> bool:
        """Whether a command was done whose answer is not on its way yet."""
        with self._lock:
            return bool(self._answers)

    def sent(self) -> None:
        """The answer that `outgoing` showed is on its way."""
        with self._lock:
            self._answers.popleft()

    # -- for whoever does them -------------------------------------------------------------------------------------------------

    def next(self) -> Task | None:
        """What is to be done next."""
        with self._lock:
            if not self._waiting:
                return None
            self._doing += 1
            return self._waiting.popleft()

    def answer(self, task: Task, body: Mapping[str, Json], *, ok: bool) -> None:
        """`task` was done (`body` under "data"), or could not be (`body` is {"error": why})."""
        said = {"v": 1, "cmd": task.name, "id": task.id or None, "ok": ok, **({"data": body} if ok else body)}
        payload = json.dumps({key: value for key, value in said.items() if value is not None}, separators=(",", ":"), ensure_ascii=False).encode()
        reply = Message(task.reply_to, payload, 1, expiry_s=REPLY_EXPIRY_S, content_type="application/json", correlation=task.request.correlation)
        with self._lock:
            self._doing -= 1
            self.done += ok
            self.failed += not ok
            self._answers.append((reply if task.reply_to else None, task.request))
        self._answered()

    # -- inside ----------------------------------------------------------------------------------------------------------------

    def _accepts(self, request: Request) -> bool:
        if request.name in IGNORED:
            return False
        if len(request.payload) > PAYLOAD_BYTES:
            self.failed += 1
            _log.warning("cmd/%s: not done: %d bytes are more than a command may have (%d)", request.name[:64], len(request.payload), PAYLOAD_BYTES)
            return False
        busy = len(self._waiting) + self._doing + len(self._answers)
        self._full = self._full and busy > 0
        if busy < WAITING:
            self._waiting.append(self._read(request))
            return True
        self.failed += 1
        if not self._full:
            self._full = True
            _log.warning("cmd/%s: not done: %d wait, or their answers do: what comes meanwhile is dropped", request.name[:64], WAITING)
        return False

    def _read(self, request: Request) -> Task:
        arguments, fault = _arguments(request.payload)
        identity = arguments.pop("id", "")
        if not (isinstance(identity, str) and (not identity or _ID.fullmatch(identity))):
            identity, fault = "", fault or "id: expected a text of 1 to 64 letters, digits, dots, hyphens and underscores"
        below = f"{self._prefix}/"
        reply_to = f"{below}{identity}" if identity else ""
        if request.response_topic:
            rest = request.response_topic.removeprefix(below)
            if rest != request.response_topic and _REST.fullmatch(rest):
                reply_to = request.response_topic
            else:
                fault = fault or f"response topic: expected one below {below}"
                _log.warning("cmd/%s: its response topic is not below %s", request.name, below)
        return Task(request.name, arguments, fault, identity, reply_to, request)


def _arguments(payload: bytes) -> tuple[dict[str, Json], str]:
    """The object of a payload, and what is wrong with it."""
    if not payload.strip():
        return {}, ""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}, "expected an empty payload or a JSON object, found something else"
    return (found, "") if isinstance(found, dict) else ({}, f"expected a JSON object, found {type(found).__name__}")


def _nobody() -> None:
    """Nobody listens yet."""
