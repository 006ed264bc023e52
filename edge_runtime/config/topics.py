"""What a config publishes and subscribes to, and the broker rules that it needs: nothing outside its own prefix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edge_runtime.config.schema import Config

TYPES: Mapping[str, str] = {
    "count": "passings of one line in one window and direction, by class; zeros too",
    "crossing": "one object passed a line",
    "occupancy": "how many were in a zone in one window: now, least, most, mean",
    "camera": "a camera came, went away or failed",
    "gap": "messages that were lost, or time that nothing was seen: from, to, why",
    "clock": "the clock became right or wrong, or was set: state, before, step_s",
    "alarm": "something about the node itself is beyond its limit, or no longer: what (writes: bytes a day to the disk), state raised or ended",
    "load": "one of the events that sim:load makes: n, one more than in the event before it, as long as the spool lives",
}
"""Types of `obs` topics, each with what it says."""


class Topic(NamedTuple):
    """One topic, or a family of them. `spooled`: kept on disk until the broker has it."""

    name: str
    qos: int
    retained: bool
    spooled: bool
    says: str


def prefix_of(config: Config) -> str:
    """Where everything of this node lives."""
    return f"edge/v1/{config.device.site}/{config.device.node}"


def topics_of(config: Config) -> list[Topic]:
    """Everything that the node publishes with this config."""
    prefix = prefix_of(config)
    topics = [
        Topic(f"{prefix}/status", 1, True, False, "online or offline"),
        Topic(f"{prefix}/info", 1, True, False, "versions, models, streams, the plan"),
        Topic(f"{prefix}/health", 0, False, False, "frames, drops, spool, temperature"),
        *(Topic(f"{prefix}/obs/node/{kind}", 1, False, True, TYPES[kind]) for kind in ("alarm", "clock", "gap")),
    ]
    for camera in config.camera:
        types = ["camera", "gap"]
        types += ["count", "crossing"] if camera.line else []
        types += ["occupancy"] if camera.zone else []
        topics += [Topic(f"{prefix}/obs/{camera.name}/{kind}", 1, False, True, TYPES[kind]) for kind in sorted(types)]
        if camera.live:
            topics.append(Topic(f"{prefix}/live/{camera.name}", 0, False, False, "boxes and ids of each frame"))
    topics += [Topic(f"{prefix}/obs/{sensor.name}/{kind}", 1, False, True, TYPES[kind]) for sensor in config.sensor for kind in ("gap", "load")]
    return topics


def echo_topic(config: Config) -> str:
    """Where `check --online` proves that publishing works: below cmd/, the only place that a node may read."""
    return f"{prefix_of(config)}/cmd/echo"


def broker_rules(config: Config, client_id: str) -> list[str]:
    """The ACL that this config needs, as lines of a mosquitto acl_file."""
    prefix = prefix_of(config)
    if config.mqtt.username is not None:
        who = [f"user {config.mqtt.username}"]
    elif config.mqtt.cert is not None:
        who = ["# user: the common name of the client certificate (use_identity_as_username true)"]
    else:
        who = [f"# no user: the broker must allow anonymous clients (client id {client_id})"]
    return [*who, f"topic write {prefix}/#", f"topic read {prefix}/cmd/#"]
