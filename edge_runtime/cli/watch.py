"""`edge-runtime watch URL`: what city ops sees, as a live table or as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.runtime.listening import Listener
    from edge_runtime.runtime.watching import Board, NodeView, RuleView, StreamView

_REDRAW_S = 0.5
_WIDTH = 160  # where there is no terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "watch",
        help="what city ops sees: nodes, counts, health, gaps",
        description="Subscribes to every node of a broker. Ctrl-C ends it. A broker that is away is tried again and again.",
    )
    parser.add_argument("url", metavar="URL", help="mqtt:// mqtts:// ws:// wss:// host and port")
    parser.add_argument("--site", metavar="S", help="only this site")
    parser.add_argument("--username", metavar="U", help="login at the broker")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="file whose first line is the password")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="certificate authority to trust, PEM (default: the system's)")
    parser.add_argument("--protocol", choices=("5", "3.1.1"), default="5", help="MQTT version (default 5)")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after N seconds, with the table as it is then")
    parser.add_argument("--json", action="store_true", help="each message as a JSON line {topic, payload}, duplicates left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C, or for `--seconds`. Raises ConfigError for a URL, password file or certificate that cannot be used."""
    from edge_runtime.runtime.listening import Listener, Login
    from edge_runtime.runtime.watching import Board

    login = Login(username=args.username, password=_password(args.password_file), ca=args.ca, protocol=args.protocol)
    listener = Listener(args.url, login, args.site)
    end_s = float("inf") if args.seconds is None else time.monotonic() + args.seconds
    listener.start()
    try:
        (_lines if args.json else _table)(listener, Board(), end_s)
    except KeyboardInterrupt:
        pass  # the usual way to end it
    finally:
        listener.close()
    return 0


def _password(file: Path | None) -> Any:
    from edge_runtime.errors import ConfigError, Problem
    from edge_runtime.options import Secret

    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), 0, "--password-file", f"cannot be read: {error}")]) from None
    return Secret(lines[0] if lines else "")


def _lines(listener: Listener, board: Board, end_s: float) -> None:
    said = ""
    while (now_s := time.monotonic()) < end_s:
        received = listener.get(min(_REDRAW_S, end_s - now_s))
        if listener.state != said:
            said = listener.state
            print(f"watch: {said}", file=sys.stderr, flush=True)
        if received is not None and (news := board.take(received.topic, received.payload)) is not None:
            print(json.dumps(news, ensure_ascii=False, separators=(",", ":")), flush=True)


def _table(listener: Listener, board: Board, end_s: float) -> None:
    """Drawn again and again on a terminal; elsewhere once, at the end."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDTH)
    if not console.is_terminal:
        try:
            _follow(listener, board, end_s, lambda: None)
        finally:
            console.print(draw(board, listener.state))
        return
    with Live(console=console, auto_refresh=False) as live:
        _follow(listener, board, end_s, lambda: live.update(draw(board, listener.state), refresh=True))


def _follow(listener: Listener, board: Board, end_s: float, show: Callable[[], None]) -> None:
    drawn_s = 0.0
    while (now_s := time.monotonic()) < end_s:
        received = listener.get(min(_REDRAW_S, end_s - now_s))
        if received is not None:
            board.take(received.topic, received.payload)
        if now_s - drawn_s >= _REDRAW_S:
            drawn_s = now_s
            show()
    show()


def draw(board: Board, state: str) -> Any:
    """The board as something that rich can print: nodes and their streams, counts, alarms and gaps, and a line about the connection."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    nodes = Table(
        "node", "status", "clock", "spool", "stream", "state", "fps", "dropped", "blind s", "gaps", "alarms", title="nodes", title_justify="left"
    )
    counts = Table("node", "stream", "rule", "direction", "last window", "seen", "since", "total", "until", title="counts", title_justify="left")
    for view in sorted(board.nodes.values(), key=lambda each: (each.site, each.node)):
        for row in _node_rows(view):
            nodes.add_row(*row)
        for (stream, rule, way), each in sorted(view.rules.items()):
            counts.add_row(f"{view.site}/{view.node}", stream, rule, way, *_rule_cells(each))
    why = [f"alarm  {view.site}/{view.node} {what}: {why}" for view in board.nodes.values() for what, why in view.alarms.items() if why]
    gaps = [f"last gap  {view.site}/{view.node} {view.last_gap}" for view in board.nodes.values() if view.last_gap]
    noted = [f"{state}", f"{board.messages} messages"]
    noted += [
        f"{number} {what}" for number, what in ((board.duplicates, "duplicates"), (board.strange, "strange"), (board.unshown, "not shown")) if number
    ]
    return Group(nodes, counts, *(Text(line) for line in (*why, *gaps)), Text(" · ".join(noted)))


def _node_rows(view: NodeView) -> list[tuple[str, ...]]:
    depth = "?" if view.spool_depth is None else f"{view.spool_depth}"
    old = f", {view.spool_oldest_s:.0f} s old" if view.spool_depth and view.spool_oldest_s is not None else ""
    lost = f", {view.lost} lost" if view.lost else ""
    status = view.status if not view.stalled else f"{view.status}, stalled: {', '.join(view.stalled)}"
    head = (f"{view.site}/{view.node}", status, view.clock, f"{depth}{old}{lost}")
    streams = [_stream_cells(name, each) for name, each in sorted(view.streams.items())] or [("",) * 5]
    tail = (str(view.gaps), ", ".join(_brief(view, what) for what in view.alarms))
    return [(*head, *cells, *tail) if index == 0 else (*("",) * len(head), *cells, *("",) * len(tail)) for index, cells in enumerate(streams)]


def _brief(view: NodeView, alarm: str) -> str:
    """Without what stands at the beginning of the row: whose topic it is."""
    return alarm.replace(f"edge/v1/{view.site}/{view.node}/", "")


def _stream_cells(name: str, stream: StreamView) -> tuple[str, ...]:
    state = f"{stream.state}: {stream.reason}" if stream.reason else stream.state
    return (name, state, "?" if stream.fps is None else f"{stream.fps:.1f}", str(stream.dropped), f"{stream.blind_s:.1f}")


def _rule_cells(rule: RuleView) -> tuple[str, ...]:
    counts = ", ".join(f"{label} {number}" for label, number in sorted(rule.counts.items())) or ("0" if rule.until else "")
    seen = "" if rule.processed is None or not rule.expected else f"{100 * rule.processed / rule.expected:.0f} %"
    return (f"{counts} (partial)" if rule.partial else counts, seen, str(rule.since), "" if rule.total is None else str(rule.total), rule.until)
