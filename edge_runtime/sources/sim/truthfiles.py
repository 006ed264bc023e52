"""What a simulated street knows, as files that evaluation reads. One folder for each camera, written as the street goes on.

    crossings.jsonl   {"rule","dir","class","time","id","speed_kmh"}   a line each: names and meaning as in a crossing's envelope, `id` the user's
    zones.jsonl       {"rule","class","id","enter","leave","dwell_s"}  a stay each, when it ended; one that lasts at the end has leave = null
    gt.txt            MOTChallenge ground truth, no header: frame, id, left, top, width, height, 1, class, visibility
                      frames, left and top count from 1; pixels to 0.01; each user whose whole body overlaps the picture, hidden ones too
    seqinfo.ini       MOTChallenge: size, rate and length of the sequence; frame N of gt.txt is the Nth frame that the camera's `fps` selected
    truth.json        {"frames","fps","size", "lines": {name: {"line": [[x, y], [x, y]] in pixels, "anchor", "forward": {class: n},
                      "backward": {class: n}}}, "how"}: the sums of crossings.jsonl; classes that did not pass are left out; how it is known

Classes of gt.txt are MOTChallenge's where it has them (1 pedestrian, 3 car, 4 bicycle, 5 motorbike); 13 is a bus and 14 a truck.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from edge_runtime.analyse.geometry import to_pixels
from edge_runtime.errors import CannotStart
from edge_runtime.sources.truthful import TrueFrame, Truthful
from edge_runtime.types import Size

if TYPE_CHECKING:
    from edge_runtime.analyse.line import LineOptions
    from edge_runtime.analyse.zone import ZoneOptions
    from edge_runtime.sources.sim.truth import Stay, TruthLog

MOT_CLASS = {"person": 1, "car": 3, "bicycle": 4, "motorcycle": 5, "bus": 13, "truck": 14}
_EPOCH = datetime(1970, 1, 1)


class TruthFiles:
    """A context in which the truth of a source is written into `folder`, as the source gives frames. Enter it before the source is opened.

    `fps` is what the camera asked for, `rules` its lines and zones (none: those of the scene), `start_wall_ns` the time of its first frame.
    The reading thread writes; nothing is kept but sums. Raises CannotStart where the folder cannot be made, and when the disk refuses.
    """

    def __init__(
        self, folder: Path, source: Truthful, fps: float, rules: tuple[Sequence[LineOptions], Sequence[ZoneOptions]], start_wall_ns: int
    ) -> None:
        self._folder = folder
        self._source = source
        self._fps = fps
        self._rules = rules
        self._start_wall_ns = start_wall_ns
        self._frames = 0
        self._size = Size(0, 0)
        self._crossings_told = self._stays_told = 0
        self._stack = ExitStack()

    def __enter__(self) -> TruthFiles:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in ("truth.json", "seqinfo.ini"):  # written at the end: an older one would belong to other pictures
                (self._folder / name).unlink(missing_ok=True)
            self._gt, self._crossings, self._zones = (self._opened(name) for name in ("gt.txt", "crossings.jsonl", "zones.jsonl"))
        except OSError as error:
            self._stack.close()
            raise self._refused(error) from error
        self._source.judge(*self._rules, told=self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        whole = kind is None and self._frames > 0
        try:
            with self._stack:
                if whole:
                    self._finish()
            if whole:
                self._sum_up()
        except OSError as refused:
            raise self._refused(refused) from refused

    def _take(self, frame: TrueFrame) -> None:
        self._frames += 1
        self._size = frame.size
        try:
            self._gt.writelines(_mot_rows(self._frames, frame))
            self._tell_news()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> CannotStart:
        return CannotStart(f"{self._folder}: truth cannot be written here: {error.strerror}: give a folder that takes it")

    def _tell_news(self) -> None:
        """What the log holds beyond what was written."""
        crossings, stays = self._log.crossings, self._log.stays
        for each in sorted(crossings[self._crossings_told :], key=lambda each: (each.time_s, each.line, each.id)):
            who = {"class": each.label, "time": self._when(each.time_s), "id": each.id, "speed_kmh": each.speed_kmh}
            _write(self._crossings, {"rule": each.line, "dir": each.direction, **who})
        for stay in stays[self._stays_told :]:
            self._write_stay(stay)
        self._crossings_told, self._stays_told = len(crossings), len(stays)

    def _write_stay(self, stay: Stay) -> None:
        leave = None if stay.leave_s is None else self._when(stay.leave_s)
        when = {"enter": self._when(stay.enter_s), "leave": leave, "dwell_s": stay.dwell_s}
        _write(self._zones, {"rule": stay.zone, "class": stay.label, "id": stay.id, **when})

    def _finish(self) -> None:
        """Who is still in a zone."""
        for stay in sorted(self._log.staying, key=lambda stay: (stay.enter_s, stay.zone, stay.id)):
            self._write_stay(stay)

    def _sum_up(self) -> None:
        """What says that the other files are whole: written last, each at one stroke."""
        info = self._source.describe()
        stream_fps = self._fps if info is None or info.fps is None else info.fps
        fps = min(self._fps, stream_fps)
        truth = {"frames": self._frames, "fps": fps, "size": list(self._size), "lines": self._lines(), "how": "exact: the street is simulated"}
        sequence = {"name": self._folder.name, "imDir": "img1", "frameRate": f"{fps:g}", "seqLength": self._frames}
        picture = {"imWidth": self._size.width, "imHeight": self._size.height, "imExt": ".jpg"}
        rows = [f"{key}={value}" for key, value in {**sequence, **picture}.items()]
        for name, text in (("seqinfo.ini", "\n".join(["[Sequence]", *rows, ""])), ("truth.json", json.dumps(truth, indent=1) + "\n")):
            partial = self._folder / f".{name}.partial"
            try:
                partial.write_text(text, encoding="utf-8")
                partial.replace(self._folder / name)
            except OSError:
                partial.unlink(missing_ok=True)
                raise

    def _lines(self) -> dict[str, Any]:
        """What passed each line, by direction and class."""
        lines: dict[str, Any] = {}
        for rule in self._source.rules[0]:
            ends = to_pixels(rule.points, getattr(rule, "units", "fraction"), getattr(rule, "size", None), self._size)
            ways: dict[str, dict[str, int]] = {"forward": {}, "backward": {}}
            for (name, way, label), count in sorted(self._log.counts.items()):
                if name == rule.name:
                    ways[way][label] = count
            lines[rule.name] = {
                "line": [[round(float(x), 2), round(float(y), 2)] for x, y in ends],
                "anchor": getattr(rule, "anchor", "center"),
                **ways,
            }
        return lines

    @property
    def _log(self) -> TruthLog:
        log = self._source.truth
        assert log is not None  # it judges since `__enter__`, and has given a frame
        return log

    def _when(self, time_s: float) -> str:
        """RFC 3339, UTC, to the millisecond."""
        return (_EPOCH + timedelta(microseconds=self._start_wall_ns // 1000 + round(time_s * 1e6))).isoformat(timespec="milliseconds") + "Z"

    def _opened(self, name: str) -> TextIO:
        return self._stack.enter_context((self._folder / name).open("w", encoding="utf-8", newline="\n"))


def _mot_rows(number: int, frame: TrueFrame) -> Iterator[str]:
    """Rows of gt.txt: bodies that overlap the picture."""
    x1, y1, x2, y2 = frame.xyxy.T
    inside = (x1 < frame.size.width) & (y1 < frame.size.height) & (x2 > 0) & (y2 > 0)
    for row in np.flatnonzero(inside):
        left, top, right, bottom = (round(float(value), 2) for value in frame.xyxy[row])
        box = f"{left + 1:.2f},{top + 1:.2f},{right - left:.2f},{bottom - top:.2f}"
        yield f"{number},{frame.id[row]},{box},1,{MOT_CLASS[frame.label[row]]},{frame.visibility[row]:.2f}\n"


def _write(out: TextIO, row: dict[str, Any]) -> None:
    out.write(json.dumps(row, separators=(",", ":")) + "\n")
