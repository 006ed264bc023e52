"""Compile every kernel once, where somebody can watch: on a new machine that is most of the time to the first count."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from edge_runtime.runtime.station import cache_kernels


def compile_kernels(tell: Callable[[int, int], None]) -> None:
    """Import every module of edge_runtime.kernels: explicit signatures compile at import, or come from Numba's cache on disk.

    `tell` hears how many of how many modules are done, before the first and after each.
    """
    cache_kernels()
    package = importlib.import_module("edge_runtime.kernels")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    tell(0, len(names))
    for number, name in enumerate(names, 1):
        importlib.import_module(f"edge_runtime.kernels.{name}")
        tell(number, len(names))
