"""Plain twins of what draws the simulated street: one sample, one pixel, one face at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACROSS = (3 / 8, 7 / 8, 1 / 8, 5 / 8)  # of a pixel, of its four samples from top to bottom
SPREAD = 0.22


def area(quad: NDArray[Any]) -> float:
    return float((quad[2, 0] - quad[0, 0]) * (quad[3, 1] - quad[1, 1]) - (quad[3, 0] - quad[1, 0]) * (quad[2, 1] - quad[0, 1]))


def inside(quad: NDArray[Any], x: float, y: float) -> bool:
    """Between the leftmost and the rightmost place where the row at height y crosses an edge."""
    crossings = []
    for k in range(4):
        (x0, y0), (x1, y1) = sorted((quad[k, :2].tolist(), quad[(k + 1) % 4, :2].tolist()), key=lambda corner: corner[1])
        if y0 <= y < y1:
            crossings.append(x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return bool(crossings) and min(crossings) <= x < max(crossings)


def inverse_depth(quad: NDArray[Any], x: float, y: float) -> float:
    u, v = quad[2] - quad[0], quad[3] - quad[1]
    cross = u[0] * v[1] - v[0] * u[1]
    middle = (quad[0] + quad[1] + quad[2] + quad[3]) * 0.25
    a, b = (0.0, 0.0) if abs(cross) < 0.02 else ((u[2] * v[1] - v[2] * u[1]) / cross, (u[0] * v[2] - v[0] * u[2]) / cross)
    base = b * y + (middle[2] - a * middle[0] - b * middle[1])
    return float(min(max(a * x + base, quad[:, 2].min()), quad[:, 2].max()))


def draw(picture: Any, nearest: Any, owner: Any, corners: Any, faces: Any, colors: Any, bodies: Any) -> None:
    height, width = nearest.shape
    for first, last, number in bodies[:, :3].tolist():
        shown = [f for f in range(first, last) if (corners[faces[f], 2] > 0).all() and area(corners[faces[f]]) < 0]
        for y in range(height):
            for x in range(width):
                hits = []
                for k in range(4):
                    best, face = np.float32(0), -1
                    for f in shown:
                        px, py = x + ACROSS[k], y + (2 * k + 1) / 8
                        if inside(corners[faces[f]], px, py) and (z := np.float32(inverse_depth(corners[faces[f]], px, py))) > best:
                            best, face = z, f
                    if face >= 0 and best > nearest[y, x]:
                        hits.append((best, face))
                if hits:
                    total = sum(colors[face].astype(int) for _, face in hits) + (4 - len(hits)) * picture[y, x].astype(int)
                    picture[y, x] = (total + 2) // 4
                    if len(hits) >= 2:
                        nearest[y, x], owner[y, x] = max(best for best, _ in hits), number


def cast(mask: Any, corners: Any, faces: Any, bodies: Any, lit: Any, strength: int) -> None:
    height, width = mask.shape
    for first, last in bodies[:, :2].tolist():
        quads = [corners[faces[f]] for f in range(first, last) if (corners[faces[f], 2] > 0).all() and area(corners[faces[f]]) < 0]
        for y in range(height):
            for x in range(width):
                share = sum(any(inside(quad, x + ACROSS[k], y + (2 * k + 1) / 8) for quad in quads) for k in range(4))
                mask[y, x] = max(mask[y, x], share * strength * int(lit[y, x]) // 1020)


def project(points: Any, view: Any, fall: Any, near: float) -> NDArray[np.float64]:
    moved = points + points[:, 2:] * np.array([fall[0], fall[1], -fall[2]]) - view[3]
    right, down, ahead = moved @ view[:3].T[:, 0], moved @ view[:3].T[:, 1], moved @ view[:3].T[:, 2]
    scale = view[4, 0] / np.maximum(ahead, near)
    with np.errstate(divide="ignore"):
        return np.stack([scale * right + view[4, 1], scale * down + view[4, 2], np.where(ahead > near, 1 / ahead, 0.0)], axis=1)


def color(points: Any, eye: Any, sun: Any, palette: Any, lights: Any, finish: Any, shade: float) -> NDArray[np.float64]:
    """Of one face: points [4, 3], palette [4], lights [4, 3], finish [2] -> [3], not rounded."""
    normal = np.cross(points[2] - points[0], points[3] - points[1])
    normal = normal / max(float(np.linalg.norm(normal)), 1e-300)
    sight = (eye - points[0]) / max(float(np.linalg.norm(eye - points[0])), 1e-9)
    facing = float(normal @ sight)
    up = 0.5 + 0.5 * normal[2]
    light = (lights[0] * up + lights[1] * (1 - up)) * shade + lights[2] * max(0.0, float(normal @ sun))
    share = finish[0] + (finish[1] - finish[0]) * (1 - max(0.0, facing)) ** 3
    sky = min(max((2 * facing * normal[2] - sight[2]) * 2 + 0.75, 0.15), 1.0)
    own = palette[:3] * (light * (1 - palette[3]) + palette[3])
    return np.asarray(np.clip(own * (1 - share) + lights[3] * share * sky, 0, 255))


def on_ground(to_ground: Any, column: int, row: int) -> tuple[float, float]:
    """Where the middle of a pixel's block of four is, metres."""
    x, y, w = to_ground @ np.array([(column & ~1) + 1.0, (row & ~1) + 1.0, 1.0])
    return float(x / w), float(y / w)


def local(to_ground: Any, body: Any, column: int, row: int) -> tuple[float, float]:
    """Metres ahead and to the left of a body."""
    x, y = on_ground(to_ground, column, row)
    dx, dy = x - body[0], y - body[1]
    return dx * body[2] + dy * body[3], dy * body[2] - dx * body[3]


def darkness(to_ground: Any, body: Any, column: int, row: int, reach: float, strength: float) -> float:
    ahead, left = local(to_ground, body, column, row)
    apart = math.hypot(max(abs(ahead) - body[4], 0.0), max(abs(left) - body[5], 0.0))
    return strength * max(1 - apart / reach, 0.0) ** 2


def brightness(to_ground: Any, lamp: Any, column: int, row: int) -> float:
    ahead, left = local(to_ground, lamp, column, row)
    part = ahead / lamp[4]
    if not 0 < part < 1:
        return 0.0
    rest = max(1 - (left / (lamp[5] + SPREAD * ahead)) ** 2, 0.0)
    return float(rest**2 * (1 - part) ** 2 * min(part * 9, 1.0))
