"""What is wrong between a node and its broker has one name: in `check --online`, in the log and in health. Nothing is ever said in the clear."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edge_runtime.clock import SystemClock
from edge_runtime.deliver.link import CAUSES
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.deliver.probe import ProbeFailed, probe
from edge_runtime.options import Secret
from edge_runtime.types import ClockState
from tests.peers.authority import authority, server_lines, variant
from tests.peers.broker import Broker, free_port, until
from tests.peers.proxy import Proxy
from tests.runtime.test_publisher import node

pytestmark = pytest.mark.system
ECHO = "edge/v1/north/cam-1/cmd/echo"
PASSWORD = "s3cret-words"


class Place(NamedTuple):
    """Where a case happens: the good authority's folder, and one for what the case makes."""

    made: Path
    folder: Path


class Case(NamedTuple):
    """One thing that is wrong: the broker's configuration, the node's options, what it is called, and a word that says what to do."""

    broker: Callable[[Place], str]
    options: Callable[[Place], dict[str, Any]]
    cause: str
    says: str
    anonymous: bool = True


def _ca(place: Place) -> dict[str, Any]:
    return {"ca": place.made / "ca.pem"}


def _pair(place: Place, name: str) -> dict[str, Any]:
    return {**_ca(place), "cert": place.made / f"{name}.pem", "key": place.made / f"{name}.key"}


def _login(place: Place, password: str) -> dict[str, Any]:
    return {**_ca(place), "username": "cam-1", "password": Secret(password)}


def _acl(place: Place) -> str:
    file = place.folder / "acl"
    file.write_text("topic write edge/v1/north/cam-1/status\ntopic write edge/v1/north/cam-1/info\ntopic read edge/v1/north/cam-1/cmd/#\n")
    file.chmod(0o644)
    return f"{server_lines(place.made)}\nacl_file {file}"


def _passwords(place: Place) -> str:
    file = place.folder / "passwords"
    file.write_text("")
    file.chmod(0o644)
    return f"{server_lines(place.made)}\npassword_file {file}"


