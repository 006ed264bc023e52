"""What a detector sees in a film, frame by frame, as the tracker gets it: for tests of counting and for working on the tracker offline.

python -m tests.benchmarks.record_detections FILM.mp4 YOLOX.onnx OUT.npz
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.decode import make_decoder
from edge_runtime.manifest import ImageInput, Manifest
from edge_runtime.types import Detections, Geometry, Size, Stamp

_SIDE = 416
_FLOOR = 0.1


def detect(film: Path, model: Path, keep: NDArray[np.bool_] | None = None) -> tuple[list[Detections], Size]:
    """Every frame's boxes by a YOLOX with COCO's labels, and the size of the picture. Plain OpenCV preprocessing: top-left letterbox, BGR 0–255."""
    import av
    import cv2
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    image = ImageInput(name=session.get_inputs()[0].name, size=Size(_SIDE, _SIDE))
    manifest = Manifest(
        name="yolox", version="1", task="detect", family="yolox", licence="", source="", sha256="", inputs=(image,), labels=tuple(map(str, range(80)))
    )
    decoder = make_decoder(manifest, _FLOOR, keep)
    found: list[Detections] = []
    size = Size(0, 0)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        for seq, frame in enumerate(container.decode(stream)):
            picture = frame.to_ndarray(format="bgr24")
            size = Size(picture.shape[1], picture.shape[0])
            ratio = min(_SIDE / size.width, _SIDE / size.height)
            inner = Size(round(size.width * ratio), round(size.height * ratio))
            canvas = np.full((_SIDE, _SIDE, 3), 114, np.uint8)
            canvas[: inner.height, : inner.width] = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
            outputs = session.run(None, {image.name: canvas.transpose(2, 0, 1)[None].astype(np.float32)})
            time_ns = round(float((frame.pts or 0) * (stream.time_base or 0)) * 1e9)
            geometry = Geometry((inner.width / size.width, inner.height / size.height), (0, 0), size)
            found.append(decoder.decode(outputs, Stamp(film.name, seq, time_ns, time_ns), geometry))
    return found, size


def save(path: Path, found: list[Detections], size: Size) -> None:
    """One row a box: frame, time in ns, x1 y1 x2 y2, score, label."""
    rows = [
        (frame.stamp.seq, frame.stamp.mono_ns, *box, score, label)
        for frame in found
        for box, score, label in zip(frame.xyxy.tolist(), frame.score.tolist(), frame.label.tolist(), strict=True)
    ]
    np.savez(path, rows=np.array(rows), times_ns=np.array([frame.stamp.mono_ns for frame in found]), size=np.array(size))


def load(path: Path) -> tuple[list[Detections], Size]:
    """What `save` wrote."""
    with np.load(path) as stored:
        rows, times, size = stored["rows"], stored["times_ns"], Size(*map(int, stored["size"]))
    found = []
    for seq, time_ns in enumerate(times.tolist()):
        mine = rows[rows[:, 0] == seq]
        stamp = Stamp(path.stem, seq, time_ns, time_ns)
        found.append(Detections(stamp, mine[:, 2:6].astype(np.float32), mine[:, 6].astype(np.float32), mine[:, 7].astype(np.int16)))
    return found, size


if __name__ == "__main__":
    save(Path(sys.argv[3]), *detect(Path(sys.argv[1]), Path(sys.argv[2])))
