"""A wall clock of the test's own: libfaketime steps it in one process, the monotonic clock left alone, and the kernel's word on it is the test's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SHIM = Path(__file__).with_name("adjtimex.c")
YEAR_S = 365 * 86_400
_COMPILER = shutil.which("cc")


class WallClock:
    """`env` makes a process live by it. `step` sets the clock of all of them, `synchronised` what adjtimex says there."""

    def __init__(self, folder: Path) -> None:
        if _COMPILER is None:
            pytest.skip("no C compiler here: apt-get install gcc libc6-dev")
        folder.mkdir(parents=True, exist_ok=True)
        self._offset_file = folder / "offset"
        self._word_file = folder / "adjtimex"
        shim = folder / "adjtimex.so"
        subprocess.run([_COMPILER, "-shared", "-fPIC", "-O1", "-o", str(shim), str(SHIM)], check=True, timeout=60)
        self.env = {
            "LD_PRELOAD": f"{shim}:{_faketime()}",
            "FAKETIME_TIMESTAMP_FILE": str(self._offset_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKE_ADJTIMEX": str(self._word_file),
        }
        self.offset_s = 0.0
        self.set(0.0, synchronised=False)

    def set(self, offset_s: float, *, synchronised: bool) -> None:
        """The clock is off by `offset_s` from now on."""
        self.synchronised(False)
        self.offset_s = offset_s
        _replace(self._offset_file, f"{offset_s:+f}\n")
        self.synchronised(synchronised)  # last: nobody calls a clock right before it is

    def step(self, seconds: float) -> None:
        """Somebody sets it."""
        self.offset_s += seconds
        _replace(self._offset_file, f"{self.offset_s:+f}\n")

    def synchronised(self, yes: bool) -> None:
        """What the kernel says of it."""
        _replace(self._word_file, "1" if yes else "0")


def _replace(path: Path, text: str) -> None:
    """At once: a reader sees the old or the new."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _faketime() -> Path:
    for folder in sorted(Path("/usr/lib").glob("*/faketime")):
        library = folder / "libfaketimeMT.so.1"
        if library.exists():
            return library
    pytest.skip("libfaketime is not installed: apt-get install faketime")
