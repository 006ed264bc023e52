"""What `cmd/dump` answers: enough to see from afar why a node does what it does. No secret, no pixel, bounded in size."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.config.schema import Config
from edge_runtime.options import Secret
from edge_runtime.runtime import logs
from edge_runtime.sources import redact
from edge_runtime.types import Json

FRAMES = 6  # of each thread, the innermost
THREADS = 64
LOG_LINES = 100
TEXT_CHARS = 500
CONFIG_CHARS = 100_000


def diagnostics(config: Config, info: Json, health: Json) -> Mapping[str, Json]:
    """The body of the answer."""
    written = plain(config)
    size = len(json.dumps(written))
    if size > CONFIG_CHARS:
        written = {"file": str(config.file), "left_out": f"{size} characters are more than {CONFIG_CHARS}"}
    lines = [line[:TEXT_CHARS] for line in logs.newest(LOG_LINES)]
    return {"info": info, "health": health, "config": written, "threads": threads(), "log": lines}


def threads() -> Mapping[str, Json]:
    """Where every thread stands: its innermost frames, outermost first, as "file:line function"."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found: dict[str, Json] = {}
    for number, frame in list(sys._current_frames().items())[:THREADS]:
        frames = traceback.extract_stack(frame)[-FRAMES:]
        found[f"{names.get(number, 'unknown')}-{number}"] = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames]
    return found


def plain(value: Any) -> Json:
    """A config as JSON: secrets as stars, URLs without logins, paths as text."""
    if isinstance(value, Secret):
        return "***"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return redact(value) if isinstance(value, str) else value
