"""The main job on one machine: a looped clip as the camera, a real broker, the daemon, and what city ops sees.

    python deploy/demo.py CLIP MODEL.onnx [--seconds 30]      (make demo does this with the material's roadside clip)

Everything that it makes lies in one folder (.cache/demo): the bundle, device.toml, the spool. Nothing else on the machine is touched.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

CONFIG = """\
[device]
site = "demo"
node = "cam-001"
health = "2s"

[mqtt]
url = "mqtt://127.0.0.1:{port}"

[spool]
path = "spool.db"

[[model]]
name = "street"
bundle = "bundle"

[[camera]]
name = "main-st"
source = "{clip}?loop=1"            # a clip played at its own pace, again and again; a real box says rtsp://… here
model = "street"
fps = 10
classes = ["car", "bus", "truck", "motorcycle"]
interval = "10s"

  [[camera.line]]
  name = "southbound"
  points = [[0.06, 0.69], [0.73, 0.69]]
"""


def main() -> int:
    """Set up, run for a while, tidy up."""
    parser = argparse.ArgumentParser(description="The main job on one machine: clip, broker, daemon, live table.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=int, default=30, help="how long to watch (default 30)")
    parser.add_argument("--folder", type=Path, default=Path(".cache/demo"))
    args = parser.parse_args()
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if mosquitto is None:
        print("the demo needs a broker: apt-get install mosquitto", file=sys.stderr)
        return 3
    for file in (args.clip, args.model):
        if not file.is_file():
            print(f"{file}: no such file; the demo needs a clip and a YOLOX model: make demo CLIP=… MODEL=…", file=sys.stderr)
            return 2
    args.folder.mkdir(parents=True, exist_ok=True)
    return _run(args, mosquitto)


def _run(args: argparse.Namespace, mosquitto: str) -> int:
    edge_runtime = [sys.executable, "-m", "edge_runtime"]
    folder: Path = args.folder.resolve()
    port = _free_port()
    config = folder / "device.toml"
    config.write_text(CONFIG.format(port=port, clip=args.clip.resolve()), encoding="utf-8")
    print("1. the model becomes a bundle", flush=True)
    subprocess.run([*edge_runtime, "models", "adopt", str(args.model.resolve()), "--out", str(folder / "bundle"), "--force"], check=True)
    print("\n2. the config is checked", flush=True)
    subprocess.run([*edge_runtime, "check", "--config", str(config)], check=True)
    with ExitStack() as stack:
        print(f"\n3. broker on port {port}, daemon", flush=True)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (scratch / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")
        _started(stack, [mosquitto, "-c", str(scratch / "mosquitto.conf")])
        daemon = _started(stack, [*edge_runtime, "--config", str(config)])
        print(f"   subscribe yourself:  mosquitto_sub -p {port} -t 'edge/v1/#' -v\n", flush=True)
        subprocess.run([*edge_runtime, "watch", f"mqtt://127.0.0.1:{port}", "--seconds", str(args.seconds)], check=True)
        daemon.send_signal(signal.SIGTERM)
        print(f"\n4. stopped with status {daemon.wait(30)}; the config that you can change and run again: {config}")
        return daemon.returncode


def _started(stack: ExitStack, command: list[str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command)

    def end() -> None:
        if process.poll() is None:
            process.terminate()
            process.wait(30)

    stack.callback(end)
    return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
