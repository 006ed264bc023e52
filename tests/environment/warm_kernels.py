"""Compiles every kernel into .cache/numba with the Python that runs this, unless it did so for these very sources.

Numba's cache looks at the file of a kernel only: an edit in another file that it inlines, or in a global, goes unseen. So here any change
of any kernel's source throws away what this Python compiled. Parallel test workers then load kernels instead of compiling them side by side.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pkgutil
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    """Import every module of edge_runtime.kernels: explicit signatures compile at import."""
    folder = cache_folder()
    stamp = folder / "sources.sha256"
    digest = sources_digest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    began = time.monotonic()
    kernels = importlib.import_module("edge_runtime.kernels")
    names = [module.name for module in pkgutil.iter_modules(kernels.__path__)]
    for name in names:
        importlib.import_module(f"edge_runtime.kernels.{name}")
    stamp.write_text(digest)
    print(f"setup: kernels compiled for Python {sys.version_info[0]}.{sys.version_info[1]} in {time.monotonic() - began:.0f} s: {', '.join(names)}")


def cache_folder() -> Path:
    """Where kernels compiled by this Python lie: tests/conftest.py points Numba at the same folder."""
    return Path(os.environ.get("EDGE_RUNTIME_TEST_CACHE", ROOT / ".cache")) / "numba" / f"{sys.version_info[0]}.{sys.version_info[1]}"


def sources_digest() -> str:
    """One digest over the sources of all kernels."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "edge_runtime" / "kernels").glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    main()
