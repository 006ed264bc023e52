"""One model at work: its bundle, its engine, and the scheduler that shares it among cameras."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge_runtime.config.schema import CameraConfig, Config
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


def open_stations(config: Config, plans: Mapping[str, EnginePlan], kept: Mapping[str, Station] | None = None) -> dict[str, Station]:
    """Every model that a camera uses, loaded; those in `kept` are taken as they are. Closes what it opened when one fails.

    Raises BundleError, CannotStart.
    """
    from edge_runtime.config.check import bundle_of

    used = {camera.model for camera in config.camera}
    stations: dict[str, Station] = dict(kept or {})
    fresh = [model for model in config.model if model.name in used and model.name not in stations]
    try:
        for model in fresh:
            station = Station(model.name, bundle_of(config, model), plans[model.name])
            stations[model.name] = station
            station.open()
    except BaseException:
        for model in fresh:
            if model.name in stations:
                stations[model.name].close(1.0)
        raise
    return stations


def cache_kernels() -> None:
    """Tell Numba where compiled kernels are kept: the service's cache directory, else the user's, private to the user.

    Must run before Numba is imported. Without it a read-only install without HOME cannot cache at all.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    from edge_runtime.infer.archive import cache_folder

    try:
        target = cache_folder() / "numba"
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        _log.warning("compiled kernels cannot be kept (%s): every start compiles them anew; set NUMBA_CACHE_DIR to a writable folder", error)
        return
    os.environ["NUMBA_CACHE_DIR"] = str(target)
