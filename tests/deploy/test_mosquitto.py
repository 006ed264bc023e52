"""What ships for the broker's side, with the real mosquitto: its configuration, its ACL, and the script that makes certificates."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config.schema import Config, DeviceConfig
from edge_runtime.config.topics import broker_rules, echo_topic
from edge_runtime.deliver.link import Message
from edge_runtime.deliver.mqtt import MqttOptions, MqttSink
from edge_runtime.deliver.probe import ProbeFailed, probe
from edge_runtime.options import Secret
from edge_runtime.types import Settlement, SpooledRow
from tests.deliver.test_mqtt import answers, connected, row, sink, turn
from tests.peers.authority import SCRIPT, authority
from tests.peers.broker import Broker, free_port, until

pytestmark = pytest.mark.system
FOLDER = SCRIPT.parent
NODE = "edge/v1/north/cam-017"
PASSWORD = "operators-word"


class ShippedBroker(Broker):
    """mosquitto with the configuration that ships: only paths, ports and the user that it runs as are the test's."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        super().__init__(folder, scheme="mqtts")
        self.login_port = free_port()
        text = (FOLDER / "mosquitto.conf").read_text(encoding="utf-8")
        for before, after in (
            ("listener 8883\n", f"listener {self.port} 127.0.0.1\n"),
            ("listener 8884\n", f"listener {self.login_port} 127.0.0.1\n"),
            ("/etc/mosquitto/edge/", f"{certificates}/"),
            ("/var/lib/mosquitto/", f"{folder}/"),
        ):
            assert before in text
            text = text.replace(before, after)
        self._file.write_text(f"{text}\nuser root\n")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As an administrator would lay them out: certificates, ACL and passwords in one folder."""
    folder = authority(
        tmp_path_factory.mktemp("edge") / "tls", "--host", "127.0.0.1", "--client", "cam-017", "--client", "cam-018", "--client", "city-ops"
    )
    shutil.copy(FOLDER / "acl", folder / "acl")
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "passwords"), "operator", PASSWORD], check=True, capture_output=True, timeout=30)
    (folder / "passwords").chmod(0o600)
    return folder


@pytest.fixture
def shipped(tmp_path: Path, certificates: Path) -> Iterator[ShippedBroker]:
    with ShippedBroker(tmp_path / "broker", certificates) as broker:
        yield broker


def identity(certificates: Path, name: str) -> dict[str, Any]:
    return {"ca": certificates / "ca.pem", "cert": certificates / f"{name}.pem", "key": certificates / f"{name}.key", "client_id": name}


def verdict(made: MqttSink, offered: SpooledRow) -> Settlement:
    """The broker's word on a row, offered again when the connection ends: this mosquitto ends it with a refusal."""
    found: list[Settlement] = []
    while not found:
        turn(made, lambda: made.state.name == "connected", 20)
        if made.offer(offered):
            found += turn(made, lambda: not made._in_flight, 20)
    assert [each.seq for each in found] == [offered.seq]
    return found[0]


def test_node_of_the_acl_passes_the_probe_and_any_other_does_not(shipped: ShippedBroker, certificates: Path) -> None:
    assert probe(MqttOptions(url=shipped.url, **identity(certificates, "cam-017")), "cam-017-check", f"{NODE}/cmd/echo", 5.0) < 5
    with pytest.raises(ProbeFailed) as caught:
        probe(MqttOptions(url=shipped.url, **identity(certificates, "cam-018")), "cam-018-check", f"{NODE}/cmd/echo", 5.0)
    assert caught.value.cause == "refused"
    with pytest.raises(ProbeFailed) as caught:
        probe(MqttOptions(url=shipped.url, ca=certificates / "ca.pem"), "nobody", f"{NODE}/cmd/echo", 5.0)
    assert caught.value.cause == "tls-own-certificate"


def test_acl_pins_a_node_to_its_prefix(shipped: ShippedBroker, certificates: Path) -> None:
    with sink(shipped.url, **identity(certificates, "cam-017")) as made:
        connected(made)
        for seq, topic, allowed in (
            (1, f"{NODE}/obs/main-st/count", True),
            (2, f"{NODE}/reply/7", True),
            (3, "edge/v1/north/cam-018/obs/main-st/count", False),
            (4, "edge/v1/south/cam-017/obs/main-st/count", False),
            (5, "edge/v1/north/cam-017x/status", False),
            (6, "other", False),
        ):
            assert verdict(made, row(seq, topic)).accepted == allowed, topic


def test_acl_holds_exactly_what_check_prints() -> None:
    config = Config(device=DeviceConfig(site="north", node="cam-017"), mqtt=MqttOptions(username="cam-017"))
    assert "\n".join(broker_rules(config, "x")) in (FOLDER / "acl").read_text(encoding="utf-8")
    assert echo_topic(config) == f"{NODE}/cmd/echo"


