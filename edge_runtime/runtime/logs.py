"""Logs on stderr: one line a state change, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque

KEPT_LINES = 200
_newest: deque[str] = deque(maxlen=KEPT_LINES)  # of this process, for `cmd/dump`


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        body = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            body["trace"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)


class _Kept(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _newest.append(self.format(record))


def newest(count: int) -> list[str]:
    """The last `count` lines that were written, KEPT_LINES at most."""
    return list(_newest)[-count:]


def set_up(style: str, level: str) -> None:
    """Send this package's log to stderr as `plain` or `json` lines from `level` on. Called again, it replaces what was set."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(_JsonLines() if style == "json" else plain)
    root = logging.getLogger("edge_runtime")
    kept = _Kept()
    kept.setFormatter(handler.formatter)
    root.handlers[:] = [handler, kept]
    root.setLevel(level.upper())
    root.propagate = False
