"""What is told without the spool (status, info, answers) and can never arrive: set aside after a bounded number of tries, so that the rest flows.

larger than the broker's Maximum Packet Size (MQTT 5 says it at once)          never sent
the connection ends, with this as the first that was not answered,
though the broker had answered others before: 3 times in a row                 not sent again, until it says something else

Rows of the spool have the same in `suspects.py`, where they are buried and told as gaps.
"""

from __future__ import annotations

import logging

from edge_runtime.deliver.link import Message

_log = logging.getLogger("edge_runtime.mqtt")

STRIKES = 3
TOPICS = 64
_OVERHEAD = 16  # bytes of a PUBLISH beside topic, payload and properties, at most
_EXPIRY = 5
_PROPERTY = 3  # name and length of one that is a text or bytes; a user property has two lengths


def packet_bytes(message: Message) -> int:
    """How large its PUBLISH is on MQTT 5, at most (MQTT 5, 2.2.2 and 3.3)."""
    texts = sum(len(text.encode()) + _PROPERTY for pair in message.user for text in pair)
    properties = _EXPIRY + len(message.content_type) + len(message.correlation) + 2 * _PROPERTY + texts
    return len(message.payload) + len(message.topic.encode()) + _OVERHEAD + properties


class SetAside:
    """One entry a topic, TOPICS at most: the oldest is forgotten, and then tried again."""

    def __init__(self) -> None:
        self._strikes: dict[str, tuple[bytes, int]] = {}  # topic -> what was said, and how often that ended a connection
        self._large: set[str] = set()

    def too_large(self, message: Message, limit: int) -> None:
        """The broker said how much it takes; this is more."""
        if message.topic not in self._large:
            self._large = {*sorted(self._large)[: TOPICS - 1], message.topic}
            _log.error("%s: %d bytes are more than the broker's limit of %d: not sent", message.topic, len(message.payload), limit)

    def struck(self, message: Message) -> None:
        """A connection ended when the broker should have answered this."""
        before, count = self._strikes.pop(message.topic, (message.payload, 0))
        count = count + 1 if before == message.payload else 1
        self._strikes[message.topic] = (message.payload, count)
        while len(self._strikes) > TOPICS:
            del self._strikes[next(iter(self._strikes))]
        if count == STRIKES:
            _log.error(
                "%s: the broker ended the connection %d times when it was sent (%d bytes): not sent again", message.topic, count, len(message.payload)
            )

    def taken(self, message: Message) -> None:
        """The broker answered it."""
        self._strikes.pop(message.topic, None)
        self._large.discard(message.topic)

    def holds(self, message: Message) -> bool:
        """Whether it is not to be sent."""
        payload, count = self._strikes.get(message.topic, (b"", 0))
        return count >= STRIKES and payload == message.payload
