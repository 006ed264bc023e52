"""The MQTT sink against a real mosquitto: protocols, TLS, logins, the Last Will, restarts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.deliver.link import Message
from edge_runtime.options import Secret
from edge_runtime.types import Settlement
from tests.deliver.test_mqtt import STATUS, answers, connected, row, sink, turn
from tests.peers.broker import Broker, free_port, until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_rows_reach_a_real_broker(tmp_path: Path, protocol: str) -> None:
    with Broker(tmp_path / "broker") as broker, sink(broker.url, STATUS, protocol=protocol) as made:
        subscriber = broker.subscribe("edge/#")
        connected(made)
        settled: list[Settlement] = []
        seq = 0
        while len(settled) < 200:
            while seq < 200 and made.offer(row(seq + 1, body=b"%d" % seq)):
                seq += 1
            settled += made.settled()
            made.wait(1.0)
        subscriber.wait(lambda: len(subscriber.heard) >= 200, 10)
        assert [each.payload for each in subscriber.heard] == [b"%d" % number for number in range(200)]
        assert sorted(each.seq for each in settled) == list(range(1, 201))


def test_rows_reach_a_real_broker_over_websockets(tmp_path: Path) -> None:
    port = free_port()
    with Broker(tmp_path / "broker", f"listener {port} 127.0.0.1\nprotocol websockets"), sink(f"ws://127.0.0.1:{port}") as made:
        connected(made)
        for seq in range(1, 11):
            assert made.offer(row(seq, body=b"x" * 3000))
        assert all(each.accepted for each in answers(made, 10))


def certificates(folder: Path) -> Path:
    """A certificate authority, a server's certificate for 127.0.0.1 and a client's."""
    folder.mkdir()
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")

    def run(*command: str) -> None:
        subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=folder)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test-ca")
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "no.key", "-out", "other-ca.pem", "-days", "2", "-subj", "/CN=other")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        extra = ["-extfile", "san"] if name == "server" else []
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", *extra)
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)
    return folder


def test_tls_with_client_certificate_and_every_way_it_fails(tmp_path: Path) -> None:
    made = certificates(tmp_path / "tls")
    tls = f"cafile {made}/ca.pem\ncertfile {made}/server.pem\nkeyfile {made}/server.key\nrequire_certificate true\n"
    login = {"ca": made / "ca.pem", "cert": made / "client.pem", "key": made / "client.key"}
    with Broker(tmp_path / "broker", tls, scheme="mqtts") as broker:
        with sink(broker.url, **login) as line:
            connected(line)
            assert line.offer(row(1))
            assert answers(line, 1) == [Settlement(1, True)]
        with sink(broker.url, **{**login, "ca": made / "other-ca.pem"}) as line:
            turn(line, lambda: line.state.name == "offline")
            assert "certificate of 127.0.0.1" in line.state.reason and "[mqtt] ca" in line.state.reason
        with sink(broker.url.replace("127.0.0.1", "localhost"), **login) as line:
            turn(line, lambda: line.state.name == "offline")
            assert "ostname mismatch" in line.state.reason
        with sink(broker.url, ca=made / "ca.pem") as line:
            turn(line, lambda: line.state.name == "offline")
            assert line.state.connects == 0
        with sink(broker.url.replace("mqtts", "mqtt")) as line:
            turn(line, lambda: line.state.name == "offline")
        with sink(broker.url, **{**login, "cert": made / "nowhere.pem"}) as line:
            turn(line, lambda: line.state.name == "offline")
            assert "[mqtt] cert" in line.state.reason
    with Broker(tmp_path / "plain") as broker, sink(broker.url.replace("mqtt:", "mqtts:"), ca=made / "ca.pem") as line:
        turn(line, lambda: line.state.name == "offline", 20)
        assert line.state.connects == 0


def test_login_and_acl_of_a_real_broker(tmp_path: Path) -> None:
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "node", "right"], check=True, capture_output=True)
    acl.write_text("user node\ntopic write edge/v1/a/b/#\n")
    for path in (passwords, acl):
        path.chmod(0o644)
    tmp_path.chmod(0o755)
    with Broker(tmp_path / "broker", f"password_file {passwords}\nacl_file {acl}", anonymous=False) as broker:
        with sink(broker.url, username="node", password=Secret("wrong")) as made:
            turn(made, lambda: made.state.name == "offline")
            assert "refuses the connection" in made.state.reason and "wrong" not in made.state.reason
        with sink(broker.url, username="node", password=Secret("right")) as made:
            connected(made)
            assert made.offer(row(1)) and made.offer(row(2, "edge/v1/a/other/obs/s/count"))
            taken, refused = answers(made, 2)
            assert (taken.seq, taken.accepted, refused.seq, refused.accepted) == (1, True, 2, False)
            assert "uthorized" in refused.why


def test_will_is_published_when_the_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from tests.deliver.test_mqtt import *;"
        "made = MqttSink(MqttOptions(url=sys.argv[1]), 'a-b', STATUS); made.connect(); connected(made);"
        "made.tell(Message(STATUS.topic, b'online', 1, True)); turn(made, lambda: not made.untold); print('up', flush=True); time.sleep(60)"
    )
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        process = subprocess.Popen([sys.executable, "-c", code, broker.url], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        process.kill()
        process.wait()
        process.stdout.close()
        subscriber.wait(lambda: len(subscriber.heard) >= 2, 10)
        assert subscriber.on(STATUS.topic) == [b"online", b"offline"]
        late = broker.subscribe("edge/#")
        late.wait(lambda: bool(late.heard), 10)
        assert late.heard[0].retain and late.heard[0].payload == b"offline"


def test_orderly_close_does_not_publish_the_will(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        with sink(broker.url, STATUS) as made:
            connected(made)
            made.tell(Message("edge/last", b"words", 1))
        subscriber.wait(lambda: bool(subscriber.heard), 10)
        until(lambda: "a-b disconnected" in broker.log or "DISCONNECT from a-b" in broker.log, 5)
        assert [each.topic for each in subscriber.heard] == ["edge/last"]


def test_broker_that_is_away_at_the_start_and_restarts_is_found_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    with sink(broker.url) as made:
        turn(made, lambda: made.state.name == "offline")
        with broker:
            connected(made)
            for connects in (2, 3):
                broker.kill()
                turn(made, lambda: made.state.name != "connected")
                broker.start()
                turn(made, lambda n=connects: made.state.connects == n, 20)
                assert made.offer(row(connects))
                assert answers(made, 1) == [Settlement(connects, True)]
