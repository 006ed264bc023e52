"""`edge-runtime watch` against a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from edge_runtime.cli.__main__ import main
from edge_runtime.runtime.listening import Listener, Login
from tests.deliver.test_mqtt_broker import certificates
from tests.peers.broker import Broker, free_port, until

pytestmark = pytest.mark.system

NODE = "edge/v1/north/cam-017"
CROSSING = {"v": 1, "id": "aa-1", "type": "crossing", "time": "2026-11-05T10:00:01Z", "data": {"rule": "lane1", "dir": "forward", "class": "car"}}
COUNT = {
    "v": 1,
    "id": "aa-2",
    "type": "count",
    "time": "2026-11-05T10:05:00Z",
    "data": {"rule": "lane1", "dir": "forward", "counts": {"car": 31}, "total": 977},
}
GAP = {"v": 1, "id": "aa-3", "type": "gap", "time": "2026-11-05T10:05:00Z", "data": {"from": "10:00", "to": "10:03", "reason": "down"}}
STREAM = {"state": "live", "reason": "", "fps": 9.8, "dropped": 4, "blind_s": 1.5}
HEALTH = {
    "v": 1,
    "clock": "ntp",
    "spool": {"depth": 7, "oldest_s": 12.5, "dropped": 3, "state": "memory", "reason": "disk is full"},
    "streams": {"gate": STREAM},
    "mqtt": {"cause": "refused", "reason": "…", "refused": {f"{NODE}/obs/gate/count": "Not authorized"}},
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


class Watching:
    """The verb in a process of its own, as somebody types it; its lines are kept."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-W", "error", "-c", "import sys; from edge_runtime.cli import watch; import argparse\n" + _ALONE, *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [self._reader(self.process.stdout, self.out), self._reader(self.process.stderr, self.err)]

    def _reader(self, stream: Any, kept: list[str]) -> threading.Thread:
        thread = threading.Thread(target=lambda: kept.extend(line.rstrip() for line in iter(stream.readline, "")), daemon=True)
        thread.start()
        return thread

    def wait_for(self, words: str, where: list[str]) -> None:
        end_s = time.monotonic() + 20
        while not any(words in line for line in list(where)):
            assert time.monotonic() < end_s, f"{words!r} is not in {where}; stderr: {self.err}"
            time.sleep(0.02)

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


_ALONE = """
parser = argparse.ArgumentParser()
watch.add_parser(parser.add_subparsers())
args = parser.parse_args(["watch", *sys.argv[1:]])
sys.exit(args.run(args))
"""


def say(broker: Broker, branch: str, body: Any, **more: Any) -> None:
    payload = body if isinstance(body, str) else json.dumps(body)
    publish.single(f"{NODE}/{branch}", payload, qos=1, hostname="127.0.0.1", port=broker.port, **more)


def test_json_prints_each_message_once_and_leaves_live_out(broker: Broker) -> None:
    say(broker, "status", "online", retain=True)
    with Watching(broker.url, "--json") as watching:
        watching.wait_for("connected", watching.err)
        watching.wait_for("online", watching.out)
        say(broker, "live/gate", {"boxes": []})
        say(broker, "obs/gate/crossing", CROSSING)
        say(broker, "obs/gate/crossing", CROSSING)
        say(broker, "obs/gate/count", COUNT)
        watching.wait_for("977", watching.out)
        assert [json.loads(line) for line in watching.out] == [
            {"topic": f"{NODE}/status", "payload": "online"},
            {"topic": f"{NODE}/obs/gate/crossing", "payload": CROSSING},
            {"topic": f"{NODE}/obs/gate/count", "payload": COUNT},
        ]


def test_seconds_ends_with_the_table(broker: Broker) -> None:
    say(broker, "status", "online", retain=True)
    say(broker, "health", HEALTH, retain=True)
    say(broker, "obs/gate/count", COUNT, retain=True)
    say(broker, "obs/gate/gap", GAP, retain=True)
    with Watching(broker.url, "--seconds", "3") as watching:
        assert watching.process.wait(20) == 0
    shown = "\n".join(watching.out)
    for words in (
        "north/cam-017",
        "online",
        "ntp",
        "7, 12 s old, 3 lost",
        "live",
        "9.8",
        "1.5",
        "lane1",
        "forward",
        "car 31",
        "977",
        "down, 10:00 – 10:03",
        "alarm  north/cam-017 spool in memory: disk is full",
        f"alarm  north/cam-017 refused {NODE}/obs/gate/count: Not authorized",
    ):
        assert words in shown, f"{words!r} is not in\n{shown}"
    assert "alarms" in shown.partition("counts")[0], "in the table of nodes"


def test_site_leaves_other_sites_out(broker: Broker) -> None:
    say(broker, "status", "online", retain=True)
    publish.single("edge/v1/south/x/status", "online", qos=1, retain=True, hostname="127.0.0.1", port=broker.port)
    with Watching(broker.url, "--json", "--site", "south") as watching:
        watching.wait_for("south", watching.out)
        time.sleep(0.3)
        assert not any("north" in line for line in watching.out)


