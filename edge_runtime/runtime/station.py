"""One model at work: its bundle, its engine, and the scheduler that shares it among cameras."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime.eye import Eye
from edge_runtime.runtime.scheduler import Scheduler

if TYPE_CHECKING:
    from edge_runtime.infer.bundle import Bundle
    from edge_runtime.infer.engine import Engine, EnginePlan

_log = logging.getLogger("edge_runtime.station")


class Station:
    """Construction reads the manifest; `open` loads the model and proves it on the bundle's goldens."""

    def __init__(self, name: str, bundle: Bundle, plan: EnginePlan) -> None:
        from edge_runtime.infer.engine import Engine

        self.name = name
        self.bundle = bundle
        self.plan = plan
        self.places = plan.workers + 1
        self.engine: Engine = Engine(bundle.model_path, bundle.manifest, plan)
        self.scheduler = Scheduler(self.places)

    def open(self) -> None:
        """Load. Raises BundleError (the model is broken or out of tolerance here), CannotStart (a provider is absent)."""
        from edge_runtime.infer.bundle import verify_golden

        self.engine.open()
        difference = verify_golden(self.bundle, self.engine)
        _log.debug("%s: golden outputs differ by at most %.2g here", self.bundle.manifest.identity, difference)

    def eye(self, camera: CameraConfig) -> Eye:
        """This model's view for one camera."""
        return Eye(camera, self.bundle.manifest, self.engine, self.scheduler, self.places)

    def close(self, deadline_s: float) -> None:
        """Let go of the sessions within `deadline_s`."""
        self.engine.close(deadline_s)


def cache_kernels(folder: Path | None = None) -> None:
    """Tell Numba where compiled kernels are kept: the service's cache directory, else the user's, private to the user.

    Must run before Numba is imported. Without it a read-only install without HOME cannot cache at all.
    """
    import os

    if "NUMBA_CACHE_DIR" in os.environ:
        return
    base = os.environ.get("CACHE_DIRECTORY") or os.environ.get("XDG_CACHE_HOME")
    root = folder or (Path(base) if base else Path.home() / ".cache")
    target = root / "edge-runtime" / "numba"
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _log.warning(
            "compiled kernels cannot be kept in %s (%s): every start compiles them anew; set NUMBA_CACHE_DIR to a writable folder", target, error
        )
        return
    os.environ["NUMBA_CACHE_DIR"] = str(target)
