"""An MQTT broker inside this process, for people who have none: MQTT 3.1.1, on loopback only, gone when the process ends.

    start    bind (port 0: any that is free) ─► a thread with an event loop of its own ─► amqtt takes each connection
    close    nobody new ─► amqtt says goodbye to its sessions ─► the loop ends; all within a bound, the port is free again

The socket is ours and not amqtt's: so a port that is taken is found here, in the caller's thread, and a free one is known without a race.
It keeps nothing on disk. It is there to be looked at, not to be relied on: a city runs a broker of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import Any

from edge_runtime.errors import CannotStart

HOST = "127.0.0.1"
START_S = 20.0  # importing it on a slow board
FAREWELL_S = 3.0  # for the sessions; what does not end by then is cut off

_LISTENER = "default"  # amqtt insists on one of this name
_CONFIG = {
    "listeners": {_LISTENER: {"type": "external"}},  # connections are handed to it
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


class EmbeddedBroker:
    """`start` once, `close` once, from one thread."""

    def __init__(self, port: int = 0) -> None:
        """`port` 0: any that is free."""
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._ended: asyncio.Event | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """What a client connects to; the port is known after `start`."""
        return f"mqtt://{HOST}:{self.port}"

    def start(self) -> None:
        """Return when clients are served. Raises CannotStart: the port is taken, or the broker does not come up."""
        listening = self._bound()
        self.port = int(listening.getsockname()[1])
        self._thread = threading.Thread(target=self._run, args=(listening,), name="broker", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_S):
            raise CannotStart(f"the embedded broker did not start within {START_S:.0f} s")
        if self._failure is not None:
            raise CannotStart(f"the embedded broker did not start: {self._failure}")

    def close(self) -> None:
        """End it: clients are cut off, the port is free. Idempotent, bounded by about twice FAREWELL_S."""
        loop, ended = self._loop, self._ended
        if self._thread is None or loop is None or ended is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(ended.set)
        self._thread.join(2 * FAREWELL_S + 1.0)

    def _bound(self) -> socket.socket:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((HOST, self.port))
            listening.listen()
        except OSError as error:
            listening.close()
            raise CannotStart(f"port {self.port} of {HOST} cannot be had: {error.strerror}; leave --port out, and any free one is taken") from None
        return listening

    # -- the thread ------------------------------------------------------------------------------------------------------------

    def _run(self, listening: socket.socket) -> None:
        _quieten()
        loop = self._loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _loop, context: logging.getLogger("amqtt").debug("%s", context))
        try:
            loop.run_until_complete(self._serve(listening))
        except Exception as error:  # noqa: BLE001 - whoever waits in `start` raises it
            self._failure = error
        finally:
            self._sweep(loop)
            listening.close()
            self._ready.set()

    async def _serve(self, listening: socket.socket) -> None:
        from amqtt.broker import Broker

        self._ended = asyncio.Event()
        broker = Broker(_CONFIG, loop=asyncio.get_running_loop())
        await broker.start()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await broker.stream_connected(reader, writer, _LISTENER)
            except (ConnectionError, asyncio.CancelledError):
                pass  # gone, or we end
            finally:
                writer.close()  # amqtt leaves open what never became a session

        server = await asyncio.start_server(connected, sock=listening)
        self._ready.set()
        await self._ended.wait()
        server.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(broker.shutdown(), FAREWELL_S)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing of the loop outlives it."""
        left: set[asyncio.Task[Any]] = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=FAREWELL_S))
        loop.run_until_complete(asyncio.sleep(0))  # connections that were closed just now say so in the next turn
        loop.close()


def _quieten() -> None:
    """What amqtt and its state machine log is about their inside: nothing of it belongs on the terminal of somebody who watches a street."""
    for name in ("amqtt", "transitions"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