def test_broker_that_is_away_is_said_and_tried_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    try:
        with Watching(broker.url, "--json") as watching:
            watching.wait_for("nobody listens", watching.err)
            broker.start()
            watching.wait_for("connected", watching.err)
            say(broker, "obs/gate/count", COUNT)
            watching.wait_for("977", watching.out)
            broker.kill()
            watching.wait_for("away: the connection was lost", watching.err)
            broker.start()
            until(lambda: watching.err[-1].endswith("connected"), 20, "it did not come back")
    finally:
        broker.close()


@pytest.mark.parametrize("way", ["3.1.1", "websockets", "tls"])
def test_every_way_to_a_broker(tmp_path: Path, way: str) -> None:
    words, config = ["--json"], ""
    port = free_port()
    if way == "3.1.1":
        words += ["--protocol", "3.1.1"]
    elif way == "websockets":
        config = f"listener {port} 127.0.0.1\nprotocol websockets"
    else:
        made = certificates(tmp_path / "tls")
        config = f"listener {port} 127.0.0.1\ncafile {made}/ca.pem\ncertfile {made}/server.pem\nkeyfile {made}/server.key"
        words += ["--ca", str(made / "ca.pem")]
    with Broker(tmp_path / "broker", config) as broker:
        url = {"3.1.1": broker.url, "websockets": f"ws://127.0.0.1:{port}", "tls": f"mqtts://127.0.0.1:{port}"}[way]
        say(broker, "status", "online", retain=True)
        with Watching(url, *words) as watching:
            watching.wait_for("online", watching.out)
        if way == "tls":
            with Watching(url, "--json") as watching:
                watching.wait_for("was not accepted", watching.err)
                watching.wait_for("check --ca: it must hold the authority", watching.err)


def test_wrong_login_is_said_and_the_right_one_let_in(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "ops", "right"], check=True, capture_output=True)
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(f"{name}\n")
    with Broker(tmp_path / "broker", f"password_file {passwords}", anonymous=False) as broker:
        with Watching(broker.url, "--json", "--username", "ops", "--password-file", str(tmp_path / "wrong")) as watching:
            watching.wait_for("refuses the connection", watching.err)
        with Watching(broker.url, "--json", "--username", "ops", "--password-file", str(tmp_path / "right")) as watching:
            watching.wait_for("connected", watching.err)


def test_subscription_that_is_refused_is_said(tmp_path: Path) -> None:
    plugin = next(iter(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")), None)
    assert plugin is not None, "mosquitto's own plugin is part of its package"
    rights = tmp_path / "rights.json"
    rights.write_text('{"defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true}}')
    config = f"plugin {plugin}\nplugin_opt_config_file {rights}"
    with Broker(tmp_path / "broker", config) as broker, Watching(broker.url, "--json") as watching:
        watching.wait_for("refuses the subscription", watching.err)


def test_interrupt_ends_it_well(broker: Broker) -> None:
    import signal

    with Watching(broker.url, "--json") as watching:
        watching.wait_for("connected", watching.err)
        watching.process.send_signal(signal.SIGINT)
        assert watching.process.wait(10) == 0
    assert not any("Traceback" in line for line in watching.err)


def test_reader_that_is_slow_loses_nothing(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.runtime import listening

    monkeypatch.setattr(listening, "QUEUE", 5)
    listener = Listener(broker.url, Login())
    listener.start()
    try:
        until(lambda: listener.state == "connected", 10)
        messages: list[Any] = [(f"{NODE}/obs/gate/crossing", str(number), 1, False) for number in range(200)]
        publish.multiple(messages, hostname="127.0.0.1", port=broker.port)
        time.sleep(0.5)
        heard = [listener.get(5) for _ in range(200)]
        assert [each.payload for each in heard if each is not None] == [str(number).encode() for number in range(200)]
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://broker"], "mqtt://"),
        (["mqtt://user:secret@broker"], "no login in the URL"),
        (["mqtt://broker", "--password-file", "/does/not/exist"], "cannot be read"),
        (["mqtts://broker", "--ca", "/does/not/exist"], "/does/not/exist"),
    ],
)
def test_what_cannot_work_ends_with_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", *words]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "secret" not in shown


def test_terminal_shows_the_table_as_it_changes(broker: Broker) -> None:
    import os
    import pty

    say(broker, "status", "online", retain=True)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-W", "error", "-c", "import sys; from edge_runtime.cli import watch; import argparse\n" + _ALONE, broker.url]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "160"}) as process:
        os.close(theirs)
        try:
            shown = b""
            while b"north/cam-017" not in shown:
                shown += os.read(ours, 4096)  # the test's own limit ends it
            say(broker, "obs/gate/count", COUNT)
            while b"977" not in shown:
                shown += os.read(ours, 4096)
        finally:
            process.kill()
            os.close(ours)
    assert shown.count(b"north/cam-017") > 1, "it is drawn again, not once"
