"""What was counted, drawn on the picture: boxes with ids and short trails, lines with their forward direction, zones, running totals.

    ┌────────────────────────────┐
    │ lane1 ↓ 24  ↑ 0            │   panel: a row a line, in the user's own words for its directions
    │        ╭───────╮           │
    │        │ car 7 │           │   box and trail in the colour of the id, which stays its own as long as it lives
    │   ─────┼───┬───┼─── lane1  │   line; the arrow points forward
    │        ╰───┼───╯           │
    │            ▼               │
    └────────────────────────────┘

Everything scales with the picture, so that 640×360 and 1080p read alike. Text is cv2's Hershey font, which knows ASCII only: accents are dropped,
what has no plain form becomes "?".
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.analyse.geometry import anchors, to_pixels
from edge_runtime.analyse.line import LineOptions
from edge_runtime.analyse.zone import ZoneOptions
from edge_runtime.prepare.planes import opencv
from edge_runtime.types import Size, Tracks

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # B, G, R

_TRAIL_FRAMES = 30
_TRAILS = 512  # so many ids have a trail, should none ever be reported as ended
_SUBPIXEL = 4  # bits: cv2 takes coordinates in sixteenths
_LINE_COLOUR: Colour = (60, 220, 255)
_ZONE_COLOUR: Colour = (255, 190, 80)
_WHITE: Colour = (255, 255, 255)
_DARK: Colour = (24, 24, 24)
# Hues that stay apart on asphalt and for most colour-blind eyes (after Okabe and Ito, 2008), B, G, R.
_PALETTE: tuple[Colour, ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (0, 94, 213),
    (167, 121, 204),
    (230, 120, 60),
    (140, 230, 140),
)


class Annotator:
    """Draws on one camera's pictures. `size`: the upright picture; `labels`: the model's words for its classes."""

    def __init__(self, size: Size, lines: Sequence[LineOptions], zones: Sequence[ZoneOptions], labels: Sequence[str]) -> None:
        self._cv2 = opencv()
        self._size = size
        self._labels = tuple(labels)
        self._lines = [(line, to_pixels(line.points, line.units, line.size, size)) for line in lines]
        self._zones = [(zone, to_pixels(zone.polygon, zone.units, zone.size, size)) for zone in zones]
        self._trails: dict[int, deque[tuple[float, float]]] = {}
        scale = max(0.5, min(size.width / 1280, size.height / 720))
        self._thick = max(1, round(2 * scale))
        self._font = max(0.38, 0.62 * scale)
        self._stroke = max(1, round(1.4 * scale))
        self._gap = max(3, round(7 * scale))

    def draw(self, picture: Picture, tracks: Tracks, totals: Mapping[str, Mapping[str, int]]) -> None:
        """Draw on `picture` [h, w, 3] BGR in place. `totals`: crossings by line name and direction (forward, backward)."""
        self._follow(tracks)
        for zone, corners in self._zones:
            self._draw_zone(picture, zone.name, corners)
        for line, ends in self._lines:
            self._draw_line(picture, line.name, ends)
        colours = [_PALETTE[int(each) % len(_PALETTE)] for each in tracks.id]
        for number, colour in zip(tracks.id.tolist(), colours, strict=True):
            self._polyline(picture, self._trails[number], colour)
        boxes = tracks.boxes
        for number, box, label, colour in zip(tracks.id.tolist(), boxes.xyxy, boxes.label.tolist(), colours, strict=True):
            self._draw_box(picture, box, f"{self._word(label)} {number}", colour)
        self._draw_panel(picture, totals)

    def _follow(self, tracks: Tracks) -> None:
        for number in tracks.ended.tolist():
            self._trails.pop(number, None)
        for number, (x, y) in zip(tracks.id.tolist(), anchors(tracks.boxes.xyxy, "center").tolist(), strict=True):
            trail = self._trails.pop(number, None) or deque(maxlen=_TRAIL_FRAMES)
            trail.append((x, y))
            self._trails[number] = trail  # at the end: the first one is the one not seen for longest
        while len(self._trails) > max(_TRAILS, len(tracks.id)):
            del self._trails[next(iter(self._trails))]

    def _word(self, label: int) -> str:
        return self._labels[label] if 0 <= label < len(self._labels) else f"class {label}"

    # -- shapes ----------------------------------------------------------------------------------------------------------------

    def _draw_box(self, picture: Picture, box: NDArray[np.float32], text: str, colour: Colour) -> None:
        left, top, right, bottom = (float(each) for each in box)
        self._polyline(picture, [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], colour)
        width, height = self._measure(text)
        x = round(min(max(left, 0), self._size.width - width - 2 * self._gap))
        above = top - height - 2 * self._gap
        self._draw_tag(picture, text, (max(0, x), round(above if above >= 0 else max(0.0, top))), colour)

    def _draw_line(self, picture: Picture, name: str, ends: NDArray[np.float64]) -> None:
        """The line, an arrow from its middle to the right of whoever stands on the first end and looks at the second, and its name."""
        first, second = ends
        along = second - first
        length = float(np.hypot(*along))
        if length == 0:
            return
        self._polyline(picture, [first, second], _DARK, self._thick + 2)
        self._polyline(picture, [first, second], _LINE_COLOUR, self._thick)
        forward = np.array([-along[1], along[0]]) / length
        reach = min(length / 3, 6.0 * self._gap)
        middle = (first + second) / 2
        tip = middle + forward * reach
        side = np.array([-forward[1], forward[0]]) * reach * 0.28
        neck = tip - forward * reach * 0.42
        self._polyline(picture, [middle, neck], _LINE_COLOUR, self._thick)
        self._fill(picture, [tip, neck + side, neck - side], _LINE_COLOUR, 1.0)
        self._draw_tag(picture, name, self._inside(second + self._gap, name), _LINE_COLOUR)

    def _draw_zone(self, picture: Picture, name: str, corners: NDArray[np.float64]) -> None:
        self._fill(picture, corners, _ZONE_COLOUR, 0.18)
        self._polyline(picture, [*corners, corners[0]], _ZONE_COLOUR)
        self._draw_tag(picture, name, self._inside(corners[np.argmin(corners.sum(axis=1))] + self._gap, name), _ZONE_COLOUR)

    def _draw_panel(self, picture: Picture, totals: Mapping[str, Mapping[str, int]]) -> None:
        words = {line.name: {"forward": line.forward, "backward": line.backward} for line, _ in self._lines}
        rows = []
        for rule, ways in totals.items():
            counts = "   ".join(f"{words.get(rule, {}).get(way) or way} {count}" for way, count in ways.items())
            rows.append(f"{rule}:  {counts}")
        if not rows:
            return
        sizes = [self._measure(row) for row in rows]
        step = max(height for _, height in sizes) + round(1.6 * self._gap)
        right = min(self._size.width - 1, self._gap * 3 + max(width for width, _ in sizes))
        bottom = min(self._size.height - 1, self._gap * 2 + step * len(rows))
        self._fill(picture, [(self._gap, self._gap), (right, self._gap), (right, bottom), (self._gap, bottom)], _DARK, 0.72)
        for index, row in enumerate(rows):
            self._write(picture, row, (2 * self._gap, self._gap + step * (index + 1)), _WHITE)

    # -- strokes ---------------------------------------------------------------------------------------------------------------

    def _draw_tag(self, picture: Picture, text: str, corner: tuple[int, int], colour: Colour) -> None:
        """Text on a filled label with its top left corner at `corner`; dark or white, whichever reads better on it."""
        width, height = self._measure(text)
        x, y = corner
        right, bottom = x + width + 2 * self._gap, y + height + 2 * self._gap
        self._cv2.rectangle(picture, (x, y), (right, bottom), colour, -1)
        brightness = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
        self._write(picture, text, (x + self._gap, bottom - self._gap), _DARK if brightness > 110 else _WHITE)

    def _inside(self, corner: NDArray[np.float64], text: str) -> tuple[int, int]:
        """`corner`, moved so that a tag there stays in the picture."""
        width, height = self._measure(text)
        limit = (self._size.width - width - 2 * self._gap - 1, self._size.height - height - 2 * self._gap - 1)
        x, y = (max(0, min(round(float(at)), most)) for at, most in zip(corner, limit, strict=True))
        return x, y

    def _measure(self, text: str) -> tuple[int, int]:
        (width, height), _ = self._cv2.getTextSize(_ascii(text), self._cv2.FONT_HERSHEY_SIMPLEX, self._font, self._stroke)
        return int(width), int(height)

    def _write(self, picture: Picture, text: str, baseline: tuple[int, int], colour: Colour) -> None:
        self._cv2.putText(picture, _ascii(text), baseline, self._cv2.FONT_HERSHEY_SIMPLEX, self._font, colour, self._stroke, self._cv2.LINE_AA)

    def _polyline(self, picture: Picture, points: Iterable[Any], colour: Colour, thickness: int | None = None) -> None:
        self._cv2.polylines(picture, [_fixed(points)], False, colour, thickness or self._thick, self._cv2.LINE_AA, _SUBPIXEL)

    def _fill(self, picture: Picture, points: Iterable[Any], colour: Colour, opacity: float) -> None:
        """A polygon, mixed with what is under it; only the part of the picture around it is touched."""
        corners = np.asarray(list(points), np.float64)
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, self._size)
        right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, 0, self._size)
        if right <= left or bottom <= top:
            return
        under = picture[top:bottom, left:right]
        painted = under.copy()
        self._cv2.fillPoly(painted, [_fixed(corners - (left, top))], colour, self._cv2.LINE_AA, _SUBPIXEL)
        self._cv2.addWeighted(painted, opacity, under, 1 - opacity, 0, dst=under)


def _fixed(points: Iterable[Any]) -> NDArray[np.int32]:
    """Continuous pixel coordinates -> cv2's: whole numbers at pixel centres, in sixteenths; far outside is as good as outside."""
    places = np.asarray(list(points), np.float64).reshape(-1, 2) - 0.5
    fixed: NDArray[np.int32] = np.round(np.clip(places, -20_000, 20_000) * 2**_SUBPIXEL).astype(np.int32)
    return fixed


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(each for each in plain if not unicodedata.combining(each)).encode("ascii", "replace").decode("ascii")
