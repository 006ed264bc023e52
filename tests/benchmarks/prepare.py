"""Planes to tensor against the usual chain, in CPU time: `python -m tests.benchmarks.prepare`.

The usual chain is what people write: PyAV's `to_ndarray("bgr24")`, resize, border, transpose, float32 (of the ways in which that is commonly
spelled, the quickest that gives a contiguous tensor). Both work on the same frames in turn, on one thread, and the median of each counts. Frames are
several, so that they do not lie in the nearest cache for one and not for the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from statistics import median
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.manifest import ImageInput
from edge_runtime.prepare.gate import MotionGate
from edge_runtime.prepare.preprocess import Preprocessor
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp

SOURCE = Size(1920, 1080)
TENSORS = (416, 640)


@dataclass(frozen=True, slots=True)
class Timing:
    """Median CPU microseconds a frame for one tensor."""

    tensor: str
    usual_us: float
    ours_us: float

    @property
    def ratio(self) -> float:
        return self.usual_us / self.ours_us


def measure(repetitions: int = 200) -> list[Timing]:
    """1080p YUV420P to 416 and 640, as 0–255 BGR and as 0–1 RGB, float32 NCHW, letterboxed."""
    cv2.setNumThreads(1)
    pictures = [_picture(seed) for seed in range(8)]
    frames = [_planes(picture) for picture in pictures]
    timings = []
    for side in TENSORS:
        for unit in (False, True):
            image = ImageInput(name="images", size=Size(side, side), color="RGB" if unit else "BGR", align="top-left", scale=1 / 255 if unit else 1.0)
            preprocess = Preprocessor(image, ())
            buffer = preprocess.allocate()
            ours_us, usual_us = _interleaved(
                [
                    lambda i, preprocess=preprocess, buffer=buffer: preprocess(frames[i], buffer),
                    lambda i, side=side, unit=unit: usual_chain(pictures[i], side, unit),
                ],
                repetitions,
            )
            timings.append(Timing(f"{side} {'RGB 0-1' if unit else 'BGR 0-255'}", usual_us, ours_us))
    return timings


def measure_gate(repetitions: int = 200) -> float:
    """Median CPU microseconds that the motion gate takes for a 1080p frame in which nothing moves."""
    gate = MotionGate(())
    frames = [_planes(_picture(1)) for _ in range(8)]
    times = []
    for turn in range(repetitions):
        frame = replace(frames[turn % 8], stamp=Stamp("bench", turn, turn * 100_000_000, 0))
        began = time.process_time_ns()
        gate.moving(frame)
        times.append((time.process_time_ns() - began) / 1e3)
    return median(times[8:])


def usual_chain(picture: av.VideoFrame, side: int, unit: bool) -> NDArray[np.float32]:
    """Decoder's frame -> [1, 3, side, side]: BGR 0–255, or RGB 0–1 for `unit`; letterboxed to the top left with 114."""
    bgr = picture.to_ndarray(format="bgr24")
    ratio = min(side / bgr.shape[0], side / bgr.shape[1])
    width, height = round(bgr.shape[1] * ratio), round(bgr.shape[0] * ratio)
    small = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_LINEAR)
    boxed = cv2.copyMakeBorder(small, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    if not unit:
        return np.ascontiguousarray(boxed.transpose(2, 0, 1), dtype=np.float32)[None]
    return (np.ascontiguousarray(boxed[:, :, ::-1].transpose(2, 0, 1)).astype(np.float32) / 255)[None]


def _interleaved(chains: Sequence[Callable[[int], Any]], repetitions: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in chains]
    for turn, i in zip(range(repetitions + 16), cycle((0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)), strict=False):
        for chain, times in list(zip(chains, taken, strict=True))[:: 1 if turn % 2 else -1]:  # neither always finds the frame warm
            began = time.process_time_ns()
            chain(i)
            if turn >= 16:  # the first round warms up
                times.append((time.process_time_ns() - began) / 1e3)
    return [median(times) for times in taken]


def _picture(seed: int) -> av.VideoFrame:
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.integers(0, 256, (1620 // 20, 1920 // 20), np.uint8), (1920, 1620), interpolation=cv2.INTER_CUBIC)
    return av.VideoFrame.from_ndarray(scene, format="yuv420p")


def _planes(picture: av.VideoFrame) -> Frame:
    planes = []
    for plane in picture.planes:
        samples = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        samples.flags.writeable = False
        planes.append(samples)
    return Frame(Stamp("bench", 0, 0, 0), tuple(planes), PixelFormat.YUV420P, ColorSpec(), SOURCE)


def main() -> None:
    """Print the table."""
    print(f"{'1080p yuv420p ->':<18} {'usual chain':>12} {'ours':>10} {'ratio':>7}   CPU µs a frame, median, one thread")
    for timing in measure():
        print(f"{timing.tensor:<18} {timing.usual_us:>12.0f} {timing.ours_us:>10.0f} {timing.ratio:>6.1f}x")
    print(f"motion gate, 1080p: {measure_gate():.0f} µs")


if __name__ == "__main__":
    main()
