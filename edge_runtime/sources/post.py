"""Letters between the daemon and its capture child, over one SOCK_SEQPACKET pair: each send is one letter, whole or not at all.

    daemon                                  child
      │ ── spec (stdin, one line) ──────────► │   the URL and its password; the pipe then stays open: its end ends the child
      │ ◄─────────── started ──────────────── │   its imports are done
      │ ◄─────────── opened info ──────────── │   or error
      │ ── want 7 ──────────────────────────► │   the daemon is reading
      │ ◄──────── memory (+ memfd) ────────── │   before the first frame, and when pictures outgrow their slots
      │ ◄── frame 7 slot … stats ──────────── │   answers exactly one want
      │ ◄──────────── beat stats ──────────── │   while wanted, twice a second: the child is alive, whether or not the camera is
      │ ── enough 8 ────────────────────────► │   stopped reading: what comes next is kept, newer over older, until the next want
      │ ◄──────────── error kind text ─────── │   and the child exits
      │ ── (the socket closes) ─────────────► │   says goodbye to the camera, and exits

Letters are JSON of at most a few hundred bytes: nothing in them is executed or trusted with a pointer.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

from edge_runtime.sources.spec import SourceStats, StreamInfo
from edge_runtime.types import Size

Letter = dict[str, Any]
LARGEST = 16_384
_FD_BYTES = struct.calcsize("i")


def send(sock: socket.socket, kind: str, **fields: Any) -> None:
    """Send one letter. Raises BlockingIOError when the far end does not take letters, OSError when it is gone."""
    sock.send(_encoded(kind, fields), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def send_with_fd(sock: socket.socket, fd: int, kind: str, **fields: Any) -> None:
    """As `send`, with a file descriptor that the receiver gets a copy of."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))]
    sock.sendmsg([_encoded(kind, fields)], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> tuple[Letter, int | None] | None:
    """The next letter and the descriptor that came with it; None when the far end is gone. Raises BlockingIOError when there is none yet."""
    # Not socket.recv_fds: it forgets its flags.
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    try:
        data, ancillary, _, _ = sock.recvmsg(LARGEST, socket.CMSG_SPACE(_FD_BYTES), flags)
    except ConnectionResetError:
        return None
    if not data:
        return None
    fd: int | None = None
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            (fd,) = struct.unpack_from("i", payload)
    letter: Letter = json.loads(data)
    return letter, fd


def stats_to_wire(stats: SourceStats) -> list[Any]:
    """As a letter carries them."""
    return [stats.decoded, stats.selected, stats.dropped, stats.corrupt, stats.behind, stats.stream_fps]


def stats_from_wire(fields: list[Any]) -> SourceStats:
    """The inverse of `stats_to_wire`."""
    return SourceStats(*fields)


def info_to_wire(info: StreamInfo) -> list[Any]:
    """As a letter carries it."""
    return [info.codec, list(info.size), info.pixel_format, info.fps, info.note]


def info_from_wire(fields: list[Any]) -> StreamInfo:
    """The inverse of `info_to_wire`."""
    codec, size, pixel_format, fps, note = fields
    return StreamInfo(codec, Size(*size), pixel_format, fps, note)


def _encoded(kind: str, fields: Letter) -> bytes:
    return json.dumps({"kind": kind, **fields}, separators=(",", ":")).encode()


def close_fd(fd: int | None) -> None:
    """Close a descriptor that came with a letter nobody expected."""
    if fd is not None:
        os.close(fd)
