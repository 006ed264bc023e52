"""Frames in shared memory: one memfd, written by the capture child, read by the daemon.

    byte 0          4096                4096 + slot_bytes
    ├─ one flag a slot ─┼──── slot 0 ────────┼──── slot 1 ────────┼ …
       0 free                plane 0 | plane 1 | …   (each without padding)
       1 given to the reader

Who may touch a slot: the writer while its flag is 0, the reader while it is 1. The writer sets a flag before it tells the reader of the
frame; the reader clears it when the frame is released. There is no lock: a writer that is killed can hold nothing, and what it wrote
stays readable for as long as a frame refers to it.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

from edge_runtime.sources.layout import plane_shapes
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Size, Stamp

SLOTS = 5  # one being written, one waiting for the reader, three in the lane's hands (reading, mailbox, preprocessing)
_HEADER = 4096
_FREE, _GIVEN = b"\0", b"\1"
_PLANE_ALIGN = 64  # SIMD loads on planes start on a cache line


class SlotWriter:
    """The child's end: owns the memory."""

    def __init__(self, slot_bytes: int, slots: int = SLOTS) -> None:
        page = mmap.PAGESIZE
        self.slot_bytes = -(-slot_bytes // page) * page
        self.slots = slots
        self.fd = os.memfd_create("frames", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, _HEADER + slots * self.slot_bytes)
        self._memory = mmap.mmap(self.fd, 0)

    def free(self) -> int | None:
        """A slot that nobody reads; the lowest, so that a reader which keeps up touches little memory."""
        index = self._memory[: self.slots].find(_FREE)
        return None if index < 0 else index

    def write(self, slot: int, frame: Frame) -> None:
        """Copy the planes in. The slot must be free."""
        offset = _HEADER + slot * self.slot_bytes
        for plane, (shape, dtype) in zip(frame.planes, plane_shapes(frame.format, frame.size), strict=True):
            target = np.ndarray(shape, dtype, self._memory, offset)
            np.copyto(target, plane)
            offset += _padded(target.nbytes)

    def give(self, slot: int) -> None:
        """The reader owns the slot from now on."""
        self._memory[slot : slot + 1] = _GIVEN

    def take_back(self, slot: int) -> None:
        """The reader was not told of it after all."""
        self._memory[slot : slot + 1] = _FREE

    def close(self) -> None:
        """Let go; the reader's mapping lives on."""
        self._memory.close()
        os.close(self.fd)


class SlotReader:
    """The daemon's end. Planes are mapped read-only: writing into one is refused by the kernel, not by good manners."""

    def __init__(self, fd: int, slot_bytes: int, slots: int) -> None:
        """Maps and closes `fd`."""
        try:
            self._flags = mmap.mmap(fd, _HEADER)
            self._frames = mmap.mmap(fd, slots * slot_bytes, prot=mmap.PROT_READ, offset=_HEADER)
        finally:
            os.close(fd)
        self._slot_bytes = slot_bytes

    def frame(self, slot: int, stamp: Stamp, pixels: PixelFormat, color: ColorSpec, size: Size, rotation: int) -> Frame:
        """The frame in `slot`, leased until it is released."""
        offset = slot * self._slot_bytes
        planes = []
        for shape, dtype in plane_shapes(pixels, size):
            plane = np.ndarray(shape, dtype, self._frames, offset)
            planes.append(plane)
            offset += _padded(plane.nbytes)
        return Frame(stamp, tuple(planes), pixels, color, size, rotation, SlotLease(self._flags, slot))

    def release(self, slot: int) -> None:
        """Give back a slot that nobody wants to look at."""
        self._flags[slot : slot + 1] = _FREE


class SlotLease:
    """A slot in the reader's hands. May be released from any thread, any number of times."""

    __slots__ = ("_flags", "_held")

    def __init__(self, flags: mmap.mmap, slot: int) -> None:
        self._flags = flags
        self._held = [slot]

    def release(self) -> None:
        """Give the slot back to the writer."""
        try:
            slot = self._held.pop()  # atomic: of two threads only one gets it
        except IndexError:
            return
        self._flags[slot : slot + 1] = _FREE


def frame_bytes(pixels: PixelFormat, size: Size) -> int:
    """What a slot must hold for such a frame."""
    return sum(_padded(plane.nbytes) for plane in plane_shapes(pixels, size))


def _padded(nbytes: int) -> int:
    return -(-nbytes // _PLANE_ALIGN) * _PLANE_ALIGN
