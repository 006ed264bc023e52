"""What a subscriber may hold a node to, counted: nothing lost in silence, order, and no more duplicates than a fault may cost.

    numbers     1 2 3 4 ─kill─ 5 6 7 … 412       `sim:load` goes on behind the last number that was committed
    ids         each number under one, each id for one message
    a hole      is told by gaps with as many `messages`, or it is a loss in silence
    a kill      takes what was produced since the last commit: time between the newest number and the kill; a gap `down` covers it

Who feeds it decides what the truth is: it sees arrivals and faults only, and touches nothing.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from edge_runtime.deliver.mqtt import WINDOW
from edge_runtime.present.restamp import parse_rfc3339
from edge_runtime.runtime.intake import SETTLE_S
from edge_runtime.sources.sim.load import LATEST_S

_NS = 1_000_000_000
TRANSACTION_S = 1.0  # the most that one commit, and being held up by other processes, may take beside `commit_ms`
NOTHING_YET_S = 1.0  # of a life that has declared how long nobody looked, until its first number is committed
IN_TRANSIT_S = 1.5  # at most from the broker's PUBACK to the subscriber's record of the message: half a second on a quiet machine
ROUNDABOUT_S = 20.0  # from a fault to the arrival of what was sent before it, where the broker is away meanwhile
LINGERS_S = 180.0  # a fault's duplicates come within that: half a minute until it is noticed, 90 s at most until the next try


class Arrival(NamedTuple):
    """One message as the subscriber got it, at `at_ns` of the wall clock. `redelivered`: by the broker, which had sent it before (DUP)."""

    at_ns: int
    topic: str
    identity: str
    seq: int
    stream: str
    time_ns: int
    number: int | None = None
    gap: Mapping[str, object] | None = None
    redelivered: bool = False

    @staticmethod
    def of(at_ns: int, topic: str, payload: bytes, redelivered: bool = False) -> Arrival:
        """From an envelope."""
        body = json.loads(payload)
        data = body["data"]
        number, gap = data.get("n"), data if body["type"] == "gap" else None
        return Arrival(at_ns, topic, body["id"], body["seq"], body["stream"], parse_rfc3339(body["time"]), number, gap, redelivered)


class Fault(NamedTuple):
    """What was done, `at_ns` of the wall clock: at its end, before anybody could come back.

    `ready_ns`: since when the process that was killed produced; 0: it had not begun.
    """

    kind: Literal["kill", "restart", "cut"]
    at_ns: int
    ready_ns: int = 0


class Promise(NamedTuple):
    """What is held against the arrivals: numbers 1 … `last` of `stream`, `rate` a second, and the longest that a commit may wait."""

    last: int
    rate: float
    commit_s: float = 0.2
    stream: str = "oracle"


@dataclass(frozen=True)
class Verdict:
    """Figures, and in `complaints` what was promised and did not hold."""

    delivered: int
    told: int  # numbers that are missing and that gaps tell of
    silent: int
    disorder: int
    windows_s: Sequence[float]  # of each kill: from the newest number that survived to the kill
    duplicates: int
    redelivered: int  # by the broker, on the subscriber's own line
    spent: Mapping[Fault, tuple[int, int]]  # of each fault: duplicates, and how many there may be
    complaints: Sequence[str] = field(default_factory=tuple)

    def most(self, *kinds: str) -> tuple[int, int]:
        """The most duplicates after one fault of these kinds, and how many there might have been after that one."""
        return max((pair for fault, pair in self.spent.items() if fault.kind in kinds), default=(0, 0))


def judge(arrivals: Sequence[Arrival], faults: Sequence[Fault], promise: Promise) -> Verdict:
    """Hold `promise` against what arrived (in the order of arrival)."""
    complaints: list[str] = []
    first = _first_of_each(arrivals, complaints)
    numbers = [each for each in first if each.stream == promise.stream and each.number is not None]
    gaps = [each for each in first if each.gap is not None]
    silent, told = _holes(numbers, gaps, promise, complaints)
    disorder = _disorder(first, complaints)
    times = sorted(each.time_ns for each in numbers)
    windows_s = [_window_s(kill, times, gaps, promise, complaints) for kill in faults if kill.kind == "kill"]
    allowed = _allowed(faults, [each.at_ns for each in arrivals], first)
    spent, duplicates = _spent(arrivals, allowed, complaints)
    redelivered = sum(each.redelivered for each in arrivals)
    return Verdict(len(numbers), told, silent, disorder, windows_s, duplicates, redelivered, spent, complaints)


def _first_of_each(arrivals: Sequence[Arrival], complaints: list[str]) -> list[Arrival]:
    """Each id once; complains of an id for two messages and of a number under two ids."""
    first: dict[str, Arrival] = {}
    ids: dict[tuple[str, int], str] = {}
    for each in arrivals:
        known = first.setdefault(each.identity, each)
        if (known.topic, known.seq, known.number) != (each.topic, each.seq, each.number):  # its time may have been put right since
            complaints.append(f"{each.identity} is two messages: {known} and {each}")
        if each.number is not None and ids.setdefault((each.stream, each.number), each.identity) != each.identity:
            complaints.append(f"number {each.number} of {each.stream} came as {ids[each.stream, each.number]} and as {each.identity}")
    return list(first.values())


def _disorder(first: Sequence[Arrival], complaints: list[str]) -> int:
    """How often a topic went back, duplicates left out."""
    topics: dict[str, list[Arrival]] = defaultdict(list)
    for each in first:
        topics[each.topic].append(each)
    back = [(before, after) for each in topics.values() for before, after in pairwise(each) if _goes_back(before, after)]
    complaints += [f"{after.topic}: {after.identity} (n {after.number}) came behind {before.identity} (n {before.number})" for before, after in back]
    return len(back)


def _goes_back(before: Arrival, after: Arrival) -> bool:
    return after.seq <= before.seq or (after.number is not None and before.number is not None and after.number <= before.number)


def _holes(numbers: Sequence[Arrival], gaps: Sequence[Arrival], promise: Promise, complaints: list[str]) -> tuple[int, int]:
    """Numbers that are missing: in silence, and told."""
    times = {each.number: each.time_ns for each in numbers if each.number is not None}
    left = [_Told(gap) for gap in gaps if gap.stream in (promise.stream, "node")]
    silent = told = 0
    for first, last in _runs(number for number in range(1, promise.last + 1) if number not in times):
        since_ns, until_ns = times.get(first - 1, 0), times.get(last + 1, 1 << 63)
        missing = last - first + 1
        covered = sum(each.take(missing, since_ns, until_ns) for each in left)
        covered = min(covered, missing)
        told += covered
        if covered < missing:
            silent += missing - covered
            complaints.append(f"numbers {first} … {last} did not come, and gaps tell of {covered} of them")
    if extra := sorted(number for number in times if number > promise.last):
        complaints.append(f"numbers that nobody produced: {extra[0]} … {extra[-1]}")
    return silent, told


class _Told:
    """What of a gap's `messages` is not used up yet."""

    def __init__(self, arrival: Arrival) -> None:
        assert arrival.gap is not None
        self._from_ns, self._to_ns = (parse_rfc3339(str(arrival.gap[name])) for name in ("from", "to"))
        self._left = int(str(arrival.gap.get("messages", 0)))

    def take(self, wanted: int, since_ns: int, until_ns: int) -> int:
        """How many of `wanted` messages between these times it tells of."""
        if self._to_ns < since_ns or self._from_ns > until_ns:
            return 0
        taken = min(wanted, self._left)
        self._left -= taken
        return taken


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each unbroken run."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _window_s(kill: Fault, times: Sequence[int], gaps: Sequence[Arrival], promise: Promise, complaints: list[str]) -> float:
    """How much production the kill took with it, and whether a gap `down` of the stream and of the node covers that."""
    newest_ns = times[index - 1] if (index := bisect_right(times, kill.at_ns)) else 0
    window_s = (kill.at_ns - max(newest_ns, kill.ready_ns)) / _NS if kill.ready_ns else 0.0
    if window_s > promise.commit_s + TRANSACTION_S:
        complaints.append(f"a kill took {window_s:.3f} s of what was produced, the commit window is {promise.commit_s} s")
    for stream in (promise.stream, "node"):
        since_ns = _down_since(kill.at_ns, [gap.gap for gap in gaps if gap.stream == stream and gap.gap is not None])
        if kill.ready_ns and since_ns == kill.at_ns:
            complaints.append(f"no gap `down` of {stream} covers the kill at {kill.at_ns / _NS:.3f}")
        elif kill.ready_ns and since_ns > newest_ns + LATEST_S * _NS and stream == promise.stream:
            complaints.append(f"gaps `down` begin {(since_ns - newest_ns) / _NS:.3f} s behind the newest number that survived")
    return window_s


