"""A bundle as one .tar.gz: unpacked once into the cache, under the archive's own checksum.

Nothing in an archive is trusted: only plain files are taken, by their last name, into a folder of our own; links, devices, paths that climb,
and more bytes than a bundle can have are refused before anything is in place. The folder appears at once or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from edge_runtime.errors import BundleError, CannotStart
from edge_runtime.infer.modelfile import sha256_of

MAX_BYTES = 1 << 30
MAX_FILES = 32
SUFFIXES = (".tar.gz", ".tgz")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_BLOCK = 1 << 20


def unpacked(archive: Path) -> Path:
    """The folder with the archive's files, made at the first call. Raises BundleError for what no bundle has, CannotStart when the cache refuses."""
    home = cache_folder() / "bundles"
    folder = home / sha256_of(archive)[:32]
    if folder.is_dir():
        return folder
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(dir=home, prefix=".unpacking-"))
    except OSError as error:
        raise CannotStart(f"{archive}: no room to unpack it: {home}: {error.strerror}; unpack it by hand and name the folder") from None
    try:
        _unpack(archive, scratch)
        try:
            scratch.rename(folder)
        except OSError:  # another process was quicker
            if not folder.is_dir():
                raise
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BundleError(f"{archive}: no readable .tar.gz: {error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def cache_folder() -> Path:
    """The service's cache directory (systemd's CacheDirectory=), else the user's."""
    base = os.environ.get("CACHE_DIRECTORY") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edge-runtime"


def _unpack(archive: Path, folder: Path) -> None:
    left = MAX_BYTES
    names: set[str] = set()
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            if member.isdir():
                continue
            name = _plain_name(archive, member)
            if name in names or len(names) >= MAX_FILES:
                raise BundleError(f"{archive}: {f'{name} twice' if name in names else f'more than {MAX_FILES} files'}: no bundle looks like that")
            names.add(name)
            left -= member.size
            if left < 0:
                raise BundleError(f"{archive}: more than {MAX_BYTES:,} bytes unpacked")
            source = tar.extractfile(member)
            assert source is not None  # a plain file
            with (folder / name).open("xb") as out:
                shutil.copyfileobj(source, out, _BLOCK)
    if "manifest.toml" not in names:
        raise BundleError(f"{archive}: expected manifest.toml and model.onnx in it, found {', '.join(sorted(names)) or 'nothing'}")


def _plain_name(archive: Path, member: tarfile.TarInfo) -> str:
    """The last part of a member's path: a bundle is flat, inside at most one folder."""
    path = PurePosixPath(member.name)
    parts = [part for part in path.parts if part != "."]
    if not member.isreg() or path.is_absolute() or ".." in parts or len(parts) > 2 or not _NAME.fullmatch(parts[-1] if parts else ""):
        raise BundleError(f"{archive}: {member.name!r}: a bundle holds plain files in at most one folder, no links and no other paths")
    return parts[-1]
