"""The usual script: what most people write for this job, kept honest so that the runtime has something to be compared with.

    cv2.VideoCapture ─► resize + pad ─► InferenceSession ─► NumPy decode ─► cv2.dnn.NMSBoxes ─► IoU tracker ─► line ─► paho publish

One thread, one loop. Nothing in it is made slow on purpose: the anchor grids are built once, messages go out in paho's own thread, OpenCV
and ONNX Runtime keep their defaults. `--threads` and `--no-spin` are the two settings that a careful author would try.

    python -m tests.benchmarks.usual CLIP MODEL --line 120 750 1395 750 --broker 127.0.0.1:1883
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
import onnxruntime
import paho.mqtt.client as mqtt

SCORE, IOU = 0.3, 0.45
MATCH_IOU, MAX_AGE = 0.3, 10
VEHICLES = {2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}  # rows of COCO's 80 classes


@dataclass
class Run:
    """What one run came to. Seconds count from the first frame: loading the model is not in them."""

    frames: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    crossings: dict[str, int] = field(default_factory=lambda: {"down": 0, "up": 0})

    @property
    def fps(self) -> float:
        return self.frames / self.wall_s


class Detector:
    def __init__(self, model: str, threads: int | None, spin: bool) -> None:
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        if not spin:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.height, self.width = self.session.get_inputs()[0].shape[2:]
        grids, strides = [], []
        for stride in (8, 16, 32):
            xv, yv = np.meshgrid(np.arange(self.width // stride), np.arange(self.height // stride))
            grid = np.stack((xv, yv), 2).reshape(1, -1, 2)
            grids.append(grid)
            strides.append(np.full((*grid.shape[:2], 1), stride))
        self.grids = np.concatenate(grids, 1)
        self.expanded_strides = np.concatenate(strides, 1)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A BGR picture -> boxes xyxy in its pixels, scores, classes."""
        blob, ratio = self.letterbox(image)
        output = self.session.run(None, {self.input: blob[None]})[0]
        return self.postprocess(output, ratio)

    def letterbox(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        ratio = min(self.height / image.shape[0], self.width / image.shape[1])
        size = int(image.shape[1] * ratio), int(image.shape[0] * ratio)
        padded = np.full((self.height, self.width, 3), 114, np.uint8)
        padded[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(padded.transpose(2, 0, 1), dtype=np.float32), ratio

    def postprocess(self, output: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        output[..., :2] = (output[..., :2] + self.grids) * self.expanded_strides
        output[..., 2:4] = np.exp(output[..., 2:4]) * self.expanded_strides
        predictions = output[0]
        scores = predictions[:, 4:5] * predictions[:, 5:]
        classes = scores.argmax(1)
        best = scores[np.arange(len(classes)), classes]
        wanted = (best > SCORE) & np.isin(classes, list(VEHICLES))
        boxes, best, classes = predictions[wanted, :4], best[wanted], classes[wanted]
        boxes[:, :2] -= boxes[:, 2:] / 2  # to x, y, width, height, as NMSBoxes wants them
        boxes /= ratio
        kept = np.array(cv2.dnn.NMSBoxes(boxes.tolist(), best.tolist(), SCORE, IOU), int).reshape(-1)
        boxes, best, classes = boxes[kept], best[kept], classes[kept]
        boxes[:, 2:] += boxes[:, :2]
        return boxes, best, classes


@dataclass
class Track:
    id: int
    box: np.ndarray
    velocity: np.ndarray
    label: int
    age: int = 0
    side: float = 0.0
    counted: bool = False


class Tracker:
    """Greedy IoU matching against boxes moved by their last velocity: SORT without the filter."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.next_id = 1

    def update(self, boxes: np.ndarray, classes: np.ndarray) -> list[Track]:
        predicted = np.array([track.box + track.velocity for track in self.tracks]).reshape(-1, 4)
        overlaps = iou(predicted, boxes)
        pairs = sorted(((overlaps[i, j], i, j) for i, j in np.argwhere(overlaps > MATCH_IOU)), reverse=True)
        matched: dict[int, int] = {}
        for _, i, j in pairs:
            if i not in matched and j not in matched.values():
                matched[i] = j
        for i, track in enumerate(self.tracks):
            if i in matched:
                box = boxes[matched[i]]
                track.velocity = 0.5 * track.velocity + 0.5 * (box - track.box)
                track.box, track.age = box, 0
            else:
                track.box = track.box + track.velocity
                track.age += 1
        self.tracks = [track for track in self.tracks if track.age <= MAX_AGE]
        for j in sorted(set(range(len(boxes))) - set(matched.values())):
            self.tracks.append(Track(self.next_id, boxes[j], np.zeros(4, np.float32), int(classes[j])))
            self.next_id += 1
        return [track for track in self.tracks if track.age == 0]


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    size = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0, None)
    shared = size[..., 0] * size[..., 1]
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return shared / (area_a[:, None] + area_b[None, :] - shared + 1e-9)


class LineCounter:
    """Counts a track once, when its centre changes sides between the line's ends."""

    def __init__(self, line: tuple[float, float, float, float]) -> None:
        self.start, self.end = np.array(line[:2]), np.array(line[2:])

    def crossed(self, track: Track) -> str | None:
        centre = (track.box[:2] + track.box[2:]) / 2
        along = self.end - self.start
        offset = centre - self.start
        side = float(along[0] * offset[1] - along[1] * offset[0])
        if side == 0:
            return None
        before, track.side = track.side, side
        if track.counted or before * side >= 0 or not 0 <= float(offset @ along) <= float(along @ along):
            return None
        track.counted = True
        return "down" if side > 0 else "up"


def run(clip: str, detector: Detector, line: tuple[float, float, float, float], client: mqtt.Client) -> Run:
    """The loop."""
    done = Run()
    capture = cv2.VideoCapture(clip)
    tracker, counter = Tracker(), LineCounter(line)
    wall, cpu = time.perf_counter(), time.process_time()
    while True:
        ok, image = capture.read()
        if not ok:
            break
        boxes, _, classes = detector(image)
        for track in tracker.update(boxes, classes):
            way = counter.crossed(track)
            if way is not None:
                done.crossings[way] += 1
                body = {"frame": done.frames, "track": track.id, "class": VEHICLES[track.label], "direction": way, "total": done.crossings[way]}
                client.publish("usual/main/crossing", json.dumps(body), qos=1)
        done.frames += 1
    done.wall_s, done.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    capture.release()
    return done


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.usual", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip")
    parser.add_argument("model", help="a YOLOX .onnx")
    parser.add_argument("--line", type=float, nargs=4, required=True, metavar=("X1", "Y1", "X2", "Y2"), help="pixels")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--threads", type=int, help="of ONNX Runtime (default: its own choice)")
    parser.add_argument("--no-spin", action="store_true", help="threads of ONNX Runtime sleep while they wait")
    args = parser.parse_args(argv)
    detector = Detector(args.model, args.threads, not args.no_spin)
    detector(np.zeros((1080, 1920, 3), np.uint8))
    client: Any = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    host, _, port = args.broker.rpartition(":")
    client.connect(host, int(port))
    client.loop_start()
    done = run(args.clip, detector, tuple(args.line), client)
    client.disconnect()
    client.loop_stop()
    print(json.dumps({**asdict(done), "fps": round(done.fps, 2), "cpu_ms": round(1000 * done.cpu_s / done.frames, 4)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
