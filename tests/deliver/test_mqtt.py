"""The MQTT sink against a broker that does what the test says, and against a real mosquitto."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.deliver import mqtt
from edge_runtime.deliver.link import Message
from edge_runtime.deliver.mqtt import WINDOW, MqttOptions, MqttSink
from edge_runtime.errors import ConfigError
from edge_runtime.options import Secret
from edge_runtime.types import Settlement, SpooledRow
from tests.peers.broker import Broker, free_port, until
from tests.peers.proxy import Proxy
from tests.peers.scripted import ACK, DROP, HOLD, ScriptedBroker

STATUS = Message("edge/v1/a/b/status", b"offline", 1, True)


def row(seq: int, topic: str = "edge/v1/a/b/obs/s/crossing", body: bytes = b"{}") -> SpooledRow:
    return SpooledRow(seq, topic, body, 0)


@contextmanager
def sink(url: str, will: Message | None = None, client_id: str = "a-b", **options: object) -> Iterator[MqttSink]:
    made = MqttSink(MqttOptions(url=url, **options), client_id, will)  # type: ignore[arg-type]
    made.connect()
    try:
        yield made
    finally:
        made.close(2.0)


def turn(made: MqttSink, condition: Callable[[], object], timeout: float = 10.0) -> list[Settlement]:
    """Drive the sink until `condition` holds; what was settled meanwhile."""
    found: list[Settlement] = []
    end = time.monotonic() + timeout
    while True:
        found += made.settled()
        if condition():
            return found
        assert time.monotonic() < end, f"{made.state}, settled {found[-3:]}"
        made.wait(0.05)


def answers(made: MqttSink, count: int) -> list[Settlement]:
    """The next `count` settlements, by number."""
    found: list[Settlement] = []

    def enough() -> bool:
        found.extend(made.settled())
        return len(found) >= count

    end = time.monotonic() + 10
    while not enough():
        assert time.monotonic() < end, f"{made.state}, settled {found}"
        made.wait(0.05)
    return sorted(found, key=lambda each: each.seq)


def connected(made: MqttSink) -> None:
    turn(made, lambda: made.state.name == "connected")


def test_construct_with_a_bad_url_says_so_without_secrets() -> None:
    with pytest.raises(ConfigError, match=r"url: expected no login") as caught:
        MqttSink(MqttOptions(url="mqtt://u:geheim@h"), "x")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(("receive_maximum", "window"), [(5, 5), (1, 1), (65535, WINDOW)])
def test_offer_keeps_the_window_also_after_a_reconnect(receive_maximum: int, window: int) -> None:
    with ScriptedBroker(lambda publish: HOLD, properties=b"\x21" + receive_maximum.to_bytes(2, "big")) as broker, sink(broker.url) as made:
        for connection in (1, 2, 3):
            turn(made, lambda n=connection: made.state.name == "connected" and made.state.connects == n)
            assert sum(made.offer(row(seq)) for seq in range(1, 40)) == window
            turn(made, lambda: broker.unanswered >= window)
            if connection < 3:
                broker.cut()
                turn(made, lambda: made.state.name != "connected")
        assert broker.most_unanswered == window
        broker.release()
        assert answers(made, window) == [Settlement(seq, True) for seq in range(1, window + 1)]


@pytest.mark.parametrize(("code", "word"), [(0x87, "Not authorized"), (0x97, "Quota exceeded"), (0x80, "Unspecified"), (0x99, "Payload format")])
def test_negative_puback_is_a_rejection_with_its_reason(code: int, word: str) -> None:
    with ScriptedBroker(lambda publish: code if b"bad" in publish.payload else ACK) as broker, sink(broker.url) as made:
        connected(made)
        assert made.offer(row(1, body=b"bad")) and made.offer(row(2))
        refused, taken = answers(made, 2)
        assert (refused.seq, refused.accepted, taken.seq, taken.accepted) == (1, False, 2, True)
        assert word.lower() in refused.why.lower()


def test_puback_of_no_matching_subscribers_is_success() -> None:
    with ScriptedBroker(lambda publish: 0x10) as broker, sink(broker.url) as made:
        connected(made)
        made.offer(row(1))
        assert answers(made, 1) == [Settlement(1, True)]


def test_offer_larger_than_the_broker_takes_is_rejected_without_sending() -> None:
    with ScriptedBroker(properties=b"\x27" + (500).to_bytes(4, "big")) as broker, sink(broker.url) as made:
        connected(made)
        assert made.offer(row(1, body=b"x" * 480))
        (settled,) = made.settled()
        assert (settled.seq, settled.accepted) == (1, False)
        assert "limit of 500 bytes" in settled.why
        assert made.offer(row(2, body=b"x" * 100))
        turn(made, lambda: broker.publishes)
        assert [publish.payload for publish in broker.publishes] == [b"x" * 100]


def test_offer_while_away_takes_nothing() -> None:
    with sink(f"mqtt://127.0.0.1:{free_port()}") as made:
        assert not made.offer(row(1))
        turn(made, lambda: made.state.name == "offline")
        assert "nobody listens at 127.0.0.1" in made.state.reason
        assert not made.offer(row(1))
        assert not made.tell(STATUS)


@pytest.mark.parametrize(
    ("connack", "properties", "word"),
    [
        (0x87, b"", "Not authorized"),
        (0x86, b"", "Bad user name"),
        (0x88, b"", "Server unavailable"),
        (0, b"\x24\0", "QoS 1"),
        (0, b"\x25\0", "retained"),
    ],
)
def test_greeting_that_cannot_serve_gives_the_reason(connack: int, properties: bytes, word: str) -> None:
    with ScriptedBroker(connack=connack, properties=properties) as broker, sink(broker.url) as made:
        turn(made, lambda: made.state.name == "offline")
        assert word in made.state.reason
        assert made.state.connects == 0


@pytest.mark.parametrize("seed", range(12))
def test_garbage_from_the_far_end_is_a_lost_connection_not_a_crash(seed: int) -> None:
    noise = random.Random(seed)
    garbage = b"".join(
        bytes([noise.choice([0x20, 0x30, 0x32, 0x40, 0x50, 0x90, 0xE0, 0xF0]), size := noise.randint(0, 20)]) + noise.randbytes(size)
        for _ in range(30)
    )
    with ScriptedBroker(lambda publish: DROP, garbage=garbage) as broker, sink(broker.url) as made:
        turn(made, lambda: made.offer(row(1)) or made.state.name == "offline")
        turn(made, lambda: made.state.name == "offline")
        assert made.state.reason
        turn(made, lambda: broker.connects >= 2)


def test_silence_instead_of_answers_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.3)
    with ScriptedBroker(lambda publish: HOLD) as broker, sink(broker.url) as made:
        connected(made)
        made.offer(row(1))
        turn(made, lambda: made.state.name == "offline")
        assert "no answer" in made.state.reason
        turn(made, lambda: broker.connects >= 2)


def test_silence_instead_of_a_greeting_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "GREETING_S", 0.3)
    with ScriptedBroker() as broker, Proxy(broker.port) as proxy:
        proxy.swallowing = True
        with sink(f"mqtt://127.0.0.1:{proxy.port}") as made:
            turn(made, lambda: made.state.name == "offline")
            assert "no answer" in made.state.reason
            proxy.swallowing = False
            proxy.cut()
            connected(made)


def test_waits_between_tries_grow_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "FIRST_WAIT_S", 0.05)
    tries: list[float] = []
    with ScriptedBroker(connack=0x88) as broker, sink(broker.url) as made:
        turn(made, lambda: broker.connects > len(tries) and (tries.append(time.monotonic()) or len(tries) >= 6), 20)
    assert tries[5] - tries[4] > 3 * (tries[1] - tries[0])


def test_tell_counts_qos1_against_the_window_and_drops_qos0_when_congested() -> None:
    with ScriptedBroker(lambda publish: HOLD, properties=b"\x21\0\x02") as broker, sink(broker.url) as made:
        connected(made)
        assert made.tell(STATUS)
        assert made.untold == 1
        assert made.offer(row(1))
        assert not made.offer(row(2))
        assert not made.tell(STATUS)
        assert made.tell(Message("live", b"x"))
        turn(made, lambda: len(broker.publishes) == 3)
        broker.release()
        turn(made, lambda: not made.untold)


def test_wake_from_another_thread_ends_a_wait_and_does_no_harm_after_close() -> None:
    with ScriptedBroker() as broker, sink(broker.url) as made:
        connected(made)
        made.settled()
        timer = threading.Timer(0.1, made.wake)
        timer.start()
        began = time.monotonic()
        made.wait(10)
        assert time.monotonic() - began < 5
        timer.join()
    made.wake()
    made.close(1.0)


def test_close_while_dialling_a_black_hole_is_bounded() -> None:
    made = MqttSink(MqttOptions(url="mqtt://192.0.2.1:1883"), "x")  # TEST-NET-1: nobody answers
    made.connect()
    made.settled()
    began = time.monotonic()
    made.close(0.5)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(("code", "word"), [(0x8E, "another client with this client_id"), (0x8B, "shutting down"), (0x95, "too large")])
def test_disconnect_by_the_broker_gives_its_reason(code: int, word: str) -> None:
    with ScriptedBroker() as broker, sink(broker.url) as made:
        connected(made)
        broker.say(bytes([0xE0, 2, code, 0]))
        turn(made, lambda: made.state.name != "connected")
        assert word in made.state.reason


# -- with a real broker ---------------------------------------------------------------------------------------------------------


@pytest.mark.system
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


@pytest.mark.system
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


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # paho's, after a failed handshake
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


@pytest.mark.system
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


@pytest.mark.system
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


@pytest.mark.system
def test_orderly_close_does_not_publish_the_will(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        subscriber = broker.subscribe("edge/#")
        with sink(broker.url, STATUS) as made:
            connected(made)
            made.tell(Message("edge/last", b"words", 1))
        subscriber.wait(lambda: bool(subscriber.heard), 10)
        until(lambda: "a-b disconnected" in broker.log or "DISCONNECT from a-b" in broker.log, 5)
        assert [each.topic for each in subscriber.heard] == ["edge/last"]


@pytest.mark.system
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
