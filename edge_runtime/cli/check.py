"""`edge-runtime check`: every error of a config at once; what it comes to on this machine; with --online, whether it works."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.config.plan import Plan
    from edge_runtime.config.schema import CameraConfig, Config
    from edge_runtime.runtime.online import Finding


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="what is wrong with a config, and what it comes to",
        description="Every config error at once, with file and line; else the resolved plan, the topics and the broker rules. Exit 0 or 2.",
    )
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="device.toml")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override one key (repeatable)")
    parser.add_argument("--online", action="store_true", help="open each camera, load each model, connect the broker; say what is wrong with each")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of device.toml, for editors, and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and report. Returns 0 when all is well, 2 when something is wrong."""
    from edge_runtime.errors import ConfigError, Problem

    if args.schema:
        from edge_runtime.config.jsonschema import schema

        print(json.dumps(schema(), indent=2, ensure_ascii=False))
        return 0
    if args.config is None:
        raise ConfigError([Problem("check", 0, "", "--config is missing: expected the path of a device.toml (or --schema)")])
    try:
        config, plan = _sound(args)
    except ConfigError as error:
        _refuse(error, args)
        return 2
    findings: list[Finding] = []
    if not args.json:
        print("\n".join(_summary(config, plan)), flush=True)
    if args.online:
        findings = _online(config, plan, quiet=args.json)
    ok = all(finding.ok for finding in findings)
    if args.json:
        print(json.dumps({"ok": ok, "problems": [], **_as_json(config, plan), "online": [each.as_json() for each in findings]}, ensure_ascii=False))
    return 0 if ok else 2


def _sound(args: argparse.Namespace) -> tuple[Config, Plan]:
    from edge_runtime.config.check import make_plan, require_sound
    from edge_runtime.config.load import load

    loaded = load(args.config, args.set)
    require_sound(loaded)
    return loaded.config, make_plan(loaded.config)


def _refuse(error: Any, args: argparse.Namespace) -> None:
    if args.json:
        from dataclasses import asdict

        print(json.dumps({"ok": False, "problems": [asdict(problem) for problem in error.problems]}, ensure_ascii=False))
        return
    print(error, file=sys.stderr)
    count = len(error.problems)
    print(f"\n{count} problem{'' if count == 1 else 's'}; nothing was started", file=sys.stderr)


def _online(config: Config, plan: Plan, *, quiet: bool) -> list[Finding]:
    from edge_runtime.runtime.online import try_all
    from edge_runtime.runtime.station import cache_kernels

    def tell(finding: Finding) -> None:
        if not quiet:
            out = sys.stdout if finding.ok else sys.stderr
            cause = f"[{finding.cause}] " if finding.cause else ""
            print(f"  {'ok  ' if finding.ok else 'FAIL'}  {finding.kind} {finding.name}: {cause}{finding.says}", file=out, flush=True)

    cache_kernels()
    if not quiet:
        print("\nonline", flush=True)
    return try_all(config, plan, tell)


def _summary(config: Config, plan: Plan) -> list[str]:
    """What the config comes to, for people."""
    from edge_runtime.config.check import bundle_of
    from edge_runtime.config.topics import broker_rules, topics_of

    device = config.device
    cores = f"{plan.cores} core{'' if plan.cores == 1 else 's'}"
    lines = [f"{config.file.name} is sound: {device.site}/{device.node} to {config.mqtt.url} as {plan.client_id}, on {cores}", "", "models"]
    for model in config.model:
        manifest, engine = bundle_of(config, model).manifest, plan.engines[model.name]
        size = "×".join(str(side) for side in manifest.inputs[0].size)
        shape = f"{_count(engine.workers, 'worker')} × {_count(engine.threads, 'thread')} on {', '.join(engine.providers)}"
        lines.append(f"  {model.name}: {manifest.identity} ({manifest.family}, {size}, {_count(len(manifest.labels), 'class', 'classes')}), {shape}")
    lines += ["", "cameras"]
    for camera in config.camera:
        lines += _camera_lines(camera)
    if config.sensor:
        lines += ["", "sensors", *(f"  {sensor.name}: {sensor.source}" for sensor in config.sensor)]
    topics = topics_of(config)
    wide = max(len(topic.name) for topic in topics)
    lines += ["", "topics"]
    for topic in topics:
        kind = f"QoS {topic.qos}" + (", retained" if topic.retained else ", spooled" if topic.spooled else "")
        lines.append(f"  {topic.name:<{wide}}  {kind:<15}  {topic.says}")
    lines += ["", "broker rules that this needs (mosquitto acl_file)", *(f"  {rule}" for rule in broker_rules(config, plan.client_id))]
    return [*lines, "", "notes", *(f"  {note}" for note in plan.notes)] if plan.notes else lines


def _camera_lines(camera: CameraConfig) -> list[str]:
    from edge_runtime.config.values import show_duration
    from edge_runtime.sources import redact

    source = redact(camera.source if camera.substream is None else camera.substream)
    what = "all classes" if camera.classes is None else ", ".join(camera.classes)
    lines = [f"  {camera.name}: {source}", f"    {camera.model}, {camera.fps:g} frames/s, {what}, windows of {show_duration(camera.interval_s)}"]
    for line in camera.line:
        words = [f"{way} is {word}" for way, word in (("forward", line.forward), ("backward", line.backward)) if word is not None]
        lines.append(f"    line {line.name} ({line.anchor})" + (f": {', '.join(words)}" if words else ""))
    return lines + [f"    zone {zone.name} ({zone.anchor}): {', '.join(zone.measure)}" for zone in camera.zone]


def _as_json(config: Config, plan: Plan) -> dict[str, Any]:
    from edge_runtime.config.topics import broker_rules, topics_of
    from edge_runtime.sources import redact

    streams = {
        camera.name: {
            "source": redact(camera.source if camera.substream is None else camera.substream),
            "model": camera.model,
            "fps": camera.fps,
            "lines": [line.name for line in camera.line],
            "zones": [zone.name for zone in camera.zone],
        }
        for camera in config.camera
    }
    streams |= {sensor.name: {"source": sensor.source} for sensor in config.sensor}
    return {
        "site": config.device.site,
        "node": config.device.node,
        "broker": config.mqtt.url,
        "plan": plan.as_json(),
        "streams": streams,
        "topics": [topic._asdict() for topic in topics_of(config)],
        "acl": broker_rules(config, plan.client_id),
    }


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
