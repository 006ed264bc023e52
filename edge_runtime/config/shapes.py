"""Whether lines and polygons make sense: inside the picture, of some length or area, not crossing themselves.

sound            crosses itself       no area
0───1            0───1                0───1───2
│   │             ╲ ╱
3───2              ╳                  Coordinates are fractions (0–1) of the picture, or pixels of `size`.
                  ╱ ╲
                 3───2
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.options import Point

MAX_CORNERS = 256  # the search for crossings takes the square of it
LONGEST_SIDE = 16384  # pixels

_LEAST_LENGTH = 0.001  # of the picture's side: less is a point
_LEAST_AREA = 0.00001  # of the picture: less is a line


def outside(points: Sequence[Point], size: tuple[float, float]) -> list[int]:
    """The indices of points that are not in a picture of `size` (width, height); (1, 1) for fractions."""
    return [index for index, (x, y) in enumerate(points) if not (0 <= x <= size[0] and 0 <= y <= size[1])]


def has_length(first: Point, second: Point, size: tuple[float, float]) -> bool:
    """Whether two ends are apart by more than a thousandth of the picture."""
    return max(abs(first[0] - second[0]) / size[0], abs(first[1] - second[1]) / size[1]) > _LEAST_LENGTH


def polygon_fault(points: Sequence[Point], size: tuple[float, float]) -> str:
    """What is wrong with a polygon's shape, as the end of a sentence; an empty text when nothing is."""
    if len(points) > MAX_CORNERS:
        return f"{len(points)} corners: expected at most {MAX_CORNERS}"
    ring = [point for index, point in enumerate(points) if point != points[index - 1]]
    distinct = len(set(points))
    if distinct < 3:
        return f"{distinct} distinct corner{'' if distinct == 1 else 's'}: expected three or more"
    crossing = _crossing(ring)
    if crossing is not None:
        return f"its sides {_side(ring, crossing[0])} and {_side(ring, crossing[1])} cross: list the corners in their order around the area"
    if _area(ring) < _LEAST_AREA * size[0] * size[1]:
        return "it has no area: the corners lie on one line"
    return ""


def _side(ring: Sequence[Point], index: int) -> str:
    return " to ".join(f"[{x:g}, {y:g}]" for x, y in (ring[index], ring[(index + 1) % len(ring)]))


def _area(ring: Sequence[Point]) -> float:
    """By the shoelace formula."""
    return abs(sum(ring[index - 1][0] * y - x * ring[index - 1][1] for index, (x, y) in enumerate(ring))) / 2


def _crossing(ring: Sequence[Point]) -> tuple[int, int] | None:
    """The first two sides that are no neighbours and yet meet."""
    count = len(ring)
    for i in range(count):
        for j in range(i + 2, count):
            if (j + 1) % count != i and _meet(ring[i], ring[i + 1], ring[j], ring[(j + 1) % count]):
                return i, j
    return None


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether segments ab and cd have a point in common (Cormen et al., Introduction to Algorithms, 33.1)."""
    turns = _turn(c, d, a), _turn(c, d, b), _turn(a, b, c), _turn(a, b, d)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((c, d, a), (c, d, b), (a, b, c), (a, b, d))
    return any(turn == 0 and _within(*each) for turn, each in zip(turns, ends, strict=True))


def _turn(a: Point, b: Point, c: Point) -> int:
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (area > 0) - (area < 0)


def _within(a: Point, b: Point, c: Point) -> bool:
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
