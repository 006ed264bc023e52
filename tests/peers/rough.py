"""A network as it is at the edge of a cell: every byte takes its time, sometimes nothing moves, sometimes the connection is reset."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Coroutine
from typing import Any


class RoughNetwork:
    """Forwards `port` (its own) to `target`, `latency_s` later each way. Bytes keep their order; as many as fit may be on the way."""

    def __init__(self, target: int, latency_s: float) -> None:
        self.stalls = 0
        self.resets_ns: list[int] = []  # when, by the wall clock
        self._target = target
        self._latency_s = latency_s
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._moving = asyncio.Event()
        self._moving.set()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def trouble(self, seed: int, rounds: int) -> None:
        """So many times: some quiet seconds, then a stall of up to four, or a reset, or both. Returns when all of that is over."""
        self._do(self._trouble(random.Random(seed), rounds))

    def close(self) -> None:
        """Let go of everything."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __enter__(self) -> RoughNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- in the loop's thread --------------------------------------------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _trouble(self, chance: random.Random, rounds: int) -> None:
        for number in range(rounds):
            await asyncio.sleep(chance.uniform(0.2, 2.5))
            stall, reset = number % 3 != 2, number % 3 != 0
            if stall:
                self.stalls += 1
                self._moving.clear()
                await asyncio.sleep(chance.uniform(0.5, 4.0))
            if reset and self._open:
                self.resets_ns.append(time.time_ns())
                for writer in list(self._open):
                    writer.transport.abort()
            self._moving.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._open |= both
        ways = [asyncio.ensure_future(self._carry(reader, far_writer)), asyncio.ensure_future(self._carry(far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= both
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in both:
                each.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until it ends."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)
        arriving = asyncio.ensure_future(self._arrive(on_the_way, writer))
        try:
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(65536):
                    await on_the_way.put((self._loop.time() + self._latency_s, piece))
            await on_the_way.put((self._loop.time() + self._latency_s, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due_s, piece = await on_the_way.get()
            await asyncio.sleep(due_s - self._loop.time())
            await self._moving.wait()
            if not piece:
                return
            writer.write(piece)
            with contextlib.suppress(ConnectionError):
                await writer.drain()

    async def _end(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks(self._loop) if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
