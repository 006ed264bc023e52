"""Real footage and a real model for what runs whole."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bundle_folder(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YOLOX-nano as a bundle."""
    from edge_runtime.infer.adopt import adopt

    return adopt(material / "models" / "yolox_nano" / "yolox_nano_416x416.onnx", tmp_path_factory.mktemp("bundles") / "yolox-nano")


@pytest.fixture
def busy_road(material: Path) -> Path:
    """640×360, 30 pictures/s, 499 pictures."""
    return material / "videos" / "busy_road" / "busy_road.mp4"
