"""Labels that are counted together, as the simulated street names them: there the truth of every count comes from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_export.street.recipe import LABELS
from edge_runtime.sources.sim.street import GROUP_OF
from edge_runtime.sources.sim.street import GROUPS as NAMES

GROUPS: Mapping[str, tuple[int, ...]] = {name: tuple(index for index, label in enumerate(LABELS) if GROUP_OF[label] == name) for name in NAMES}


def grouped(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """The number of each label's group; of IGNORED any."""
    number = np.array([NAMES.index(GROUP_OF[label]) for label in LABELS], np.int8)
    return number[labels]
