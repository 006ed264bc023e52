"""Sources that know what their pictures show, because they made them.

    source = make_source(spec)
    if isinstance(source, Truthful):
        source.judge(camera.line, camera.zone)      before `open`: from now on truth is kept, by these lines and zones
        …
        source.truth.crossings                      from any thread, while it runs: who really passed which line, and when

Judging costs something, so it is done only when somebody asked. What is true never enters what is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.spec import FrameSource

if TYPE_CHECKING:
    from edge_runtime.analyse.line import LineOptions
    from edge_runtime.analyse.zone import ZoneOptions
    from edge_runtime.sources.sim.truth import LineRule, TruthLog, ZoneRule
    from edge_runtime.types import Size


@dataclass(frozen=True, slots=True, eq=False)
class TrueFrame:
    """What one frame that was given shows. Rows belong together; `xyxy` is the whole body, also what is hidden or outside."""

    seq: int  # of the frame's stamp
    media_ns: int
    size: Size
    id: NDArray[np.int64]  # (N,)
    label: tuple[str, ...]  # N
    xyxy: NDArray[np.float64]  # (N, 4) pixels
    visibility: NDArray[np.float64]  # (N,) 0–1: the share of its own outline that the picture shows


@runtime_checkable
class Truthful(FrameSource, Protocol):
    """A source of pictures whose truth is known."""

    def judge(self, lines: Sequence[LineOptions], zones: Sequence[ZoneOptions], told: Callable[[TrueFrame], None] | None = None) -> None:
        """Keep truth from the next `open` on; without any line or zone, by those of the scene. `told` hears of each frame, in the reading thread."""

    @property
    def rules(self) -> tuple[Sequence[LineRule], Sequence[ZoneRule]]:
        """The lines and zones that truth is judged by."""

    @property
    def truth(self) -> TruthLog | None:
        """What happened since it was opened; None before that, and when nobody asked to judge."""
