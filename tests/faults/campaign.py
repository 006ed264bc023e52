"""Kills, restarts of the broker and cut connections at random moments, while the real daemon produces: is what DELIVERY.md promises true?

    sim:load ─► daemon ─► proxy ─► mosquitto ─► observer ─► oracle
                 ▲ SIGKILL  ▲ cut    ▲ SIGTERM, away for a while
                 └──────────┴────────┴── by a plan that the seed decides; they overlap

    python -m tests.faults.campaign [--kills 200] [--broker-restarts 50] [--cuts 50] [--seed 1] [--rate 500] [--tls]

The broker keeps what it acknowledged (persistence, and SIGTERM lets it save), so that what is lost is the node's. SIGTERM to the campaign itself:
the life in hand is the last, and what was done so far is judged. Exit status 1 when a promise did not hold; the files stay in the folder that is
named then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pickle
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from tests.faults.observer import Observer
from tests.faults.oracle import Arrival, Fault, Promise, Verdict, judge
from tests.peers.authority import authority, server_lines
from tests.peers.broker import Broker, until
from tests.peers.daemon import DaemonProcess
from tests.peers.proxy import Proxy

STREAM = "oracle"
LONGEST_LIFE_S = 2.5  # of a daemon that is ready, and of a plan's wait beside it
LONGEST_START_S = 0.8  # within which it is killed when it shall not get ready
EARLY = 0.15  # so many of the kills come before the daemon is ready
LONGEST_AWAY_S = 1.5
LONGEST_DARK_S = 0.1
CONNECTED_S = 600.0  # a busy machine starts slowly
DRAIN_S = 120.0
CAUGHT_UP_S = 1.0  # what arrives is no older than that


class Round(NamedTuple):
    """One life of the daemon. `early`: killed before it is ready. `beside`: what happens meanwhile, after how many seconds."""

    life_s: float
    early: bool
    beside: Sequence[tuple[Literal["restart", "cut"], float]]
    away_s: float  # how long a broker that is restarted is away
    dark_s: float  # for so long before the kill, and before a cut, what is on the way is lost: otherwise the kernel still delivers it


def make_plan(kills: int, restarts: int, cuts: int, seed: int) -> list[Round]:
    """As many of each as asked for, spread over the rounds by chance; the last round ends without a kill."""
    chance = random.Random(seed)
    beside: list[list[tuple[Literal["restart", "cut"], float]]] = [[] for _ in range(kills + 1)]
    for _ in range(restarts):
        beside[chance.randrange(kills + 1)].append(("restart", chance.uniform(0, LONGEST_LIFE_S)))
    for _ in range(cuts):
        beside[chance.randrange(kills + 1)].append(("cut", chance.uniform(0, LONGEST_LIFE_S)))
    early = chance.sample(range(kills), round(EARLY * kills))
    return [_round(chance, number in early, each) for number, each in enumerate(beside)]


def _round(chance: random.Random, early: bool, beside: Sequence[tuple[Literal["restart", "cut"], float]]) -> Round:
    life_s = chance.uniform(0, LONGEST_START_S if early else LONGEST_LIFE_S)
    return Round(life_s, early, beside, chance.uniform(0, LONGEST_AWAY_S), max(0.0, chance.uniform(-LONGEST_DARK_S, LONGEST_DARK_S)))


@dataclass
class Record:
    """What was done, and what came of it."""

    rate: float
    faults: list[Fault] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    last: int = 0  # the last number that the spool says was committed
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        return judge(self.arrivals, self.faults, Promise(self.last, self.rate, stream=STREAM))


def run(folder: Path, plan: Sequence[Round], rate: float, tls: bool = False, enough: threading.Event | None = None) -> Record:
    """Do all of `plan`, or as much of it as came before `enough`; let the rest drain, and hand over what happened."""
    record = Record(rate)
    began = time.monotonic()
    with _peers(folder, tls) as (broker, ca), Proxy(broker.port) as proxy, Observer(broker.port, ca) as observer:
        url = f"{'mqtts' if tls else 'mqtt'}://127.0.0.1:{proxy.port}"
        daemon = DaemonProcess(write_load(folder, url, rate, ca))
        faults = Faults(broker, proxy, record.faults)
        try:
            for number, each in enumerate(plan):
                if enough is not None and enough.is_set():
                    break
                faults.begin(each)
                if number < len(plan) - 1:
                    _live_and_die(daemon, each, faults)
            daemon.start()
            faults.join()
            record.last = drain(daemon, folder / "spool.db", observer)
        finally:
            daemon.kill()
        observer.catch_up(DRAIN_S)
        record.arrivals = observer.arrivals
    record.seconds = time.monotonic() - began
    return record


class Faults:
    """What is done to the daemon, its connection and its broker; what happens beside its lives in threads of its own."""

    def __init__(self, broker: Broker, proxy: Proxy, done: list[Fault]) -> None:
        self._broker = broker
        self._proxy = proxy
        self._done = done
        self._one_restart = threading.Lock()
        self._one_night = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def begin(self, each: Round) -> None:
        """Let what is planned beside this round happen in its time. Raises what went wrong before with the test's own peers."""
        if self._failures:
            raise self._failures[0]
        for kind, after_s in each.beside:
            thread = threading.Thread(target=self._do, args=(kind, after_s, each), name=kind)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Until all of it has happened. Raises what went wrong with the test's own peers."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def kill(self, daemon: DaemonProcess, dark_s: float, ready_ns: int) -> None:
        """SIGKILL."""
        with self._night(dark_s):
            daemon.send(signal.SIGKILL)
            self._done.append(Fault("kill", time.time_ns(), ready_ns))
            daemon.kill()

    def _do(self, kind: Literal["restart", "cut"], after_s: float, each: Round) -> None:
        time.sleep(after_s)
        try:
            if kind == "cut":
                self._cut(each.dark_s)
            else:
                self._restart(each.away_s)
        except BaseException as error:  # noqa: BLE001 - told by `join`
            self._failures.append(error)

    def _cut(self, dark_s: float) -> None:
        until(lambda: self._proxy.live, CONNECTED_S, "no connection to cut")
        with self._night(dark_s):
            pass
        self._done.append(Fault("cut", time.time_ns()))

    def _restart(self, away_s: float) -> None:
        with self._one_restart:
            self._broker.stop()
            self._done.append(Fault("restart", time.time_ns()))
            time.sleep(away_s)
            self._broker.start()

    @contextlib.contextmanager
    def _night(self, dark_s: float) -> Iterator[None]:
        """What is on the way is lost for a while, and then every connection."""
        with self._one_night:
            self._proxy.swallowing = dark_s > 0
            time.sleep(dark_s)
            yield
            self._proxy.cut()
            self._proxy.swallowing = False


