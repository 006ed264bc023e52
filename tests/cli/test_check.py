"""`edge-runtime check`, as a technician and a script use it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli.__main__ import main
from tests.config.street import BROKER_SECRET, CAMERA_SECRET, GOOD, furnish, line_of, make_bundle

HEAVY = ("numba", "onnxruntime", "onnx", "av", "cv2", "paho", "rich", "psutil")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path, monkeypatch)
    make_bundle(tmp_path / "street-nano")
    path = tmp_path / "device.toml"
    path.write_text(GOOD)
    return path


def check(file: Path, *more: str) -> int:
    return main(["check", "--config", str(file), *more])


def test_check_sound_config_tells_what_it_comes_to(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in (
        "device.toml is sound: north/cam-017 to mqtts://broker.city.example:8883 as north-cam-017",
        "street: street-nano@1.2.0 (yolox, 416×416, 3 classes), ",
        "on cpu",
        "main-st-n: rtsp://10.0.0.7/stream1",
        "10 frames/s, car, bus, windows of 5m",
        "line lane1 (center): forward is southbound",
        "zone stop (bottom): occupancy",
        "edge/v1/north/cam-017/obs/main-st-n/crossing",
        "user cam-017\n  topic write edge/v1/north/cam-017/#\n  topic read edge/v1/north/cam-017/cmd/#",
        'camera "side" has no line and no zone: nothing is counted',
    ):
        assert words in out, words
    assert "obs/side/count" not in out
    assert BROKER_SECRET not in out
    assert CAMERA_SECRET not in out


def test_check_broken_config_tells_everything_and_ends_with_2(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("fps = 10", "fps = 0").replace('"bus"', '"buss"')
    file.write_text(text)
    assert check(file) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split("\n")[:2] == [
        f'{file}:{line_of(text, "fps = 0")}: camera "main-st-n": fps = 0: expected 0.1–120 frames/s',
        f'{file}:{line_of(text, "buss")}: camera "main-st-n": classes[1] = "buss": no class of street-nano@1.2.0: did you mean "bus"?',
    ]
    assert "2 problems; nothing was started" in err


def test_check_json_is_one_object_either_way(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file, "--json", "--set", "camera.side.live=true") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    assert said["plan"]["engines"]["street"]["providers"] == ["cpu"]
    assert said["streams"]["main-st-n"] == {
        "source": "rtsp://10.0.0.7/stream1", "model": "street", "fps": 10.0, "lines": ["lane1"], "zones": ["stop"]
    }  # fmt: skip
    assert "edge/v1/north/cam-017/live/side" in [topic["name"] for topic in said["topics"]]
    assert said["acl"][0] == "user cam-017"
    assert check(file, "--json", "--set", "camera.side.fps=0") == 2
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    (problem,) = said["problems"]
    assert (problem["file"], problem["line"], problem["where"]) == ("--set camera.side.fps", 0, 'camera "side"')


def test_check_schema_needs_no_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["camera"]["type"] == "array"


def test_check_without_config_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert "--config is missing" in capsys.readouterr().err


def test_check_stays_light(file: Path) -> None:
    """Nothing heavy is imported, neither for a good config nor for a bad one."""
    code = (
        "import sys\nfrom edge_runtime.cli.__main__ import main\n"
        f"codes = main(['check', '-c', {str(file)!r}]), main(['check', '-c', {str(file)!r}, '--set', 'camera.side.fps=0'])\n"
        f"print('CODES', codes, 'HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip().split("\n")[-1] == "CODES (0, 2) HEAVY []", done.stderr


@pytest.mark.parametrize("secret", [BROKER_SECRET, CAMERA_SECRET])
def test_check_never_shows_a_secret(secret: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong: list[tuple[str, ...]] = [
        (),
        ("--json",),
        ("--set", "camera.side.fps=0"),
        ("--json", "--set", "mqtt.url=http://x"),
        ("--set", "mqtt.password=5"),
    ]
    for more in wrong:
        check(file, *more)
    assert secret not in "".join(capsys.readouterr())


# -- online ----------------------------------------------------------------------------------------------------------------------


def street(folder: Path, bundle: Path, source: str, url: str, more: str = "") -> Path:
    text = (
        f'[device]\nsite = "north"\nnode = "cam-017"\n[mqtt]\nurl = "{url}"\n{more}\n[spool]\npath = "spool.db"\n'
        f'[[model]]\nname = "street"\nbundle = "{bundle}"\n[[camera]]\nname = "main"\nsource = "{source}"\nmodel = "street"\n'
    )
    (folder / "device.toml").write_text(text)
    return folder / "device.toml"


@pytest.fixture(scope="module")
def bundle(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model as a bundle."""
    out = tmp_path_factory.mktemp("bundles") / "yolox-nano"
    assert main(["models", "adopt", str(material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"), "--out", str(out)]) == 0
    return out


def findings(file: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = check(file, "--online", "--json", *more)
    said = json.loads(capsys.readouterr().out)
    return code, {finding["kind"]: finding for finding in said["online"]}


@pytest.mark.system
@pytest.mark.material
def test_online_all_well_is_told_and_ends_with_0(bundle: Path, material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.peers.broker import Broker
    from tests.peers.rtsp import RtspServer

    clip = material / "videos" / "busy_road" / "busy_road.mp4"
    with Broker(tmp_path / "broker") as broker, RtspServer({"/main": clip}) as server:
        for protocol in ("5", "3.1.1"):
            code, found = findings(street(tmp_path, bundle, server.url("/main"), broker.url), capsys, "--set", f'mqtt.protocol="{protocol}"')
            assert code == 0, found
            assert "640×360" in found["camera"]["says"]
            assert "goldens reproduced" in found["model"]["says"]
            assert f"MQTT {protocol}, echo of edge/v1/north/cam-017/cmd/echo" in found["broker"]["says"]
        assert check(street(tmp_path, bundle, str(clip), broker.url), "--online") == 0
        assert "  ok    camera main: h264 640×360" in capsys.readouterr().out


@pytest.mark.system
@pytest.mark.material
def test_online_everything_that_fails_is_told_with_what_to_do(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.peers.broker import free_port

    file = street(tmp_path, bundle, f"rtsp://127.0.0.1:{free_port()}/main", f"mqtt://127.0.0.1:{free_port()}")
    assert check(file, "--online") == 2
    err = capsys.readouterr().err
    assert "FAIL  camera main: " in err
    assert "FAIL  broker mqtt://127.0.0.1:" in err
    assert ": [unreachable] nobody listens at 127.0.0.1:" in err and "is the broker running?" in err
    model = bundle / "model.onnx"
    good = model.read_bytes()
    golden = bundle / "golden.npz"
    try:
        golden.rename(bundle / "away.npz")
        assert check(file, "--json") == 2  # without a try: the bundle is not whole
        assert "golden.npz" in capsys.readouterr().out
    finally:
        (bundle / "away.npz").rename(golden)
    assert model.read_bytes() == good


ACLS = [
    ("5", "topic read edge/v1/#", "the broker refuses a publish to edge/v1/north/cam-017/cmd/echo", "topic write edge/v1/north/cam-017/#"),
    ("3.1.1", "topic read edge/v1/#", "publish", "topic write edge/v1/north/cam-017/#"),
    ("5", "topic write edge/v1/#", "did not come back: the broker drops it", "topic read edge/v1/north/cam-017/cmd/#"),
]


@pytest.mark.system
@pytest.mark.parametrize(("protocol", "rule", "words", "fix"), ACLS, ids=["publish-5", "publish-3.1.1", "subscribe-5"])
def test_probe_of_a_broker_that_forbids_names_the_rule(protocol: Any, rule: str, words: str, fix: str, tmp_path: Path) -> None:
    from edge_runtime.deliver.mqtt import MqttOptions
    from edge_runtime.deliver.probe import ProbeFailed, probe
    from tests.peers.broker import Broker

    (tmp_path / "acl").write_text(rule + "\n")
    (tmp_path / "acl").chmod(0o644)
    with Broker(tmp_path / "broker", f"acl_file {tmp_path / 'acl'}") as broker, pytest.raises(ProbeFailed) as caught:
        probe(MqttOptions(url=broker.url, protocol=protocol), "north-cam-017-check", "edge/v1/north/cam-017/cmd/echo", 3.0)
    assert words in str(caught.value)  # on 3.1.1 some brokers drop the message, others the connection
    assert fix in str(caught.value)


@pytest.mark.system
def test_probe_with_the_rules_that_check_prints_passes(tmp_path: Path) -> None:
    from edge_runtime.config.schema import Config, DeviceConfig
    from edge_runtime.config.topics import broker_rules, echo_topic
    from edge_runtime.deliver.mqtt import MqttOptions
    from edge_runtime.deliver.probe import probe
    from tests.peers.broker import Broker

    config = Config(device=DeviceConfig(site="north", node="cam-017"))
    (tmp_path / "acl").write_text("\n".join(broker_rules(config, "x")) + "\n")
    with Broker(tmp_path / "broker", f"acl_file {tmp_path / 'acl'}") as broker:
        assert 0 <= probe(MqttOptions(url=broker.url), "x-check", echo_topic(config), 5.0) < 5


@pytest.mark.system
def test_probe_of_a_silent_peer_ends_in_time_with_a_reason() -> None:
    import socket
    import time

    from edge_runtime.deliver.mqtt import MqttOptions
    from edge_runtime.deliver.probe import ProbeFailed, probe

    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ProbeFailed, match="does not answer: is it an MQTT broker"):
            probe(MqttOptions(url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}"), "x", "edge/v1/a/b/cmd/echo", 1.0)
        assert time.monotonic() - began < 30
