"""Commands as the broker brings them, until somebody fetches them."""

from __future__ import annotations

import logging

from edge_runtime.deliver.link import Request
from edge_runtime.deliver.news import Incoming

_log = logging.getLogger("edge_runtime.mqtt")

REQUESTS = 64  # that wait to be fetched; on MQTT 5 the broker sends far fewer


class Inbox:
    """`commands` is the topic below which they come."""

    def __init__(self, commands: str) -> None:
        self._below = f"{commands}/"
        self._requests: list[Request] = []

    def take(self, message: Incoming, connects: int) -> Request | None:
        """Keep a command. What is none comes back, to be acknowledged at once; so does a retained one: it would be done again at each start."""
        name = message.topic.removeprefix(self._below)
        request = Request(name, message.payload, message.response_topic, message.correlation, message.mid, connects)
        if not message.retained and message.topic != name and len(self._requests) < REQUESTS:
            self._requests.append(request)
            return None
        why = "it is retained: a command is for now" if message.retained else "too many wait" if message.topic != name else "it is no command"
        _log.warning("%s: not done: %s", message.topic, why)
        return request

    def fetch(self) -> list[Request]:
        """Those that came since the last call."""
        found, self._requests = self._requests, []
        return found

    def clear(self) -> None:
        """The connection is gone: the broker sends them again."""
        self._requests.clear()