def _live_and_die(daemon: DaemonProcess, each: Round, faults: Faults) -> None:
    daemon.launch()
    if not each.early:
        daemon.await_ready()
    ready_ns = 0 if each.early else time.time_ns()
    time.sleep(each.life_s)
    assert daemon.running, "the daemon ended by itself:\n" + "\n".join(daemon.log[-40:])
    faults.kill(daemon, each.dark_s, ready_ns)


def drain(daemon: DaemonProcess, spool: Path, observer: Observer) -> int:
    """Let the daemon catch up with what it produces, and end it in order: the last number that its spool says was committed."""
    while True:
        until(lambda: time.time_ns() - observer.newest_ns < CAUGHT_UP_S * 1e9, DRAIN_S, "the backlog does not drain")
        assert daemon.stop() == 0, "no orderly end:\n" + "\n".join(daemon.log[-40:])
        daemon.kill()
        with contextlib.closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as db:
            (left,) = db.execute("SELECT count(*) FROM rows").fetchone()
            (state,) = db.execute("SELECT value FROM state WHERE key = ?", (f"sensor/{STREAM}",)).fetchone()
        if not left:
            return int(json.loads(state)["n"])
        daemon.start()


def write_load(folder: Path, url: str, rate: float, ca: Path | None = None) -> Path:
    """A device without camera or model, that numbers at `rate`."""
    path = folder / "device.toml"
    path.write_text(f"""
[device]
site = "test"
node = "box"
health = "1s"

[mqtt]
url = "{url}"
{f'ca = "{ca}"' if ca else ""}

[spool]
path = "{folder}/spool.db"

[[sensor]]
name = "{STREAM}"
source = "sim:load?rate={rate:g}"
""")
    return path


