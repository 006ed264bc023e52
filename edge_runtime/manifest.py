"""The types of a model bundle's manifest. `infer/bundle.py` parses manifest.toml into them; `export` writes the same.

Everything that the runtime must know about a model stands here, so that nobody types tensor shapes into device.toml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge_runtime.types import Size

Task = Literal["detect", "classify", "embed", "forecast", "anomaly", "text"]
Layout = Literal["NCHW", "NHWC"]
Dtype = Literal["float32", "uint8", "float16"]
ColorOrder = Literal["RGB", "BGR"]
Resize = Literal["letterbox", "stretch", "crop"]
Align = Literal["top-left", "center"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """How a picture becomes this model's tensor: value = (pixel · scale − mean) / std, per channel in `color` order.

    letterbox keeps the aspect ratio and fills the rest with `pad` (a pixel value 0–255, before scale and mean); stretch does not keep it;
    crop keeps it and cuts off what does not fit, centred. `align` says where a letterboxed picture sits.
    """

    name: str
    size: Size
    layout: Layout = "NCHW"
    dtype: Dtype = "float32"
    color: ColorOrder = "RGB"
    resize: Resize = "letterbox"
    align: Align = "center"
    pad: int = 114
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Defaults for decoding: the least score worth reporting, and the overlap above which two boxes are one object."""

    score: float = 0.3
    iou: float = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Inputs and outputs from the framework that made the model, and how far this device may differ."""

    file: str = "golden.npz"
    atol: float = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One model bundle."""

    name: str
    version: str
    task: Task
    family: str  # row of the decoder table
    licence: str
    source: str
    sha256: str  # of model.onnx
    inputs: tuple[ImageInput, ...]
    labels: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    golden: Golden | None = None
    schema: int = 1

    @property
    def identity(self) -> str:
        """`name@version`, as events carry it."""
        return f"{self.name}@{self.version}"
