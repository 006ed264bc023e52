"""ONNX Runtime reports nothing to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_engine_leaves_no_session_of_a_telemetry_client_behind(tmp_path: Path, tiny_bundle: Path) -> None:
    """Builds that have such a client keep its session's number in a file of the temporary folder."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-m", "edge_runtime", "models", "verify", str(tiny_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
