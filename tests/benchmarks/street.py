"""What the benchmarks work on: the roadside clip in 1080p, YOLOX-nano as a bundle, a real broker, and configs that name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import process
from tests.conftest import material_root

LINE = (120, 750, 1395, 750)  # pixels of the 1080p clip
CLASSES = ("car", "motorcycle", "bus", "truck")

CONFIG = """\
[device]
site = "bench"
node = "street"
health = "2s"

[mqtt]
url = "mqtt://{broker}"

[spool]
path = "{folder}/spool.db"

[[model]]
name = "street"
bundle = "{bundle}"

[[camera]]
name = "main"
source = "{source}"
model = "street"
fps = {fps:g}
classes = [{classes}]
interval = "10s"

  [[camera.line]]
  name = "south"
  points = [[{line[0]}, {line[1]}], [{line[2]}, {line[3]}]]
  units = "px"
  size = [1920, 1080]
"""


@dataclass(frozen=True)
class Street:
    """One benchmark's place of work; `folder` holds everything that it writes."""

    folder: Path
    clip: Path
    model: Path
    bundle: Path
    broker: str  # host:port

    def config(self, name: str, *, source: str | None = None, fps: float = 30) -> Path:
        """A device.toml with one camera; it looks at the clip unless `source` is another."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        classes = ", ".join(f'"{label}"' for label in CLASSES)
        text = CONFIG.format(broker=self.broker, folder=folder, bundle=self.bundle, source=source or self.clip, fps=fps, classes=classes, line=LINE)
        path = folder / "device.toml"
        path.write_text(text, encoding="utf-8")
        return path


@contextmanager
def street(folder: Path) -> Iterator[Street]:
    """Adopt the model, start a broker. Raises SystemExit where the material is absent."""
    from tests.peers.broker import Broker

    material = material_root()
    if material is None:
        raise SystemExit("no footage and models here: set EDGE_RUNTIME_MATERIAL to their folder (edge-runtime bench measures without them)")
    model = material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx"
    bundle = folder / "yolox-nano"
    process.run(["-m", "edge_runtime", "models", "adopt", str(model), "--out", str(bundle)])
    with Broker(folder / "broker") as broker:
        yield Street(folder, material / "videos" / "busy_road" / "busy_road_1080p.mp4", model, bundle, broker.url.partition("://")[2])