def test_operator_with_a_password_commands_and_hears_the_answer(shipped: ShippedBroker, certificates: Path) -> None:
    url = f"mqtts://127.0.0.1:{shipped.login_port}"
    login: dict[str, Any] = {"ca": certificates / "ca.pem", "username": "operator"}
    node = MqttSink(MqttOptions(url=shipped.url, **identity(certificates, "cam-017")), "cam-017", None, f"{NODE}/cmd")
    node.connect()
    try:
        connected(node)
        turn(node, lambda: f"{NODE}/cmd/#" in shipped.log)
        with sink(url, client_id="operator", password=Secret(PASSWORD), **login) as operator:
            connected(operator)
            operator.tell(Message(f"{NODE}/cmd/ping", b"{}", 1))
            turn(operator, lambda: not operator.untold)
        found: list[Any] = []
        turn(node, lambda: found.extend(node.requests()) or found)
        assert [request.name for request in found] == ["ping"]
    finally:
        node.close(2.0)
    with sink(url, client_id="operator", password=Secret("wrong"), **login) as operator:
        turn(operator, lambda: operator.state.name == "offline")
        assert operator.state.cause == "login"


def test_broker_speaks_nothing_older_than_tls_1_2_and_nothing_in_the_clear(shipped: ShippedBroker, certificates: Path) -> None:
    for port in (shipped.port, shipped.login_port):
        with sink(f"mqtt://127.0.0.1:{port}") as made:
            turn(made, lambda: made.state.name == "offline")
            assert made.state.connects == 0
    config = (FOLDER / "mosquitto.conf").read_text(encoding="utf-8")
    assert config.count("\nlistener ") == config.count("\ntls_version tlsv1.2") == 2
    assert "allow_anonymous true" not in config


def test_what_was_saved_survives_a_killed_broker(shipped: ShippedBroker, certificates: Path) -> None:
    """Retained messages, sessions, and what waits for subscribers that are away: on disk at the next save, which SIGUSR1 asks for here."""
    away = dict(identity(certificates, "city-ops"), client_id="away")
    assert _session(shipped, away) == 0
    with sink(shipped.url, **identity(certificates, "cam-017")) as made:
        connected(made)
        made.tell(Message(f"{NODE}/status", b"online", 1, True))
        for seq in range(1, 11):
            assert made.offer(row(seq, f"{NODE}/obs/main-st/count", b"%d" % seq))
        assert all(each.accepted for each in answers(made, 10))
        database = shipped.folder / "mosquitto.db"
        database.unlink(missing_ok=True)
        os.kill(shipped.pid, signal.SIGUSR1)
        until(lambda: database.exists() and database.stat().st_size > 0, 10)
        shipped.kill()
    shipped.start()
    assert _session(shipped, away, 11) == 11


def _session(broker: ShippedBroker, login: dict[str, Any], wanted: int = 0) -> int:
    """Connect with a kept session, subscribe, and take `wanted` messages; how many different ones came."""
    from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    heard: set[bytes] = set()  # what is retained comes again with the subscription
    subscribed: list[bool] = []
    client = Client(CallbackAPIVersion.VERSION2, login["client_id"], protocol=MQTTv5)
    client.tls_set(str(login["ca"]), str(login["cert"]), str(login["key"]), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.on_connect = lambda client, *_: client.subscribe([(f"{NODE}/obs/#", 1), (f"{NODE}/status", 1)])
    client.on_subscribe = lambda *_: subscribed.append(True)
    client.on_message = lambda _client, _data, message: heard.add(message.payload)
    properties: Any = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", broker.port, 60, clean_start=False, properties=properties)
    client.loop_start()
    try:
        until(lambda: subscribed and len(heard) >= wanted, 10, str(heard))
    finally:
        client.disconnect()
        client.loop_stop()
    return len(heard)


def test_script_makes_keys_for_their_owner_only_and_keeps_its_authority(tmp_path: Path) -> None:
    made = authority(tmp_path / "tls", "--client", "a", "--client", "b")
    before = (made / "ca.pem").read_bytes()
    assert {file.name for file in made.iterdir()} == {f"{name}.{kind}" for name in ("ca", "server", "a", "b") for kind in ("pem", "key")}
    assert {file.stat().st_mode & 0o077 for file in made.glob("*.key")} == {0}
    authority(made, "--host", "broker.city.example", "--days", "-1")
    assert (made / "ca.pem").read_bytes() == before
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(made / "server.pem"), "-noout", "-checkend", "0"], capture_output=True, check=False, timeout=30
    )
    assert shown.returncode == 1, "it has expired"


@pytest.mark.parametrize("arguments", [[], ["--host", "x"], ["d", "--host"], ["d", "--host", "a b"], ["d", "--days", "soon"], ["d", "--what", "x"]])
def test_script_refuses_what_it_does_not_know(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run([str(SCRIPT), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "usage: make-test-ca.sh" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