@contextlib.contextmanager
def _peers(folder: Path, tls: bool) -> Iterator[tuple[Broker, Path | None]]:
    """The broker, and who issued its certificate."""
    certificates = authority(folder / "certificates", "--host", "127.0.0.1") if tls else None
    lines = server_lines(certificates) if certificates else ""
    with Broker(folder / "broker", lines, persistent=True, talkative=False, scheme="mqtts" if tls else "mqtt") as broker:
        yield broker, certificates / "ca.pem" if certificates else None


def table(record: Record, verdict: Verdict) -> str:
    """The figures for people."""
    kills = [fault for fault in record.faults if fault.kind == "kill"]
    early = sum(not fault.ready_ns for fault in kills)
    counts = {kind: sum(fault.kind == kind for fault in record.faults) for kind in ("restart", "cut")}
    window_s = max(verdict.windows_s, default=0.0)
    (killed, killed_bound), (lost, lost_bound) = verdict.most("kill"), verdict.most("restart", "cut")
    rows = [
        ("kills", len(kills), f"{early} of them before it was ready"),
        ("restarts of the broker", counts["restart"], ""),
        ("cut connections", counts["cut"], ""),
        ("numbers committed", record.last, f"{record.rate:g} a second, {record.seconds:.0f} s in all"),
        ("delivered", verdict.delivered, ""),
        ("told as lost by gaps", verdict.told, ""),
        ("lost in silence", verdict.silent, "must be 0"),
        (
            "not yet committed when killed, about",
            round(sum(verdict.windows_s) * record.rate),
            f"at most {window_s * 1000:.0f} ms before one kill; commit_ms is 200",
        ),
        ("order violations", verdict.disorder, "must be 0"),
        ("duplicates", verdict.duplicates, ""),
        ("  the most after one kill", killed, f"may be {killed_bound}: in flight, and a second's acknowledgements"),
        ("  the most after one lost connection", lost, f"may be {lost_bound}: in flight"),
        ("  the broker's own to the observer", verdict.redelivered, ""),
    ]
    lines = [f"{name:<40}{figure:>10,}   {note}".rstrip() for name, figure, note in rows]
    return "\n".join([*lines, *(f"VIOLATED: {complaint}" for complaint in verdict.complaints[:20]), _summary(verdict)])


def _summary(verdict: Verdict) -> str:
    return f"{len(verdict.complaints)} promises did not hold" if verdict.complaints else "every promise held"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.faults.campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of the daemon, with SIGKILL (default 200)")
    parser.add_argument("--broker-restarts", type=int, default=50, help="(default 50)")
    parser.add_argument("--cuts", type=int, default=50, help="of the connection (default 50)")
    parser.add_argument("--seed", type=int, default=1, help="decides the moments (default 1)")
    parser.add_argument("--rate", type=float, default=500, help="messages a second (default 500)")
    parser.add_argument("--tls", action="store_true", help="over TLS")
    args = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    folder.chmod(0o755)
    enough = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: enough.set())
    try:
        record = run(folder, make_plan(args.kills, args.broker_restarts, args.cuts, args.seed), args.rate, args.tls, enough)
    finally:
        signal.signal(signal.SIGTERM, before)
    verdict = record.verdict
    print(f"seed {args.seed}, {'TLS' if args.tls else 'without TLS'}")
    print(table(record, verdict), flush=True)
    if verdict.complaints:
        (folder / "record.pickle").write_bytes(pickle.dumps(record))
        print(f"what is left lies in {folder}; record.pickle there is what was done, and what arrived")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
