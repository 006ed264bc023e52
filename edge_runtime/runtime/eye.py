"""How a lane looks at a frame: gate, preprocess, a place in the shared engine, decode. Built once a camera from its model's bundle."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.config.schema import CameraConfig
from edge_runtime.errors import BundleError
from edge_runtime.manifest import Manifest
from edge_runtime.runtime.scheduler import Scheduler
from edge_runtime.types import Detections, Frame, Geometry, Stamp

if TYPE_CHECKING:
    from edge_runtime.infer.engine import Engine


class Eye:
    """One camera's view through one engine. `still`, `acquire` and `look` belong to the feeding thread, `decode` to the settling one."""

    def __init__(self, camera: CameraConfig, manifest: Manifest, engine: Engine, scheduler: Scheduler, places: int) -> None:
        from edge_runtime.decode import make_decoder
        from edge_runtime.prepare.gate import MotionGate
        from edge_runtime.prepare.preprocess import Preprocessor

        if manifest.task != "detect":
            raise BundleError(f'model {manifest.identity}: task {manifest.task!r}: a camera needs a detector (task = "detect")')
        self.places = places
        self.labels = manifest.labels
        self.model = manifest.identity
        self._preprocess = Preprocessor(manifest.inputs[0], camera.mask)
        self._decoder = make_decoder(manifest, camera.track_floor, kept_labels(camera, manifest))
        self._gate = MotionGate(camera.mask) if camera.gate else None
        self._engine = engine
        self._scheduler = scheduler
        # One buffer a place: a lane never holds more places than there are, so the queue is never empty when one was granted.
        self._buffers: SimpleQueue[NDArray[Any]] = SimpleQueue()
        self._in_hand = threading.Semaphore(0)  # places granted and not yet given to the engine: at most one, the feeding thread's
        for _ in range(places):
            self._buffers.put(self._preprocess.allocate())

    def still(self, frame: Frame) -> bool:
        """Whether nothing moved since the last frame that was inferred."""
        return self._gate is not None and not self._gate.moving(frame)

    def acquire(self, deadline_ns: int, timeout: float) -> bool:
        """Wait for a place in the engine; `look` gives it back when the result is there."""
        if not self._scheduler.acquire(deadline_ns, timeout):
            return False
        self._in_hand.release()
        return True

    def forfeit(self) -> None:
        """From any thread: the lane was given up. The place that its feeding thread may be hanging with goes back to the other cameras."""
        if self._in_hand.acquire(blocking=False):
            self._scheduler.release()

    def look(self, frame: Frame, deadline_ns: int) -> tuple[Geometry, Future[list[NDArray[Any]]]]:
        """Preprocess and submit. The frame's planes are no longer needed afterwards."""
        buffer = self._buffers.get()
        try:
            geometry = self._preprocess(frame, buffer)
            result = self._engine.submit(buffer, deadline_ns)
        except BaseException:
            self._buffers.put(buffer)
            self.forfeit()
            raise
        result.add_done_callback(lambda _: self._buffers.put(buffer))  # before the place: whoever gets that finds a buffer
        if self._in_hand.acquire(blocking=False):
            result.add_done_callback(lambda _: self._scheduler.release())
        return geometry, result

    def decode(self, outputs: Sequence[NDArray[Any]], stamp: Stamp, geometry: Geometry) -> Detections:
        """Raw outputs to boxes in upright source pixels."""
        return replace(self._decoder.decode(outputs, stamp, geometry), grain_px=geometry.grain_px)


def kept_labels(camera: CameraConfig, manifest: Manifest) -> NDArray[np.bool_] | None:
    """A flag for each label of the model: whether the camera wants it; None when it wants all."""
    if camera.classes is None:
        return None
    return np.array([label in camera.classes for label in manifest.labels], np.bool_)
