"""Who keeps this machine's clock right, and whether they say that it is: read from the kernel, timesyncd and chrony. Nothing is set here.

    adjtimex(2)                           the kernel's own word: STA_UNSYNC is clear while somebody disciplines the clock (timesyncd, ntpd,
                                          chrony with rtcsync); it is set again when nobody did for about nine hours, or somebody set the clock
    /run/systemd/timesync/synchronized    touched by timesyncd at each answer: this boot has been synchronised at least once
    udp 127.0.0.1:323, "tracking"         chrony without rtcsync never clears STA_UNSYNC, so it is asked itself

       timesyncd's file  ──┐                       ┌─ synchronised now            who, and how far off at most
       adjtimex          ──┼─► Discipline ─────────┤
       chrony's tracking ──┘                       └─ synchronised before         this boot, not now

A service that may not call adjtimex (ProtectClock=, a container's seccomp) still has the file and chrony.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

TIMESYNCD = Path("/run/systemd/timesync/synchronized")
CHRONY_FOLDER = Path("/run/chrony")  # made by chronyd at its start
CHRONY_PORT = 323
CHRONY_WAIT_S = 0.05
CHRONY_EVERY_NS = 16_000_000_000
FRESH_S = 3 * 2048.0  # timesyncd asks at least every 2048 s

_STA_UNSYNC = 0x0040
_FIELDS = ("offset", "freq", "maxerror", "esterror")
_PAD_BYTES = 256  # more than what follows on any Linux

# chrony's candm.h, protocol 6. Request: version, type, 2 reserved, command, attempt, sequence, 2 pads; as long as its answer. Answer: version, type,
# 2 reserved, command, reply, status, 3 pads of 16 bits, sequence, 2 pads; then ref_id, address (20 bytes), stratum, leap status, …
_REQUEST = struct.Struct(">BBBBHHIII")
_ANSWER = struct.Struct(">BBBBHHH6xI8x")
_LEAP = struct.Struct(">24xHH")
_TRACKING, _TRACKING_ANSWER = 33, 5
_ANSWER_BYTES = 104
_LEAP_UNSYNCHRONISED = 3


@dataclass(frozen=True, slots=True)
class Discipline:
    """What is known of the clock. `by`: timesyncd | chrony | kernel (somebody, the kernel does not say who), empty for nobody.

    `before`: it was synchronised in this boot. `max_error_s` is the kernel's own bound; None where it says nothing.
    """

    synchronised: bool = False
    before: bool = False
    by: str = ""
    max_error_s: float | None = None


class _Kernel(NamedTuple):
    synchronised: bool
    max_error_s: float


class _Timex(ctypes.Structure):
    """The head of `struct timex`; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in _FIELDS),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _PAD_BYTES),
    )


@dataclass(slots=True)
class DisciplineReader:
    """Reads what there is. Cheap: two system calls; chrony is asked only where it runs and the kernel says no, every 16 s."""

    timesyncd: Path = TIMESYNCD
    chrony_folder: Path = CHRONY_FOLDER
    chrony_port: int = CHRONY_PORT
    _adjtimex: object = field(default=None, init=False)
    _chrony: bool = field(default=False, init=False)
    _ask_chrony_ns: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if sys.platform.startswith("linux"):
            self._adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)

    def read(self) -> Discipline:
        """What is so now. Never raises."""
        kernel = self._kernel()
        age_s = _age_s(self.timesyncd)
        if kernel is not None and kernel.synchronised:
            by = "timesyncd" if age_s is not None else "chrony" if self.chrony_folder.is_dir() else "kernel"
            return Discipline(True, True, by, kernel.max_error_s)
        if self._chrony_says():
            return Discipline(True, True, "chrony")
        if age_s is None:
            return Discipline()
        # Where the kernel may not be asked, timesyncd's file is all there is.
        return Discipline(kernel is None and abs(age_s) < FRESH_S, True, "timesyncd", None if kernel is None else kernel.max_error_s)

    def _kernel(self) -> _Kernel | None:
        """What adjtimex says; None when it does not answer."""
        if not callable(self._adjtimex):
            return None
        timex = _Timex()  # modes 0: only read
        if self._adjtimex(ctypes.byref(timex)) < 0:
            return None
        return _Kernel(not timex.status & _STA_UNSYNC, timex.maxerror / 1e6)

    def _chrony_says(self) -> bool:
        now_ns = time.monotonic_ns()
        if now_ns >= self._ask_chrony_ns:
            self._ask_chrony_ns = now_ns + CHRONY_EVERY_NS
            self._chrony = self.chrony_folder.is_dir() and chrony_synchronised(self.chrony_port)
        return self._chrony


def chrony_synchronised(port: int = CHRONY_PORT) -> bool:
    """Whether the chronyd of this machine calls the clock synchronised. False within CHRONY_WAIT_S when it does not answer."""
    sequence = time.monotonic_ns() & 0xFFFFFFFF
    request = _REQUEST.pack(6, 1, 0, 0, _TRACKING, 0, sequence, 0, 0).ljust(_ANSWER_BYTES, b"\0")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(CHRONY_WAIT_S)
            asking.connect(("127.0.0.1", port))
            asking.send(request)
            answer = asking.recv(512)
    except OSError:
        return False  # nobody listens, or not for us
    if len(answer) < _ANSWER_BYTES:
        return False
    version, kind, _, _, command, reply, status, echoed = _ANSWER.unpack_from(answer)
    if (version, kind, command, reply, status, echoed) != (6, 2, _TRACKING, _TRACKING_ANSWER, 0, sequence):
        return False
    _, leap = _LEAP.unpack_from(answer, _ANSWER.size)
    return bool(leap != _LEAP_UNSYNCHRONISED)


def _age_s(path: Path) -> float | None:
    """Seconds since `path` was touched, by the wall clock; None when it is not there."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None
