"""The walk of one frame on a device, without its threads: prepare as the manifest says, infer as the daemon does, decode as the family does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode import Decoder, make_decoder
from edge_runtime.infer.session import start_session
from edge_runtime.manifest import Manifest
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import ColorSpec, Detections, Frame, Matrix, PixelFormat, Size, Stamp

CAMERA_COLOR = ColorSpec(Matrix.BT601, full_range=False)
_STAMP = Stamp("export", 0, 0, 0)


class Walk:
    """One model on one thread. `floor`: the least score that is reported; `labels`: what is wanted, None for everything.

    Raises BundleError when the device would refuse the model.
    """

    def __init__(self, data: bytes, manifest: Manifest, floor: float, labels: Sequence[str] | None = None) -> None:
        keep = None if labels is None else np.array([label in labels for label in manifest.labels])
        self.manifest = manifest
        self._session = start_session(data, manifest, ("cpu",), 1)
        self._name = manifest.inputs[0].name
        self._prepare = Preprocessor(manifest.inputs[0], ())
        self._buffer = self._prepare.allocate()
        self._decoder: Decoder = make_decoder(manifest, floor, keep)

    def answer(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's first raw output."""
        return np.asarray(self._session.run(None, {self._name: tensor})[0])

    def see(self, frame: Frame) -> Detections:
        """Everything: planes to boxes."""
        geometry = self._prepare(frame, self._buffer)
        return self._decoder.decode(self._session.run(None, {self._name: self._buffer}), frame.stamp, geometry)


def bgr_frame(picture: NDArray[np.uint8]) -> Frame:
    """A BGR picture as a source would hand it over."""
    return Frame(_STAMP, (picture,), PixelFormat.BGR24, CAMERA_COLOR, Size(picture.shape[1], picture.shape[0]))


def planes_frame(planes: Sequence[NDArray[np.uint8]]) -> Frame:
    """I420 planes as a decoder would hand them over."""
    return Frame(_STAMP, tuple(planes), PixelFormat.YUV420P, CAMERA_COLOR, Size(planes[0].shape[1], planes[0].shape[0]))
