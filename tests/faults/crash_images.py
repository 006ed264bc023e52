"""Power cuts, without cutting the power: what a process writes is recorded, and the disk is made again as it may look after a cut at any moment.

    recorded by strace, of the real process with its own SQLite                 a cut after operation k leaves
    ──────────────────────────────────────────────────────────                  ────────────────────────────────────────────────────────────
    pwrite64 · ftruncate on a file    pending until that file is synced   ──►   all up to its last sync; of what came after it a random subset,
                                                                                each write torn at sectors of 512 bytes; zeros where a file grew
    create · rename · unlink          pending until the folder is synced  ──►   all up to its last sync; after it some in order, then none: file
                                                                                systems keep a journal of names
    fsync · fdatasync                 make pending things last
    write to standard output          what was promised until then

The recording is of system calls, so it holds for any SQLite that a Python was built with. A call that would change a file in a way that is not
modelled here ends the recording with an error, instead of being missed.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

SECTOR = 512
_TRACED = ("openat", "close", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "rename", "write")
_FORBIDDEN = ("pwritev", "writev", "truncate", "creat", "fallocate", "link", "linkat", "symlink", "unlinkat", "renameat", "renameat2", "sendfile")
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


class Op(NamedTuple):
    """One recorded call: kind is write, truncate, sync, create, rename, unlink, sync-folder, said."""

    kind: str
    inode: int = 0
    name: str = ""
    other: str = ""
    offset: int = 0  # of a write; the length of a truncate
    data: bytes = b""


def record(command: Sequence[str], folder: Path, cwd: Path) -> list[Op]:
    """Run `python command` and record what it does to the files of `folder`. Skips, saying so, where strace may not run."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    log = folder.with_name(folder.name + ".strace")
    calls = ",".join((*_TRACED, *(f"?{each}" for each in _FORBIDDEN)))
    traced = ["strace", "-f", "-xx", "-s", "1000000", "-o", str(log), "-e", f"trace={calls}", sys.executable, *command]
    done = subprocess.run(traced, capture_output=True, text=True, cwd=cwd, check=False)
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    with log.open(encoding="ascii") as lines:
        return _Reading(folder).read(lines)


