"""What "auto" resolves to, and what the plan tells people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from edge_runtime.config.plan import make_plan, usable_cores
from edge_runtime.config.schema import CameraConfig, Config, DeviceConfig, ModelConfig, SensorConfig
from edge_runtime.deliver.mqtt import MqttOptions
from edge_runtime.options import Secret


def config(*models: dict[str, Any], mqtt: MqttOptions | None = None, cameras: int | None = None) -> Config:
    """One camera a model, unless said otherwise."""
    named = [ModelConfig(name=f"m{i}", bundle="b", **model) for i, model in enumerate(models)]  # type: ignore[arg-type]
    used = named[:cameras]
    return Config(
        device=DeviceConfig(site="north", node="cam-017"),
        model=tuple(named),
        camera=tuple(CameraConfig(name=f"c{i}", source="v4l2:/dev/video0", model=model.name) for i, model in enumerate(used)),
        mqtt=mqtt or MqttOptions(),
    )


@pytest.mark.parametrize(
    ("cores", "models", "shapes"),
    [
        (1, [{}], [(1, 1)]),
        (2, [{}], [(2, 1)]),
        (4, [{}], [(4, 1)]),
        (4, [{}, {}], [(2, 1), (2, 1)]),
        (2, [{}, {}, {}], [(1, 1), (1, 1), (1, 1)]),
        (32, [{}], [(8, 4)]),
        (4, [{"threads": 2}], [(2, 2)]),
        (4, [{"threads": 8}], [(1, 8)]),
        (4, [{"workers": 1}], [(1, 4)]),
        (4, [{"workers": 3, "threads": 2}], [(3, 2)]),
        (4, [{"providers": ("cuda", "cpu")}], [(1, 1)]),
    ],
)
def test_auto_shares_the_cores(cores: int, models: list[dict[str, Any]], shapes: list[tuple[int, int]]) -> None:
    plan = make_plan(config(*models), cores)
    assert [(engine.workers, engine.threads) for engine in plan.engines.values()] == shapes


def test_model_without_a_camera_takes_no_cores_from_others() -> None:
    plan = make_plan(config({}, {}, cameras=1), 4)
    assert plan.engines["m0"].workers == 4
    assert any('model "m1" is used by no camera' in note for note in plan.notes)


def test_plan_is_json_and_names_the_client() -> None:
    plan = make_plan(config({"providers": ("cpu",)}), 2)
    said = json.loads(json.dumps(plan.as_json()))
    assert said["client_id"] == "north-cam-017"
    assert (said["cores"], said["engines"]["m0"]) == (2, {"workers": 2, "threads": 1, "providers": ["cpu"], "queue": plan.engines["m0"].queue})
    assert make_plan(config({}, mqtt=MqttOptions(client_id="other")), 2).client_id == "other"


def test_notes_say_what_is_no_error_but_worth_knowing() -> None:
    crowded = make_plan(config({"workers": 4, "threads": 4}), 2).notes
    assert any("16 threads on 2 cores" in note for note in crowded)
    assert not any("threads on" in note for note in make_plan(config({}, {}, {}), 2).notes)
    assert any("nothing is counted" in note for note in crowded)
    assert any("no [[camera]]" in note for note in make_plan(config(), 2).notes)
    clear = make_plan(config({}, mqtt=MqttOptions(username="u", password=Secret("x"))), 2).notes
    assert any("in the clear" in note for note in clear)
    old = make_plan(config({}, mqtt=MqttOptions(protocol="3.1.1")), 2).notes
    assert any("MQTT 3.1.1 cannot tell a publish that the broker refused" in note for note in old)
    assert not any("3.1.1" in note for note in clear)


def test_notes_say_what_is_made_up() -> None:
    made = config({})
    drawn = replace(made.camera[0], source="sim:road?seed=2")
    notes = make_plan(replace(made, camera=(drawn,), sensor=(SensorConfig(name="oracle", source="sim:load?rate=5"),)), 2).notes
    assert 'camera "c0" is a simulated street: what it counts never happened' in notes
    assert any('sensor "oracle" publishes made-up numbers' in note for note in notes)
    assert not any("simulated" in note or "made-up" in note for note in make_plan(made, 2).notes)
    assert not any(
        "only the node's status" in note for note in make_plan(replace(config(), sensor=(SensorConfig(name="o", source="sim:load"),)), 2).notes
    )


def test_usable_cores_are_those_of_this_process() -> None:
    import os

    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
