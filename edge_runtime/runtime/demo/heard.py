"""What a subscriber knows of the demo: made of the messages that its broker sent, and of nothing else.

obs/…/crossing ─► Ledger      obs/…/count ─► sums of windows      health ─► rates, the engine, the spool      status ─► online, offline
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from edge_runtime.runtime.demo.score import Crossing, Ledger
from edge_runtime.runtime.watching import Board
from edge_runtime.types import Json


@dataclass(frozen=True, slots=True)
class Health:
    """The newest health message, as far as somebody who watches wants it. Rates are frames/s, None where nothing was measured yet."""

    state: str = "connecting"
    reason: str = ""
    fps: float | None = None
    processed: int = 0
    dropped: int = 0
    latency_ms: float = 0.0
    infer_ms: float | None = None  # one inference, mean
    limit_fps: float | None = None  # what the model's sessions do at most, all of them together
    spool_depth: int = 0
    acked: int = 0


class Heard:
    """`take` each message in the order in which it came; one thread."""

    def __init__(self) -> None:
        self.crossings = Ledger()
        self.windows: Counter[tuple[str, str]] = Counter()  # crossings by line and direction, as the count windows sum them up
        self.health = Health()
        self.status = ""
        self.board = Board()

    @property
    def messages(self) -> int:
        """How many came."""
        return self.board.messages

    def take(self, topic: str, payload: bytes) -> None:
        """Note one message; one that came before is not counted twice."""
        news = self.board.take(topic, payload)
        if news is None:
            return
        body = news["payload"]
        kind = topic.rsplit("/", 1)[-1]
        if kind == "status":
            self.status = str(body)
        elif kind == "health":
            self.health = _health(body)
        elif kind == "crossing":
            self.crossings.add([_crossing(body)])
        elif kind == "count":
            data = body["data"]
            self.windows[str(data["rule"]), str(data["dir"])] += sum(int(number) for number in data["counts"].values())


def _crossing(body: Json) -> Crossing:
    data = body["data"]
    speed = data.get("speed_kmh")
    at_s = datetime.fromisoformat(str(body["time"]).replace("Z", "+00:00")).timestamp()
    return Crossing(str(data["rule"]), str(data["dir"]), str(data["class"]), at_s, None if speed is None else float(speed))


def _health(body: Json) -> Health:
    stream: Json = next(iter(body["streams"].values()), {})
    engine: Json = next(iter(body["engines"].values()), {})
    done, busy_s = int(engine.get("done", 0)), [float(each) for each in engine.get("busy_s", ())]
    infer_s = sum(busy_s) / done if done and any(busy_s) else None
    return Health(
        state=str(stream.get("state", "?")),
        reason=str(stream.get("reason", "")),
        fps=float(stream["fps"]) if stream.get("processed") else None,
        processed=int(stream.get("processed", 0)),
        dropped=int(stream.get("dropped", 0)),
        latency_ms=float(stream.get("latency_ms", 0.0)),
        infer_ms=None if infer_s is None else 1000 * infer_s,
        limit_fps=None if infer_s is None else len(busy_s) / infer_s,
        spool_depth=int(body["spool"].get("depth") or 0),
        acked=int(body["mqtt"].get("acked", 0)),
    )