def _down_since(at_ns: int, gaps: Sequence[Mapping[str, object]]) -> int:
    """When the time began that is told as `down` and lasts until `at_ns`; lives that committed nothing lie in it. `at_ns` when none is told."""
    spans = [(parse_rfc3339(str(gap["from"])), parse_rfc3339(str(gap["to"]))) for gap in gaps if gap["reason"] == "down"]
    patience_ns = 0
    for from_ns, to_ns in sorted(spans, reverse=True):
        if from_ns <= at_ns <= to_ns + patience_ns:
            at_ns, patience_ns = from_ns, round(NOTHING_YET_S * _NS)
    return at_ns


def _spent(arrivals: Sequence[Arrival], allowed: Mapping[Fault, int], complaints: list[str]) -> tuple[dict[Fault, tuple[int, int]], int]:
    """The node's duplicates, each charged to a fault that may have cost it, as many as there is room for; and how many there were."""
    suspects: list[list[Fault]] = []  # of each duplicate, the newest first
    before_ns: dict[str, int] = {}
    for each in arrivals:
        came_ns = before_ns.get(each.identity)
        if not each.redelivered:
            before_ns[each.identity] = each.at_ns
        if came_ns is not None and not each.redelivered:
            suspects.append([fault for fault in reversed(allowed) if _may_cost(fault, came_ns, each)])
    charged: dict[Fault, list[int]] = {fault: [] for fault in allowed}
    unexplained = sum(not _charge(number, suspects, charged, allowed, set()) for number in range(len(suspects)))
    if unexplained:
        complaints.append(f"{unexplained} duplicates more than the faults before them may cost")
    return {fault: (len(charged[fault]), allowed[fault]) for fault in allowed}, len(suspects)