class _Reading:
    """Calls of one process with one thread, as operations on inodes."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, int] = {}
        self._open: dict[int, int] = {}  # descriptor -> inode; 0: the folder itself
        self._inodes = 0
        self._ops: list[Op] = []

    def read(self, lines: Sequence[str] | object) -> list[Op]:
        for line in lines:  # type: ignore[attr-defined]
            if match := _LINE.match(line):
                call, arguments, result = match[1], match[2], int(match[3])
                if result >= 0:
                    self._take(call, arguments, result)
            else:
                assert "unfinished" not in line, "more than one thread: the order of calls is not known"
        return self._ops

    def _take(self, call: str, arguments: str, result: int) -> None:
        names = [self._inside(_bytes(match).decode()) for match in _TEXT.finditer(arguments)] if call in ("openat", "unlink", "rename") else []
        if call == "openat":
            self._opened(names[0], arguments, result)
        elif call in ("unlink", "rename") and any(name is not None for name in names):
            self._renamed(call, [name or "" for name in names])
        elif call in _FORBIDDEN:
            assert self._folder.encode().hex() not in arguments.replace("\\x", ""), f"not modelled: {call}({arguments})"
        elif call not in ("openat", "unlink", "rename"):
            self._on_descriptor(call, arguments, int(re.match(r"\d+", arguments)[0]))  # type: ignore[index]

    def _opened(self, name: str | None, arguments: str, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        if name is None:
            return
        if not name:
            self._open[descriptor] = 0
            return
        assert "O_TRUNC" not in arguments and "O_APPEND" not in arguments, f"not modelled: {arguments}"
        if name not in self._names:
            self._inodes += 1
            self._names[name] = self._inodes
            self._ops.append(Op("create", self._inodes, name))
        self._open[descriptor] = self._names[name]

    def _renamed(self, call: str, names: list[str]) -> None:
        inode = self._names.pop(names[0])
        if call == "rename":
            self._names[names[1]] = inode
        self._ops.append(Op(call, inode, *names))

    def _on_descriptor(self, call: str, arguments: str, descriptor: int) -> None:
        if call == "close":
            self._open.pop(descriptor, None)
        elif call == "write" and descriptor == 1:
            self._ops.append(Op("said", data=_bytes(_TEXT.search(arguments))))
        elif descriptor in self._open:
            inode = self._open[descriptor]
            assert call != "write", "not modelled: a write at the file's own position"
            if call in ("fsync", "fdatasync"):
                self._ops.append(Op("sync" if inode else "sync-folder", inode))
            elif call == "ftruncate":
                self._ops.append(Op("truncate", inode, offset=int(arguments.rpartition(",")[2])))
            elif call == "pwrite64":
                self._ops.append(Op("write", inode, offset=int(arguments.rpartition(",")[2]), data=_bytes(_TEXT.search(arguments))))

    def _inside(self, path: str) -> str | None:
        """The name in the folder; "" for the folder itself, None for what lies elsewhere."""
        if path == self._folder:
            return ""
        return path[len(self._folder) + 1 :] if path.startswith(self._folder + "/") else None


def _bytes(match: re.Match[str] | None) -> bytes:
    assert match is not None and match[2] is None, "strace cut a text short"
    return bytes.fromhex(match[1].replace("\\x", ""))


@dataclass
class Disk:
    """What has certainly reached the disk, and what may have."""

    content: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    pending: dict[int, list[Op]] = field(default_factory=dict)
    pending_names: list[Op] = field(default_factory=list)

    def take(self, op: Op) -> None:
        """One more call."""
        if op.kind in ("write", "truncate"):
            self.pending.setdefault(op.inode, []).append(op)
        elif op.kind in ("create", "rename", "unlink"):
            self.pending_names.append(op)
        elif op.kind == "sync":
            for each in self.pending.pop(op.inode, ()):
                _apply(self.content.setdefault(op.inode, bytearray()), each)
        elif op.kind == "sync-folder":
            for each in self.pending_names:
                _rename(self.names, each)
            self.pending_names.clear()

    @property
    def dirty(self) -> bool:
        """Something may or may not have reached the disk."""
        return bool(self.pending or self.pending_names)

    def after_a_cut(self, folder: Path, chance: random.Random | None) -> None:
        """Write the files into `folder` as they may look; without `chance` nothing of what is pending has reached the disk."""
        names = dict(self.names)
        for each in self.pending_names[: chance.randint(0, len(self.pending_names)) if chance else 0]:
            _rename(names, each)
        for name, inode in names.items():
            content = bytearray(self.content.get(inode, b""))
            if chance is not None:
                _apply_some(content, self.pending.get(inode, ()), chance)
            (folder / name).write_bytes(content)


def _apply_some(content: bytearray, pending: Sequence[Op], chance: random.Random) -> None:
    share = chance.choice((0.1, 0.5, 0.9, 1.0))
    torn = chance.random() < 0.5
    for op in pending:
        if op.kind == "truncate" or not torn:
            if chance.random() < share:
                _apply(content, op)
        else:
            for start in range(-(op.offset % SECTOR), len(op.data), SECTOR):  # sectors of the disk, not of the write
                piece = op.data[max(0, start) : start + SECTOR]
                if chance.random() < share:
                    _apply(content, op._replace(offset=op.offset + max(0, start), data=piece))


def _apply(content: bytearray, op: Op) -> None:
    end = op.offset + len(op.data)
    if op.kind == "truncate":
        del content[op.offset :]
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[op.offset : end] = op.data


def _rename(names: dict[str, int], op: Op) -> None:
    if op.kind == "create":
        names[op.name] = op.inode
        return
    names.pop(op.name, None)
    if op.kind == "rename":
        names[op.other] = op.inode
