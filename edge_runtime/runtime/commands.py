"""What may be asked of a running node below its cmd/: one row a command, done in the main thread, one after the other.

    ping      is the daemon's main loop alive? {"time", "uptime_s"}
    reload    read the config file again, as SIGHUP does: {"begun_anew": [cameras and sensors]}, or the error, and everything goes on as before
    dump      diagnostics: info, health, the config without secrets, where every thread stands, the newest lines of the log

Who may ask is decided by the broker's ACL: whoever may publish below …/cmd/.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from edge_runtime.errors import EdgeError
from edge_runtime.runtime.desk import Desk, Task
from edge_runtime.types import Json

_log = logging.getLogger("edge_runtime.commands")

ERROR_CHARS = 4000
Command = Callable[[Mapping[str, Json]], Mapping[str, Json]]  # raises EdgeError with what is wrong


class Commands:
    """Does what the desk brings. `turn` is called by the main thread."""

    def __init__(self, desk: Desk, table: Mapping[str, Command]) -> None:
        self._desk = desk
        self._table = table

    def turn(self) -> None:
        """Do everything that waits."""
        while (task := self._desk.next()) is not None:
            self._do(task)

    def _do(self, task: Task) -> None:
        command = self._table.get(task.name)
        fault = task.fault
        if command is None:
            fault = f"there is no command of this name: expected one of {', '.join(sorted(self._table))}"
        if fault or command is None:
            self._refuse(task, fault)
            return
        try:
            body = command(task.arguments)
        except EdgeError as error:
            self._refuse(task, str(error))
            return
        _log.info("cmd/%s: done", task.name)
        self._desk.answer(task, body, ok=True)

    def _refuse(self, task: Task, why: str) -> None:
        _log.warning("cmd/%s: not done: %s", task.name[:64], why.partition("\n")[0])
        self._desk.answer(task, {"error": why[:ERROR_CHARS]}, ok=False)
