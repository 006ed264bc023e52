"""The wall clock is stepped, late, or stands still in front of a certificate, under a real daemon: intervals, order and words stay right."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.clocked import FPS, RATE, WINDOW_S, differences, end, lengths_s, require_order, run_node, seams_s, subscribed, times_s, write_node
from tests.peers.broker import Broker, until
from tests.peers.wallclock import YEAR_S, WallClock

pytestmark = pytest.mark.system
STEPS_S = (3.0, -3.0, YEAR_S, -YEAR_S)
OPENSSL = shutil.which("openssl")


def test_steps_of_three_seconds_and_of_a_year_end_a_window_and_change_no_interval(tmp_path: Path, tiny_bundle: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.synchronised(True)
    with Broker(tmp_path / "broker") as broker:
        heard = subscribed(broker)
        with run_node(write_node(tmp_path, broker.url, tiny_bundle), clock.env) as daemon:
            heard.wait("windows", 3)
            for count, step_s in enumerate(STEPS_S, start=1):
                clock.step(step_s)
                heard.wait("obs/node/clock", count)
                heard.wait("windows", len(heard.windows) + 2)
            end(daemon)
        last = len(heard.windows)
        require_order(heard)
        load, windows, health = heard.load, heard.windows, heard.on("health")

    late_s = [seconds - 1 / RATE for seconds in differences(times_s(load))]
    for step_s in STEPS_S:
        late_s[min(range(len(late_s)), key=lambda index, step_s=step_s: abs(late_s[index] - step_s))] -= step_s  # type: ignore[misc]
    moved_s = health[-1]["sensors"]["oracle"]["moved_s"]  # a busy machine holds the load up, and it says by how much
    assert sum(late_s) == pytest.approx(moved_s, abs=0.5), "the load's times move with the clock, and by nothing else"
    assert -0.5 < min(late_s) <= max(late_s) < moved_s + 0.5
    assert [body["data"]["step_s"] for body in heard.on("obs/node/clock")] == pytest.approx(STEPS_S, abs=0.1)
    assert {body["data"]["state"] for body in heard.on("obs/node/clock")} == {"ntp"}
    assert health[-1]["timing"]["steps"] == len(STEPS_S)

    seams = [seconds for seconds in seams_s(windows) if seconds]
    assert seams == pytest.approx(STEPS_S, abs=0.1), "windows lie end to end but for the steps"
    # The steps sum up to nothing, so what the windows cover together is what passed from the first start to the last end.
    spans_s = lengths_s(windows)
    assert sum(spans_s) == pytest.approx(times_s(windows)[-1] - times_s(windows, "start")[0], abs=0.2)
    assert all(0 <= span_s <= WINDOW_S + 0.002 for span_s in spans_s)
    for window, span_s in zip(windows, spans_s, strict=True):
        whole = abs(span_s - WINDOW_S) < 0.002
        assert window.get("partial", False) is not whole, window
        assert window["seen"]["frames_expected"] == pytest.approx(FPS * span_s, abs=0.51)
    print(f"clock steps {STEPS_S}: {last} windows, {len(load)} numbers, {sum(window.get('partial', False) for window in windows)} windows cut")


def test_what_was_stamped_before_the_first_sync_is_told_restamped(tmp_path: Path, tiny_bundle: Path) -> None:
    """A board without a clock battery: it starts a year ago, counts while the network is away, and then learns time and broker at once."""
    clock = WallClock(tmp_path / "clock")
    clock.set(-YEAR_S, synchronised=False)
    broker = Broker(tmp_path / "broker")
    began_s = time.time()
    with run_node(write_node(tmp_path, broker.url, tiny_bundle), clock.env) as daemon:
        time.sleep(2.5 * WINDOW_S)
        clock.set(0.0, synchronised=True)
        set_s = time.time()
        until(lambda: daemon.said("the clock is right for the first time since boot"), 20)
        with broker:
            heard = subscribed(broker)
            heard.wait("load", round(4 * WINDOW_S * RATE))
            heard.wait("windows", 5)
            end(daemon)
            require_order(heard)
            load, windows, (change,), health = heard.load, heard.windows, heard.on("obs/node/clock"), heard.on("health")

    states = [body["clock"] for body in load]
    late = states.count("restamped")
    assert late > WINDOW_S * RATE
    assert states == ["restamped"] * late + ["ntp"] * (len(states) - late), "first what was put right, then what was right, nothing else"
    assert began_s < times_s(load)[0] < set_s
    moved_s = health[-1]["sensors"]["oracle"]["moved_s"]  # by a busy machine
    assert max(differences(times_s(load))) < 1.5 + moved_s, "across the sync the numbers lie as far apart as they were made"
    assert min(differences(times_s(load))) > 0
    assert {body["clock"] for body in windows} == {"restamped", "ntp"}
    assert seams_s(windows) == pytest.approx([0.0] * (len(windows) - 1), abs=0.002), "windows lie end to end across the sync"
    assert began_s < times_s(windows, "start")[0] < set_s
    assert (change["data"]["before"], change["data"]["state"]) == ("unsynced", "ntp")
    assert change["data"]["step_s"] == pytest.approx(YEAR_S, abs=0.1)
    print(f"first sync after {set_s - began_s:.1f} s: {late} numbers and {sum(body['clock'] == 'restamped' for body in windows)} windows restamped")


def broker_certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of a broker at 127.0.0.1, valid from now on for two days."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=broker"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([OPENSSL, "req", *kind, *more], check=True, capture_output=True, timeout=30)
    return certificate, key


@pytest.mark.parametrize("offset_s", [-YEAR_S, YEAR_S], ids=["not yet valid", "expired"])
def test_wrong_clock_before_tls_is_waited_out(tmp_path: Path, tiny_bundle: Path, offset_s: float) -> None:
    certificate, key = broker_certificate(tmp_path)
    clock = WallClock(tmp_path / "clock")
    clock.set(offset_s, synchronised=False)
    with Broker(tmp_path / "broker", f"certfile {certificate}\nkeyfile {key}", scheme="mqtts") as broker:
        config = write_node(tmp_path, broker.url, tiny_bundle, f'ca = "{certificate}"')
        with run_node(config, clock.env) as daemon:
            until(lambda: daemon.said("waiting for time"), 30, "the state that the clock is to blame for")
            assert not daemon.said("connected to the broker")
            clock.set(0.0, synchronised=True)
            until(lambda: daemon.said("connected to the broker"), 15, "dialled again as soon as the clock is right, not after the backoff")
            assert not daemon.said("was not accepted")
            end(daemon)


def test_wrong_clock_that_is_said_to_be_right_is_the_certificates_fault(tmp_path: Path, tiny_bundle: Path) -> None:
    certificate, key = broker_certificate(tmp_path)
    clock = WallClock(tmp_path / "clock")
    clock.set(YEAR_S, synchronised=True)
    broker = Broker(tmp_path / "broker", f"certfile {certificate}\nkeyfile {key}", scheme="mqtts")
    config = write_node(tmp_path, broker.url, tiny_bundle, f'ca = "{certificate}"')
    with broker, run_node(config, clock.env) as daemon:
        until(lambda: daemon.said("was not accepted"), 30)
        assert not daemon.said("waiting for time")
        end(daemon)


def through_a_stop(tmp_path: Path, bundle: Path, stopped_s: float) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.synchronised(True)
    with Broker(tmp_path / "broker", persistent=True) as broker:
        heard = subscribed(broker)
        with run_node(write_node(tmp_path, broker.url, bundle), clock.env) as daemon:
            heard.wait("windows", 2)
            before = len(heard.windows)
            daemon.freeze(True)
            time.sleep(stopped_s)
            daemon.freeze(False)
            heard.wait("windows", before + round(stopped_s / WINDOW_S) + 2)
            health = heard.on("health")[-1]
            end(daemon)
            log = list(daemon.log)
        require_order(heard)
        load, windows = heard.load, heard.windows

    assert seams_s(windows) == pytest.approx([0.0] * (len(windows) - 1), abs=0.002), "every window was told, also those that nobody saw"
    assert lengths_s(windows)[1:-1] == pytest.approx([WINDOW_S] * (len(windows) - 2), abs=0.002)
    blind_s = sum(window["seen"]["blind_s"] for window in windows)
    assert blind_s > stopped_s - 2, "nobody looked, and that is said; a busy machine may see less, and says that too"
    pause_s = max(differences(times_s(load)))
    assert pause_s > stopped_s - 1
    assert {body["clock"] for body in load + windows} == {"ntp"}
    assert heard.on("obs/node/clock") == []
    assert health["timing"]["steps"] == 0
    assert health["stalled"] == []
    assert health["streams"]["corner"]["restarts"] == 0, "\n".join(log)
    print(
        f"stopped for {stopped_s:.0f} s: {len(windows)} windows without a hole, {blind_s:.1f} s blind, the longest pause of the load {pause_s:.1f} s"
    )


def test_process_that_was_stopped_for_a_while_tells_every_window(tmp_path: Path, tiny_bundle: Path) -> None:
    through_a_stop(tmp_path, tiny_bundle, 9.0)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_process_that_was_stopped_for_two_minutes_tells_every_window(tmp_path: Path, tiny_bundle: Path) -> None:
    through_a_stop(tmp_path, tiny_bundle, 120.0)


def test_health_says_which_boot_and_what_the_clock_rests_on(tmp_path: Path, tiny_bundle: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.synchronised(True)
    with Broker(tmp_path / "broker") as broker:
        heard = subscribed(broker)
        with run_node(write_node(tmp_path, broker.url, tiny_bundle), clock.env) as daemon:
            heard.wait("health", 2)
            clock.synchronised(False)
            heard.wait("obs/node/clock", 1)
            heard.wait("health", len(heard.on("health")) + 1)
            end(daemon)
        first, last = heard.on("health")[0], heard.on("health")[-1]
        (change,) = heard.on("obs/node/clock")
    assert first["timing"]["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first["timing"]["by"]
    assert first["timing"]["max_error_s"] == 0.025
    assert 0 < last["timing"]["mono_s"] - first["timing"]["mono_s"] < 60
    assert (first["clock"], last["clock"]) == ("ntp", "holdover"), "nobody corrects it any more, and nobody has set it"
    assert {**change["data"], "by": ""} == {"state": "holdover", "before": "ntp", "by": ""}
