"""What city ops knows from the messages alone: the newest state of every node, de-duplicated, bounded. No I/O here.

status ─► online?   health ─► streams, spool, clock, alarms   info ─► versions   obs ─► counts and totals by rule and direction, gaps, camera states
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_runtime.types import Json

MAX_NODES = 1000
MAX_STREAMS = 64  # of one node
MAX_RULES = 512  # rules × directions of one node
MAX_IDS = 20_000
MAX_ALARMS = 20  # of one node
REASON_CHARS = 200


@dataclass(slots=True)
class StreamView:
    """One camera as its node last described it."""

    state: str = "?"
    reason: str = ""
    fps: float | None = None
    dropped: int = 0
    blind_s: float = 0.0


@dataclass(slots=True)
class RuleView:
    """One direction of a line, or one zone."""

    counts: Mapping[str, int] = field(default_factory=dict)  # of the last window; of a zone: who is inside
    total: int | None = None
    until: str = ""  # end of that window
    partial: bool = False
    processed: int | None = None  # frames that the last window rests on, and how many there should have been
    expected: int | None = None
    since: int = 0  # crossings heard since that window


@dataclass(slots=True)
class NodeView:
    """One device."""

    site: str
    node: str
    status: str = "?"
    version: str = ""
    clock: str = "?"
    spool_depth: int | None = None
    spool_oldest_s: float | None = None
    lost: int = 0  # rows that its spool had to drop
    stalled: tuple[str, ...] = ()
    alarms: Mapping[str, str] = field(default_factory=dict)  # in a few words, and why: empty where these say it all
    streams: dict[str, StreamView] = field(default_factory=dict)
    rules: dict[tuple[str, str, str], RuleView] = field(default_factory=dict)  # stream, rule, direction
    gaps: int = 0
    last_gap: str = ""


class Board:
    """Takes messages, keeps the newest. What is beyond a bound is counted in `unshown`, what makes no sense in `strange`."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, str], NodeView] = {}
        self.messages = 0
        self.duplicates = 0
        self.strange = 0
        self.unshown = 0
        self._ids: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, topic: str, payload: bytes) -> Json:
        """Note one message; as a JSON object {"topic", "payload"} when it is news, None for a duplicate."""
        self.messages += 1
        parts = topic.split("/")
        body = _parsed(payload)
        if len(parts) < 5 or parts[:2] != ["edge", "v1"]:
            self.strange += 1
            return {"topic": topic, "payload": body}
        if isinstance(body, dict) and "id" in body and self._known(parts[3], str(body["id"])):
            self.duplicates += 1
            return None
        view = self._node(parts[2], parts[3])
        if view is not None:
            try:
                self._note(view, parts[4:], body)
            except (KeyError, TypeError, ValueError, AttributeError):  # another version's message, or somebody else's
                self.strange += 1
        return {"topic": topic, "payload": body}

    def _known(self, node: str, identity: str) -> bool:
        key = (node, identity)
        if key in self._ids:
            self._ids.move_to_end(key)
            return True
        self._ids[key] = None
        if len(self._ids) > MAX_IDS:
            self._ids.popitem(last=False)
        return False

    def _node(self, site: str, node: str) -> NodeView | None:
        view = self.nodes.get((site, node))
        if view is None and len(self.nodes) < MAX_NODES:
            view = self.nodes[site, node] = NodeView(site, node)
        self.unshown += view is None
        return view

    def _note(self, view: NodeView, branch: list[str], body: Json) -> None:
        if branch == ["status"]:
            view.status = str(body)
        elif branch == ["info"]:
            view.version = str(body["version"])
        elif branch == ["health"]:
            self._health(view, body)
        elif branch[0] == "obs" and len(branch) == 3:
            self._observation(view, branch[1], branch[2], body)

    def _health(self, view: NodeView, body: Json) -> None:
        view.clock = str(body["clock"])
        view.stalled = tuple(str(name) for name in body.get("stalled", ()))
        view.alarms = _alarms(body)
        spool = body["spool"]
        view.spool_depth, view.spool_oldest_s, view.lost = spool.get("depth"), spool.get("oldest_s"), int(spool.get("dropped", 0))
        view.streams = {name: each for name, each in view.streams.items() if name in body["streams"]}
        for name, numbers in body["streams"].items():
            stream = self._stream(view, str(name))
            if stream is not None:
                stream.state, stream.reason = str(numbers["state"]), str(numbers.get("reason", ""))
                stream.fps, stream.dropped, stream.blind_s = float(numbers["fps"]), int(numbers["dropped"]), float(numbers["blind_s"])

    def _observation(self, view: NodeView, name: str, kind: str, body: Json) -> None:
        data = body["data"]
        if kind in ("count", "occupancy"):
            rule = self._rule(view, (name, str(data["rule"]), str(data.get("dir", "inside"))))
            if rule is not None and str(body["time"]) >= rule.until:  # a backlog may bring older windows after newer ones
                counts = data["counts"] if kind == "count" else data["classes"]
                rule.counts = {str(label): int(number) for label, number in counts.items()}
                rule.total = int(data["total"]) if kind == "count" else None
                rule.until, rule.partial, rule.since = str(body["time"]), bool(body.get("partial", False)), 0
                seen = body.get("seen", {})
                rule.processed, rule.expected = seen.get("frames_processed"), seen.get("frames_expected")
        elif kind == "crossing":
            rule = self._rule(view, (name, str(data["rule"]), str(data["dir"])))
            if rule is not None and str(body["time"]) >= rule.until:
                rule.since += 1
        elif kind == "gap":
            view.gaps += 1
            view.last_gap = f"{name}: {data['reason']}, {data['from']} – {data['to']}"
        elif kind == "camera":
            stream = self._stream(view, name)
            if stream is not None:
                stream.state, stream.reason = str(data["state"]), str(data.get("reason", ""))

    def _stream(self, view: NodeView, name: str) -> StreamView | None:
        if name not in view.streams and len(view.streams) >= MAX_STREAMS:
            self.unshown += 1
            return None
        return view.streams.setdefault(name, StreamView())

    def _rule(self, view: NodeView, key: tuple[str, str, str]) -> RuleView | None:
        if key not in view.rules and len(view.rules) >= MAX_RULES:
            self.unshown += 1
            return None
        return view.rules.setdefault(key, RuleView())


def _alarms(body: Json) -> dict[str, str]:
    """What a person should look at, of what a `health` says; another version's may say less."""
    spool, delivery, writes = body["spool"], body.get("mqtt") or {}, body.get("writes") or {}
    found = {}
    if body["clock"] == "unsynced":
        found["clock unsynced"] = ""
    if spool.get("state") == "memory":
        found["spool in memory"] = str(spool.get("reason", ""))
    if spool.get("volatile"):
        found["spool on a RAM disk"] = ""
    if spool.get("corrupt_files"):
        found[f"{spool['corrupt_files']} broken spool files"] = ""
    if writes.get("over"):
        found[f"{writes['day_bytes'] / 1e6:.0f} MB a day written, budget {writes['budget'] / 1e6:.0f}"] = ""
    refused = {f"refused {topic}": str(why) for topic, why in delivery.get("refused", {}).items()}
    if delivery.get("cause") == "refused" and not refused:
        refused["refused"] = str(delivery.get("reason", ""))
    found |= refused
    return {words[:REASON_CHARS]: why[:REASON_CHARS] for words, why in list(found.items())[:MAX_ALARMS]}


def _parsed(payload: bytes) -> Json:
    """JSON where it is JSON, else text (`status` is plain)."""
    text = payload.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
