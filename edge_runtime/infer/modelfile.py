"""Opening a model file that is not trusted: a plain file, no link, of a bounded size."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from edge_runtime.errors import BundleError

MAX_MODEL_BYTES = 1 << 29

_BLOCK = 1 << 20


def open_model(path: Path) -> BinaryIO:
    """The file, opened for reading. Raises BundleError for a link, a device, an empty or too large file, or when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "a symbolic link: put the file itself there" if path.is_symlink() else error.strerror
        raise BundleError(f"{path}: cannot be used: {reason}") from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or not 0 < about.st_size <= MAX_MODEL_BYTES:
        os.close(descriptor)
        raise BundleError(f"{path}: expected a plain file of 1–{MAX_MODEL_BYTES:,} bytes, found {_kind(about)}")
    return os.fdopen(descriptor, "rb")


def read_model(path: Path) -> bytes:
    """All of it at once, so that what is checked is what is run. Raises BundleError as `open_model`."""
    with open_model(path) as file:
        return file.read(MAX_MODEL_BYTES)


def sha256_of(path: Path) -> str:
    """Its checksum, read block by block. Raises BundleError as `open_model`."""
    digest = hashlib.sha256()
    with open_model(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _kind(about: os.stat_result) -> str:
    return f"{about.st_size:,} bytes" if stat.S_ISREG(about.st_mode) else "something else (a folder, pipe or device)"
