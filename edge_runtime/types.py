"""The vocabulary: what travels between stages. Struct-of-arrays, frozen, validated once where they enter.

Units are in the names. Pixels are source pixels (before any resize, after rotation) unless a name says otherwise. Arrays that
a type holds are never written to after construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Json = Any  # what json.dumps takes: None, bool, int, finite float, str, list, dict with str keys


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when an item was captured. `seq` counts items of this source since it was opened, gaps included."""

    source: str
    seq: int
    mono_ns: int  # durations, ordering; footage: presentation time from an arbitrary zero
    wall_ns: int  # for people; may be wrong before time sync


class Tick(NamedTuple):
    """An instant on both clocks."""

    mono_ns: int
    wall_ns: int


class PixelFormat(Enum):
    """How `Frame.planes` are laid out.

    YUV420P    (Y [h,w], U [⌈h/2⌉,⌈w/2⌉], V [⌈h/2⌉,⌈w/2⌉])        uint8
    YUV422P    (Y [h,w], U [h,⌈w/2⌉],     V [h,⌈w/2⌉])             uint8
    YUV420P10  as YUV420P, little-endian uint16 with ten bits used
    NV12       (Y [h,w], UV [⌈h/2⌉,⌈w/2⌉,2])                       uint8
    YUYV       (packed [h,⌈w/2⌉,4] as Y0 U Y1 V,)                   uint8
    BGR24      (packed [h,w,3],)                                    uint8
    GRAY8      (Y [h,w],)                                           uint8
    """

    YUV420P = "yuv420p"
    YUV422P = "yuv422p"
    YUV420P10 = "yuv420p10"
    NV12 = "nv12"
    YUYV = "yuyv"
    BGR24 = "bgr24"
    GRAY8 = "gray8"


class Matrix(Enum):
    """Luma coefficients of a YUV stream (ITU-R recommendation)."""

    BT601 = "bt601"
    BT709 = "bt709"
    BT2020 = "bt2020"


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """How to read YUV: coefficients, and whether luma spans 0–255 (full) or 16–235 (limited)."""

    matrix: Matrix = Matrix.BT709
    full_range: bool = False


class Lease(Protocol):
    """A slot of shared memory held until `release()`; releasing twice is harmless."""

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture in the decoder's own planes.

    The planes are READ-ONLY (later frames are predicted from them) and may be strided: a row may be padded. `size` is the picture
    before rotation; `rotation` says by how many degrees clockwise (0, 90, 180, 270) it must be turned to stand upright.
    """

    stamp: Stamp
    planes: tuple[NDArray[Any], ...]
    format: PixelFormat
    color: ColorSpec
    size: Size
    rotation: int = 0
    lease: Lease | None = None

    @property
    def upright(self) -> Size:
        """The size after rotation: the coordinate system of boxes, lines, zones and masks."""
        return Size(self.size.height, self.size.width) if self.rotation in (90, 270) else self.size

    def release(self) -> None:
        """Give the planes back; they must not be read afterwards. Harmless when there is no lease."""
        if self.lease is not None:
            self.lease.release()


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One sample of a sensor: values by channel, NaN where the channel said nothing."""

    stamp: Stamp
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One report in people's words."""

    stamp: Stamp
    text: str


@dataclass(frozen=True, slots=True)
class Geometry:
    """How source pixels became tensor pixels: tensor = source · scale + offset, per axis; the decoder inverts it."""

    scale: tuple[float, float]
    offset: tuple[float, float]
    source: Size

    @property
    def grain_px(self) -> float:
        """How many source pixels lie under one of the tensor's: what is nearer together than that, the model cannot tell apart."""
        return 1 / min(self.scale)

    def to_source(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [N, 4] in tensor pixels -> the same in source pixels, clipped to the picture."""
        scale = np.array([*self.scale, *self.scale], np.float32)
        offset = np.array([*self.offset, *self.offset], np.float32)
        out = (np.asarray(xyxy, np.float32) - offset) / scale
        limit = np.array([*self.source, *self.source], np.float32)
        return np.asarray(np.clip(out, np.float32(0), limit), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A model's input made from one item. `data` belongs to a reused buffer: it is valid until inference is done."""

    stamp: Stamp
    data: NDArray[Any]
    geometry: Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector saw in one frame, best first. Empty is a valid answer."""

    stamp: Stamp
    xyxy: NDArray[np.float32]  # (N, 4) source pixels
    score: NDArray[np.float32]  # (N,) 0–1
    label: NDArray[np.int16]  # (N,) index into the model's labels
    grain_px: float = 0.0  # source pixels under one of the detector's, as `Geometry` has them; 0: not known

    def __post_init__(self) -> None:
        count = len(self.score)
        if self.xyxy.shape != (count, 4) or self.label.shape != (count,):
            raise ValueError(f"detections disagree: xyxy {self.xyxy.shape}, score {self.score.shape}, label {self.label.shape}")

    @staticmethod
    def empty(stamp: Stamp) -> Detections:
        """No detections at `stamp`."""
        return Detections(stamp, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16))


class Sighting(NamedTuple):
    """Where one track was at one earlier instant."""

    id: int
    at: Tick
    xyxy: NDArray[np.float32]  # (4,) source pixels


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Detections that carry an identity. Its own type: a line counter cannot be wired without it.

    `boxes` holds one row for each track that was seen in this frame; `id` is unique in this lane for ever, never reset, never
    shared between cameras; `ended` lists ids that died now, so that whoever keeps per-id state prunes on it. A track is reported once
    it is believed; `past` then brings, once and in order of time, where it was before: a path begins where the object was first seen.
    """

    boxes: Detections
    id: NDArray[np.int64]  # (N,)
    ended: NDArray[np.int64]  # (M,)
    past: tuple[Sighting, ...] = ()


class ClockState(Enum):
    """How far `time` can be trusted."""

    NTP = "ntp"
    HOLDOVER = "holdover"
    UNSYNCED = "unsynced"
    RESTAMPED = "restamped"
    FOOTAGE = "footage"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an interval's numbers rest on."""

    frames_expected: int
    frames_processed: int
    blind_s: float = 0.0
    throttled_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """One counting window [start, end). `partial`: cut short by start, restart, clock step or end of footage."""

    start: Tick
    end: Tick
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """What an analyser says: the part of an envelope that it knows. `lane` adds `seen`, the publisher's side the rest."""

    type: str  # count | crossing | occupancy | camera | gap | …
    stream: str
    time: Tick  # the instant it became true; for a window its end
    data: Mapping[str, Json]
    start: Tick | None = None  # windows only
    seen: Seen | None = None
    partial: bool = False
    model: str | None = None  # "name@version"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as the spool keeps it: topic and payload are final but for the sequence number, which the spool gives.

    `payload` is the JSON object without `id` and `seq`; `priority` 0 goes first (crossings, events, gaps), 1 counts, 2 the rest.
    """

    topic: str
    payload: Mapping[str, Json]
    priority: int = 2
    mono_ns: int = 0
    wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class SpooledRow:
    """An envelope that the spool has accepted: `body` is the exact bytes that go on the wire."""

    seq: int
    topic: str
    body: bytes
    priority: int
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one row. `why` is empty when accepted. `final`: it would be the same at every further try.

    `answered`: it is the broker's own word. False: the row was never sent, so it says nothing about whether the broker works.
    """

    seq: int
    accepted: bool
    why: str = ""
    final: bool = False
    answered: bool = True


Polygon = Sequence[tuple[float, float]]  # corners as fractions (0–1) of the upright picture's width and height