def _charge(
    number: int, suspects: Sequence[Sequence[Fault]], charged: Mapping[Fault, list[int]], allowed: Mapping[Fault, int], asked: set[Fault]
) -> bool:
    """Charge duplicate `number` to one of its suspects, moving others to theirs where that makes room (augmenting paths: Kuhn, 1955)."""
    for fault in suspects[number]:
        if fault in asked:
            continue
        asked.add(fault)
        if len(charged[fault]) < allowed[fault]:
            charged[fault].append(number)
            return True
        for place, other in enumerate(charged[fault]):
            if _charge(other, suspects, charged, allowed, asked):
                charged[fault][place] = number
                return True
    return False


def _may_cost(fault: Fault, came_ns: int, again: Arrival) -> bool:
    """Whether `fault` may be why what came at `came_ns` came again: it was made and sent before; if it was acknowledged, shortly before a kill."""
    if again.time_ns > fault.at_ns or not fault.at_ns <= again.at_ns <= fault.at_ns + LINGERS_S * _NS:
        return False
    since_ns = fault.at_ns - (SETTLE_S + TRANSACTION_S) * _NS if fault.kind == "kill" else 0
    return since_ns <= came_ns <= fault.at_ns + ROUNDABOUT_S * _NS


def _allowed(faults: Sequence[Fault], all_ns: Sequence[int], first: Sequence[Arrival]) -> dict[Fault, int]:
    """By fault, in order of time: what was in flight; of a process that was killed also what was acknowledged and not committed, up to a second's.

    `all_ns` is when messages arrived, `first` are the new ones: the broker still passes on what the process that was killed had sent.
    """
    found = {}
    for fault in sorted(faults, key=lambda fault: fault.at_ns):
        found[fault] = WINDOW
        if fault.kind == "kill":
            found[fault] += bisect_left(all_ns, fault.at_ns) - bisect_left(all_ns, fault.at_ns - round(SETTLE_S * _NS))
            late_ns = fault.at_ns + round(IN_TRANSIT_S * _NS)
            found[fault] += sum(each.time_ns <= fault.at_ns <= each.at_ns <= late_ns for each in first)
    return found
