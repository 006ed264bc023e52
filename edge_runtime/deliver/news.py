"""What a line to the broker tells: paho's callbacks as plain values, with reason codes in words.

CONNACK ─► Greeting    PUBACK ─► Ack    SUBACK ─► Subscribed    PUBLISH ─► Incoming    DISCONNECT, an error ─► Ended
"""

from __future__ import annotations

from typing import Any, NamedTuple

_LOGIN = (0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C)  # reason codes of CONNACK that a login, a certificate or an ACL decides (MQTT 5, 3.2.2.2)
_FINAL = (0x90, 0x95, 0x99)  # of PUBACK: topic name invalid, packet too large, payload format invalid: a further try is the same


class Greeting(NamedTuple):
    """The broker's CONNACK: empty `refusal` when it lets us in."""

    refusal: str
    cause: str
    receive_maximum: int
    packet_maximum: int  # 0: no limit


class Ack(NamedTuple):
    """The broker's word on one publish; empty `refusal` when it took it."""

    mid: int
    refusal: str
    final: bool = False  # a further try would be the same


class Subscribed(NamedTuple):
    """The broker's word on our subscription; empty `refusal` when it took it."""

    refusal: str


class Incoming(NamedTuple):
    """A message for us. `mid` is 0 when nothing is to be acknowledged."""

    mid: int
    topic: str
    payload: bytes
    retained: bool
    response_topic: str
    correlation: bytes


class Ended(NamedTuple):
    """The connection is over."""

    why: str
    cause: str = "lost"


News = Greeting | Ack | Subscribed | Incoming | Ended


def incoming(message: Any) -> Incoming:
    """A message of paho's. Raises UnicodeDecodeError for a topic that is no text."""
    properties = message.properties
    return Incoming(
        message.mid if message.qos else 0,
        message.topic,
        message.payload,
        bool(message.retain),
        getattr(properties, "ResponseTopic", ""),
        getattr(properties, "CorrelationData", b""),
    )


def answer(mid: int, reason: Any) -> Ack:
    """A PUBACK."""
    if not reason.is_failure:
        return Ack(mid, "")
    return Ack(mid, str(reason), reason.value in _FINAL)


def greeting(reason: Any, properties: Any) -> Greeting:
    """A CONNACK: whether this broker can serve."""
    refusal = cause = ""
    if reason.is_failure:
        refusal, cause = f"the broker refuses the connection: {reason}", "broker"
        if reason.value in _LOGIN:
            refusal, cause = f"{refusal}; check [mqtt] username, password, cert and client_id", "login"
    elif getattr(properties, "MaximumQoS", 1) < 1:
        refusal, cause = "the broker takes no QoS 1, without which nothing is acknowledged", "broker"
    elif getattr(properties, "RetainAvailable", 1) < 1:
        refusal, cause = "the broker keeps no retained messages, without which nobody sees whether this node is online", "broker"
    return Greeting(refusal, cause, getattr(properties, "ReceiveMaximum", 65535), getattr(properties, "MaximumPacketSize", 0))


def ending(flags: Any, reason: Any) -> Ended:
    """Why a connection ended."""
    if flags.is_disconnect_packet_from_server:
        text = f"the broker ended the connection: {reason}"
        if reason.value == 0x8E:
            return Ended(text + ": is there another client with this client_id?", "client-id")
        return Ended(text, "login" if reason.value == 0x87 else "lost")
    return Ended("the connection was lost" if reason.is_failure else "disconnected")
