"""A link: a sink that one thread can wait on, that also carries what is not spooled (status, health, answers), and that hears commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from edge_runtime.types import Settlement, SpooledRow

CAUSES: Mapping[str, str] = {
    "tls-untrusted": "the broker's certificate was issued by nobody who is trusted here",
    "tls-expired": "the broker's certificate has expired",
    "tls-not-yet-valid": "the broker's certificate is not valid yet: mostly this device's clock is behind",
    "clock": "the broker's certificate cannot be judged before this device's clock is synchronised (state waiting-for-time)",
    "tls-host": "the broker's certificate is for another host",
    "tls-own-certificate": "the broker does not accept this node's certificate",
    "tls": "no TLS came about",
    "login": "the broker refuses the login",
    "refused": "the broker lets us in and refuses a publish or a subscription: mostly its ACL",
    "client-id": "another client has the same client_id",
    "name": "the broker's name was not found",
    "unreachable": "nobody answers at the broker's address",
    "file": "a file that [mqtt] names cannot be used",
    "broker": "the broker cannot serve, or says what is no MQTT",
    "lost": "the connection was lost",
}
"""What can be wrong with the line to the broker: one word each for `check --online`, the log and `health`, and what it means."""


class LinkState(NamedTuple):
    """How the far end is. `reason` says why it is not connected; `connects` counts connections, so that a quick loss is not missed.

    `cause` is a key of CAUSES while it is not connected. `refused` says what is not spooled and that this connection's broker does not take.
    """

    name: Literal["connecting", "connected", "offline", "waiting-for-time"] = "connecting"
    reason: str = ""
    connects: int = 0
    cause: str = ""
    refused: str = ""


class Message(NamedTuple):
    """What is published. What stands behind `retain` exists in MQTT 5 only and is left out on MQTT 3.1.1."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expiry_s: int = 0  # how long the broker may keep it for those who are away; 0: for ever
    content_type: str = ""
    user: tuple[tuple[str, str], ...] = ()  # user properties
    correlation: bytes = b""


class Request(NamedTuple):
    """A command as it came: `name` is what stands behind cmd/. `mid` and `connects` say to whom `acknowledge` speaks; 0: nobody waits for that."""

    name: str
    payload: bytes
    response_topic: str = ""
    correlation: bytes = b""
    mid: int = 0
    connects: int = 0


class Link(Protocol):
    """`contracts.Sink`, and more. One thread calls everything but `wake`."""

    @property
    def state(self) -> LinkState: ...

    def connect(self) -> None: ...

    def offer(self, row: SpooledRow) -> bool: ...

    def settled(self) -> Sequence[Settlement]: ...

    def close(self, deadline_s: float) -> None: ...

    def tell(self, message: Message) -> bool:
        """Say something that is not spooled. False: not connected, the window is full (QoS 1), or the line is congested (QoS 0)."""

    @property
    def untold(self) -> int:
        """Messages of QoS 1 that were told and are not acknowledged yet."""

    def requests(self) -> Sequence[Request]:
        """Commands that came since the last call. Never blocks."""

    def acknowledge(self, request: Request) -> None:
        """`request` was done: the broker need not send it again. Nothing happens when its connection is gone: then the broker sends it once more."""

    def wait(self, timeout: float) -> None:
        """Until there is something new, `wake` was called, or `timeout` seconds passed."""

    def wake(self) -> None:
        """End a `wait`, now or the next. From any thread."""
