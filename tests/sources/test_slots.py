"""Shared memory between two ends, in one process."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.sources.layout import plane_shapes
from edge_runtime.sources.slots import SlotReader, SlotWriter, frame_bytes
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp

COLOR = ColorSpec()


def picture(pixels: PixelFormat, size: Size, seed: int = 0, *, strided: bool = False) -> Frame:
    rng = np.random.default_rng(seed)
    planes = []
    for shape, dtype in plane_shapes(pixels, size):
        padded = (shape[0], shape[1] + 7, *shape[2:]) if strided else shape
        planes.append(rng.integers(0, 256, padded, np.uint16).astype(dtype)[:, : shape[1]])
    return Frame(Stamp("s", seed, 1, 2), tuple(planes), pixels, COLOR, size)


class Pair:
    def __init__(self, pixels: PixelFormat, size: Size, slots: int = 3) -> None:
        self.writer = SlotWriter(frame_bytes(pixels, size), slots)
        self.reader = SlotReader(os.dup(self.writer.fd), self.writer.slot_bytes, slots)

    def hand_over(self, frame: Frame) -> Frame:
        slot = self.writer.free()
        assert slot is not None
        self.writer.write(slot, frame)
        self.writer.give(slot)
        return self.reader.frame(slot, frame.stamp, frame.format, frame.color, frame.size, 0)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair(PixelFormat.YUV420P, Size(64, 48))
    yield made
    made.writer.close()


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("size", [Size(641, 361), Size(1, 1), Size(320, 240)])
@pytest.mark.parametrize("pixels", list(PixelFormat))
def test_frames_arrive_unchanged_and_read_only(pixels: PixelFormat, size: Size, strided: bool) -> None:
    pair = Pair(pixels, size)
    sent = [picture(pixels, size, seed, strided=strided) for seed in range(3)]
    got = [pair.hand_over(frame) for frame in sent]
    for before, after in zip(sent, got, strict=True):
        assert after.format is pixels
        assert after.size == size
        for left, right in zip(before.planes, after.planes, strict=True):
            assert np.array_equal(left, right)
            assert left.dtype == right.dtype
            assert not right.flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):
                right.flags.writeable = True
    pair.writer.close()


def test_slot_is_free_again_after_release_only(pair: Pair) -> None:
    frames = [pair.hand_over(picture(PixelFormat.YUV420P, Size(64, 48), seed)) for seed in range(3)]
    assert pair.writer.free() is None
    frames[1].release()
    assert pair.writer.free() == 1


def test_releasing_twice_does_not_free_the_slots_next_frame(pair: Pair) -> None:
    first = pair.hand_over(picture(PixelFormat.YUV420P, Size(64, 48), 0))
    first.release()
    second = pair.hand_over(picture(PixelFormat.YUV420P, Size(64, 48), 1))
    first.release()
    assert pair.writer.free() == 1, "slot 0 belongs to the second frame"
    second.release()
    assert pair.writer.free() == 0


def test_release_from_many_threads_frees_once(pair: Pair) -> None:
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(200):
            frame = pair.hand_over(picture(PixelFormat.YUV420P, Size(64, 48), round_))
            list(threads.map(lambda _, held=frame: held.release(), range(8)))
            assert pair.writer.free() == 0


def test_frames_outlive_their_writer_and_memory_goes_with_the_last(pair: Pair) -> None:
    sent = picture(PixelFormat.YUV420P, Size(64, 48), 5)
    got = pair.hand_over(sent)
    other = Pair(PixelFormat.GRAY8, Size(8, 8))
    before = len(list(Path("/proc/self/fd").iterdir()))
    other.writer.close()
    del other
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before - 1
    pair.writer.close()
    assert all(np.array_equal(left, right) for left, right in zip(sent.planes, got.planes, strict=True))
    got.release()
    pair.writer = SlotWriter(1)  # for the fixture to close


def test_smaller_frames_fit_in_the_same_slots(pair: Pair) -> None:
    small = picture(PixelFormat.NV12, Size(33, 21), 7)
    got = pair.hand_over(small)
    assert all(np.array_equal(left, right) for left, right in zip(small.planes, got.planes, strict=True))