CASES = {
    "wrong-ca": Case(lambda p: server_lines(p.made), lambda p: {"ca": p.made.with_name("other") / "ca.pem"}, "tls-untrusted", "check [mqtt] ca"),
    "no-ca": Case(lambda p: server_lines(p.made), lambda p: {}, "tls-untrusted", "check [mqtt] ca"),
    "expired": Case(lambda p: server_lines(p.made.with_name("expired")), _ca, "tls-expired", "the broker needs a new one"),
    "wrong-host": Case(lambda p: server_lines(p.made.with_name("elsewhere")), _ca, "tls-host", "check [mqtt] url"),
    "no-certificate": Case(lambda p: f"{server_lines(p.made)}\nrequire_certificate true", _ca, "tls-own-certificate", "check [mqtt] cert and key"),
    "foreign-certificate": Case(
        lambda p: f"{server_lines(p.made)}\nrequire_certificate true",
        lambda p: {**_pair(Place(p.made.with_name("other"), p.folder), "cam-1"), **_ca(p)},
        "tls-own-certificate",
        "check [mqtt] cert and key",
    ),
    "expired-certificate": Case(
        lambda p: f"{server_lines(p.made)}\nrequire_certificate true",
        lambda p: {**_pair(Place(p.made.with_name("expired"), p.folder), "cam-1"), **_ca(p)},
        "tls-own-certificate",
        "and its dates",
    ),
    "login": Case(_passwords, lambda p: _login(p, PASSWORD), "login", "check [mqtt] username, password", anonymous=False),
    "acl": Case(_acl, _ca, "refused", ""),
    "not-tls": Case(lambda p: "", lambda p: _login(p, PASSWORD), "tls", "check that the port speaks TLS"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority, its broker's certificate in three states, and another authority."""
    folder = authority(tmp_path_factory.mktemp("tls") / "good", "--host", "127.0.0.1", "--client", "cam-1")
    variant(folder, "expired", "--days", "-1", "--host", "127.0.0.1", "--client", "cam-1")
    variant(folder, "elsewhere", "--host", "broker.city.example")
    authority(folder.with_name("other"), "--host", "127.0.0.1", "--client", "cam-1")
    return folder


@pytest.fixture
def clock_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without time from the network would blame its clock for what is out of date."""
    monkeypatch.setattr(SystemClock, "state", lambda _self: ClockState.NTP)


@pytest.mark.usefixtures("clock_is_right")
@pytest.mark.parametrize("name", sorted(CASES))
def test_what_is_wrong_has_one_name_everywhere(name: str, made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    case = CASES[name]
    place = Place(made, tmp_path)
    caplog.set_level(logging.INFO, "edge_runtime")
    tmp_path.chmod(0o755)
    assert case.cause in CAUSES
    with Broker(tmp_path / "broker", case.broker(place), scheme="mqtts", anonymous=case.anonymous) as broker:
        options = case.options(place)
        with pytest.raises(ProbeFailed) as caught:
            probe(MqttOptions(url=broker.url, **options), "north-cam-1-check", ECHO, 5.0)
        assert (caught.value.cause, case.says in str(caught.value)) == (case.cause, True), str(caught.value)
        with node(tmp_path / "s.db", broker.url, **options) as box:
            box.record(0, 1)
            health: dict[str, Any] = {}

            def told() -> bool:
                health.update(box.publisher.stats())
                return health["cause"] == case.cause

            until(told, 15, str(health))
            assert case.says in str(health["reason"])
            if case.cause == "refused":
                assert health["state"] == "connected"
                assert health["refused"] == {"edge/v1/north/cam-1/obs/s/crossing": "Not authorized"}
            else:
                assert health["state"] in ("offline", "connecting")
                assert f"no broker ({case.cause}): " in caplog.text
            assert box.recorder.flush(5)
            assert box.recorder.stats()["depth"] == 1, f"nothing is lost by it: {box.recorder.stats()} {health}"
        assert PASSWORD not in caplog.text + str(health) + str(caught.value)


def test_login_and_certificate_that_are_right_serve(made: Path, tmp_path: Path) -> None:
    config = f"{server_lines(made)}\nrequire_certificate true\nuse_identity_as_username true"
    options = _pair(Place(made, tmp_path), "cam-1")
    with Broker(tmp_path / "broker", config, scheme="mqtts", anonymous=False) as broker:
        assert probe(MqttOptions(url=broker.url, **options), "north-cam-1-check", ECHO, 5.0) < 5
        with node(tmp_path / "s.db", broker.url, **options) as box:
            box.record(0, 50)
            box.settled()
            assert (box.stat("state"), box.stat("cause")) == ("connected", None)
            assert "u'cam-1'" in broker.log


def test_nothing_is_said_in_the_clear_to_a_broker_without_tls(made: Path, tmp_path: Path) -> None:
    """Not at the first try, not at a later one, and not by the probe."""
    first: list[bytes] = []
    said = bytearray()

    def watch(piece: bytes) -> None:
        first.append(piece[:1])
        said.extend(piece)

    with Broker(tmp_path / "broker", scheme="mqtts") as broker, Proxy(broker.port) as proxy:
        proxy.watch_up = watch
        url = f"mqtts://127.0.0.1:{proxy.port}"
        options = _login(Place(made, tmp_path), PASSWORD)
        with pytest.raises(ProbeFailed):
            probe(MqttOptions(url=url, **options), "north-cam-1-check", ECHO, 5.0)
        with node(tmp_path / "s.db", url, **options) as box:
            box.record(0, 1)
            until(lambda: proxy.connections >= 4, 20)
    assert set(first) == {b"\x16"}, "every connection begins with a TLS handshake"
    assert PASSWORD.encode() not in said and b"cam-1" not in said and b"MQTT" not in said


def test_tls_before_1_2_is_refused(made: Path, tmp_path: Path) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.load_cert_chain(made / "server.pem", made / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        served: list[str] = []

        def serve() -> None:
            line, _ = server.accept()
            try:
                with old.wrap_socket(line, server_side=True) as wrapped:
                    served.append(str(wrapped.version()))
            except OSError as error:
                served.append(type(error).__name__)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ProbeFailed) as caught:
            probe(MqttOptions(url=f"mqtts://127.0.0.1:{server.getsockname()[1]}", ca=made / "ca.pem"), "x", ECHO, 5.0)
        thread.join(10)
    assert served == ["SSLError"]
    assert (caught.value.cause, "TLS 1.2 or newer" in str(caught.value)) == ("tls", True)


def test_broker_that_is_away_and_a_name_that_is_none_are_told_apart(tmp_path: Path) -> None:
    for url, cause in ((f"mqtts://127.0.0.1:{free_port()}", "unreachable"), ("mqtts://broker.invalid", "name")):
        with pytest.raises(ProbeFailed) as caught:
            probe(MqttOptions(url=url), "x", ECHO, 5.0)
        assert caught.value.cause == cause
