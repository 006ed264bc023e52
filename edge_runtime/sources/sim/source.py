"""The simulated street as a source: frame by frame for replay, at its own pace for the daemon.

    pictures of the stream   0   1   2   3   4   5   6 …      ?fps=30: only counted
    selected by camera.fps   ●           ●           ●        drawn, once each
    daemon, drawing is late  ●           ○           ●        ○ due before it could begin: not drawn, counted as dropped; time goes on

Frames are BGR, as they are drawn: converting them to the planes of a decoder would cost as much again as all preprocessing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.errors import Disconnected, Exhausted
from edge_runtime.sources.cadence import Cadence
from edge_runtime.sources.sim.options import SimOptions
from edge_runtime.sources.spec import SourceSpec, SourceStats, StreamInfo
from edge_runtime.sources.tally import Tally
from edge_runtime.sources.truthful import TrueFrame
from edge_runtime.types import ColorSpec, Frame, PixelFormat, Stamp

if TYPE_CHECKING:
    from edge_runtime.analyse.line import LineOptions
    from edge_runtime.analyse.zone import ZoneOptions
    from edge_runtime.sources.sim.simulation import Shot, Simulation
    from edge_runtime.sources.sim.truth import LineRule, TruthLog, ZoneRule

_NS = 1_000_000_000
_ASLEEP_NS = 2 * _NS  # later than this nobody is drawing slowly: the process was stopped, and the street waited for it
_COLOR = ColorSpec(full_range=True)


class _Street:
    """What both have in common: the pictures of the stream, drawing one, and telling what it shows."""

    waiting = False  # a street is never away

    def __init__(self, spec: SourceSpec, options: SimOptions) -> None:
        self._spec = spec
        self._options = options
        self._tally = Tally()
        self._simulation: Simulation | None = None
        self._asked: tuple[Sequence[LineOptions], Sequence[ZoneOptions]] | None = None
        self._told: Callable[[TrueFrame], None] | None = None
        self._cadence = Cadence(spec.fps)
        self._number = 0

    def judge(self, lines: Sequence[LineOptions], zones: Sequence[ZoneOptions], told: Callable[[TrueFrame], None] | None = None) -> None:
        """As `Truthful` says."""
        self._asked = (tuple(lines), tuple(zones))
        self._told = told

    @property
    def rules(self) -> tuple[Sequence[LineRule], Sequence[ZoneRule]]:
        """As `Truthful` says."""
        from edge_runtime.sources.sim.scenes import SCENES

        scene = SCENES[self._options.scene]
        return self._asked if self._asked and any(self._asked) else (scene.lines, scene.zones)

    @property
    def truth(self) -> TruthLog | None:
        """As `Truthful` says."""
        simulation = self._simulation
        return None if simulation is None or self._asked is None else simulation.truth

    def open(self) -> None:
        """Build the street and let it fill with traffic."""
        from edge_runtime.sources.sim.simulation import Simulation

        lines, zones = self.rules
        self._simulation = Simulation(self._options, lines=lines, zones=zones, truthful=self._asked is not None)
        self._simulation.prepare()
        self._cadence = Cadence(self._spec.fps)
        self._number = 0
        self._tally.stream_fps = self._options.fps

    def close(self) -> None:
        """Nothing is given any more; what is true stays readable."""

    def stats(self) -> SourceStats:
        """Counters since this source was made."""
        return self._tally.snapshot()

    def describe(self) -> StreamInfo | None:
        """What is drawn; None before `open`."""
        if self._simulation is None:
            return None
        return StreamInfo("sim", self._options.size, PixelFormat.BGR24.value, self._options.fps)

    def _step(self) -> int | None:
        """One more picture of the stream: its media time when `fps` selects it."""
        media_ns = round(self._number * _NS / self._options.fps)
        self._number += 1
        self._tally.decoded += 1
        if not self._cadence.take(media_ns):
            return None
        self._tally.selected += 1
        return media_ns

    def _draw(self, media_ns: int, stamp: Stamp) -> Frame:
        assert self._simulation is not None
        shot = self._simulation.shot(media_ns / _NS)
        if self._told is not None:
            self._told(_true_frame(self._simulation, shot, stamp.seq, media_ns))
        shot.picture.flags.writeable = False
        return Frame(stamp, (shot.picture,), PixelFormat.BGR24, _COLOR, self._options.size)


class SimFootage(_Street):
    """For replay: every frame that `fps` selects, unpaced, then Exhausted after `?seconds=`. Deterministic.

    Stamps: mono_ns is the time of the street from 0, wall_ns the start plus that; the start is the caller's, else 1970.
    """

    def __init__(self, spec: SourceSpec, options: SimOptions, start_wall_ns: int | None = None) -> None:
        super().__init__(spec, options)
        self._pictures = max(1, round(options.seconds * options.fps))
        self._start_ns = start_wall_ns or 0
        self._is_open = False
        self._seq = 0
        self.expected_frames: int | None = math.ceil(self._pictures * min(1.0, spec.fps / options.fps))

    def open(self) -> None:
        """Build the street."""
        super().open()
        self._is_open = True
        self._seq = 0

    def read(self, timeout: float) -> Frame | None:  # noqa: ARG002 - it is never waited for
        """The next selected frame. Raises Exhausted at the end, Disconnected when it is not open."""
        if not self._is_open:
            raise Disconnected(f"{self._spec.shown}: not open")
        media_ns = None
        while media_ns is None:
            if self._number >= self._pictures:
                raise Exhausted(f"{self._spec.shown}: ended after {self._seq} selected frames")
            media_ns = self._step()
        stamp = Stamp(self._spec.name, self._seq, media_ns, self._start_ns + media_ns)
        self._seq += 1
        return self._draw(media_ns, stamp)

    def close(self) -> None:
        """End it."""
        self._is_open = False


class PacedStreet(_Street):
    """For the daemon: as a camera would give it, without end, stamped with this machine's clocks. Latest wins."""

    child_pid: int | None = None  # it is drawn in this process

    def __init__(self, spec: SourceSpec, options: SimOptions) -> None:
        super().__init__(spec, options)
        self.start_ns = 0  # on the monotonic clock: when the street's time was 0
        self._next: int | None = None  # media time of the frame that waits for its turn; None: not open
        self._seq = 0

    def open(self) -> None:
        """Build the street; its time begins when that is done."""
        super().open()
        self._seq = 0
        self._next = self._following()
        self.start_ns = time.monotonic_ns()

    def read(self, timeout: float) -> Frame | None:
        """The newest frame that is due, None when the next is due later than `timeout` seconds from now. Raises Disconnected when not open."""
        if self._next is None:
            raise Disconnected(f"{self._spec.shown}: not open")
        early_ns = self.start_ns + self._next - time.monotonic_ns()
        if early_ns > timeout * _NS:
            time.sleep(timeout)
            return None
        if early_ns > 0:
            time.sleep(early_ns / _NS)
        elif early_ns < -_ASLEEP_NS:
            self.start_ns -= early_ns
        media_ns = self._newest_due()
        mono_ns = self.start_ns + media_ns
        stamp = Stamp(self._spec.name, self._seq, mono_ns, time.time_ns() - (time.monotonic_ns() - mono_ns))  # the wall clock may be set meanwhile
        self._seq += 1
        return self._draw(media_ns, stamp)

    def close(self) -> None:
        """Stop giving frames."""
        self._next = None

    def interrupt(self) -> None:
        """Nothing: a street is waited for no longer than `read` was told."""

    def _newest_due(self) -> int:
        """Take the frame that waits, or a later one that is due by now as well."""
        assert self._next is not None
        media_ns, self._next = self._next, self._following()
        while self.start_ns + self._next <= time.monotonic_ns():
            self._tally.dropped += 1
            self._seq += 1
            media_ns, self._next = self._next, self._following()
        return media_ns

    def _following(self) -> int:
        while (media_ns := self._step()) is None:
            pass
        return media_ns


def _true_frame(simulation: Simulation, shot: Shot, seq: int, media_ns: int) -> TrueFrame:
    users = shot.moment.users
    return TrueFrame(
        seq=seq,
        media_ns=media_ns,
        size=simulation.size,
        id=np.array([user.id for user in users], np.int64),
        label=tuple(user.label for user in users),
        xyxy=simulation.boxes(shot.moment),
        visibility=simulation.visibility(shot.moment),
    )
