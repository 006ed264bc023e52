"""A link: a sink that one thread can wait on, and that also carries what is not spooled (status, health, boxes of live frames)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from edge_runtime.types import Settlement, SpooledRow


class LinkState(NamedTuple):
    """How the far end is. `reason` says why it is not connected; `connects` counts connections, so that a quick loss is not missed."""

    name: Literal["connecting", "connected", "offline"] = "connecting"
    reason: str = ""
    connects: int = 0


class Message(NamedTuple):
    """What is said without the spool."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


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

    def wait(self, timeout: float) -> None:
        """Until there is something new, `wake` was called, or `timeout` seconds passed."""

    def wake(self) -> None:
        """End a `wait`, now or the next. From any thread."""
