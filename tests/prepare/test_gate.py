"""The motion gate on a synthetic street and on footage: shut for noise and slow light, open for whoever moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from edge_runtime.prepare.gate import MotionGate
from edge_runtime.types import ColorSpec, Frame, Matrix, PixelFormat, Size, Stamp
from tests.naive_image import shapes

FPS = 10
LEARNT_S = 3.0  # by then the first second's opening is over


def scene(width: int = 640, height: int = 360) -> np.ndarray:
    rng = np.random.default_rng(1)
    return cv2.resize(rng.integers(60, 180, (12, 20), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def gray(picture: np.ndarray, at_s: float, seq: int = 0) -> Frame:
    luma = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    luma.flags.writeable = False
    at_ns = round(at_s * 1e9)
    size = Size(luma.shape[1], luma.shape[0])
    return Frame(Stamp("test", seq, at_ns, at_ns), (luma,), PixelFormat.GRAY8, ColorSpec(full_range=True), size)


def film(seconds: float, change: Callable[[np.ndarray, float], np.ndarray], noise: float = 3.0) -> Iterator[Frame]:
    """A street with sensor noise, to which `change` does something at each instant."""
    empty = scene()
    grain = np.random.default_rng(2).normal(0, noise, (11, *empty.shape)).astype(np.float32)
    for number in range(round(seconds * FPS)):
        at_s = number / FPS
        shifted = np.roll(grain[number % 11], 7 * number, axis=1)
        yield gray(change(empty.copy(), at_s) + shifted, at_s, number)


def opened(frames: Iterator[Frame], gate: MotionGate | None = None) -> dict[float, bool]:
    gate = gate or MotionGate(())
    return {frame.stamp.mono_ns / 1e9: gate.moving(frame) for frame in frames}


def share(answers: dict[float, bool], start_s: float, end_s: float = 1e9) -> float:
    return float(np.mean([answer for at_s, answer in answers.items() if start_s <= at_s < end_s]))


def walker(picture: np.ndarray, at_s: float, *, start_s: float = 5.0, px_s: float = 8.0, contrast: float = 25.0) -> np.ndarray:
    """A distant pedestrian: 1/25 of the height, a third as wide."""
    height = picture.shape[0] // 25
    if at_s >= start_s:
        x = round(40 + px_s * (at_s - start_s))
        picture[200 : 200 + height, x : x + height // 3] += contrast
    return picture


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
def test_gate_stays_shut_on_an_empty_street(noise):
    """But for the frame every two seconds."""
    answers = opened(film(20, lambda picture, _: picture, noise))
    assert all(answer for at_s, answer in answers.items() if at_s <= 1.0)
    assert share(answers, LEARNT_S) <= 1 / (2 * FPS) + 0.01


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda picture, at_s: picture * (1 - 0.4 * at_s / 20), id="dusk"),
        pytest.param(lambda picture, at_s: picture * (1 + 0.15 * np.sin(at_s / 2)), id="clouds"),
        pytest.param(lambda picture, at_s: picture + at_s, id="haze"),
    ],
)
def test_gate_stays_shut_when_light_changes_slowly(change):
    assert share(opened(film(20, change)), LEARNT_S) < 0.1


@pytest.mark.parametrize("contrast", [15.0, -15.0, 60.0])
@pytest.mark.parametrize("px_s", [3.0, 30.0])
@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_gate_is_open_while_a_distant_pedestrian_walks(contrast, px_s, noise):
    answers = opened(film(15, lambda picture, at_s: walker(picture, at_s, px_s=px_s, contrast=contrast), noise))
    assert share(answers, LEARNT_S, 5.0) < 0.2
    assert all(answer for at_s, answer in answers.items() if at_s >= 5.5)


def test_gate_opens_with_the_first_frame_of_a_car():
    def drive(picture: np.ndarray, at_s: float) -> np.ndarray:
        if at_s >= 5:
            picture[200:260, round(150 * (at_s - 5)) : round(150 * (at_s - 5)) + 110] = 30
        return picture

    answers = opened(film(8, drive))
    assert answers[5.0]
    assert share(answers, 5.0) == 1.0


def test_gate_holds_for_a_second_and_takes_what_stopped_into_the_background():
    answers = opened(film(60, lambda picture, at_s: walker(picture, min(at_s, 8.0), contrast=30.0)))
    assert share(answers, 5.5, 9.0) == 1.0  # came to rest at 8 s
    assert share(answers, 45.0) < 0.1


def test_gate_opens_for_a_step_of_light_and_learns_the_new_scene():
    answers = opened(film(20, lambda picture, at_s: picture if at_s < 8 else 255 - picture))
    assert answers[8.0]
    assert share(answers, 8.0, 9.0) == 1.0
    assert share(answers, 12.0) < 0.1


def test_gate_opens_at_least_every_two_seconds_of_stamps():
    """At one frame in three seconds every frame is looked at."""
    gate = MotionGate(())
    assert all(gate.moving(gray(scene(), 3.0 * number)) for number in range(6))


def test_gate_does_not_see_what_is_masked():
    gate = MotionGate([[(0.0, 0.5), (1.0, 0.5), (1.0, 0.75), (0.0, 0.75)]])
    answers = opened(film(15, lambda picture, at_s: walker(picture, at_s, contrast=100.0)), gate)
    assert share(answers, LEARNT_S) < 0.1


def test_gate_with_everything_masked_only_refreshes():
    gate = MotionGate([[(-1.0, -1.0), (2.0, -1.0), (2.0, 2.0), (-1.0, 2.0)]])
    assert share(opened(film(15, lambda picture, at_s: walker(picture, at_s, contrast=100.0)), gate), LEARNT_S) < 0.1


@pytest.mark.parametrize("change", ["size", "rotation", "gap", "back"])
def test_gate_learns_anew_when_the_stream_is_another(change):
    gate = MotionGate(())
    opened(film(5.5, lambda picture, _: picture, 0.0), gate)
    assert not gate.moving(gray(scene(), 5.5))
    last = gray(scene(320, 180) if change == "size" else scene(), {"gap": 60.0, "back": 1.0}.get(change, 5.6))
    if change == "rotation":
        last = Frame(last.stamp, last.planes, last.format, last.color, last.size, 180)
    assert gate.moving(last)


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_gate_reads_luma_of_every_format(pixel_format, rotation):
    """A box of other luma opens it and samples that are no luma of the visible picture do not; odd sizes; planes stay as they are."""
    size = Size(331, 187)
    rng = np.random.default_rng(3)
    top = 4 if pixel_format is PixelFormat.YUV420P10 else 1

    def frame(at_s: float, box: bool) -> Frame:
        planes = []
        for shape in shapes(pixel_format, size):
            plane = np.full(shape, 90 * top, np.uint16 if top == 4 else np.uint8)
            if not planes and box:
                plane[80:110, 60:90] = 170 * top
            planes.append(plane)
        noisy = planes[0].astype(np.int32) + rng.integers(-2, 3, planes[0].shape)
        planes[0] = noisy.astype(planes[0].dtype)
        for plane in planes:
            plane.flags.writeable = False
        return Frame(Stamp("test", 0, round(at_s * 1e9), 0), tuple(planes), pixel_format, ColorSpec(), size, rotation)

    gate = MotionGate(())
    answers = {number: gate.moving(frame(number / FPS, box=False)) for number in range(40)}
    assert np.mean([answers[number] for number in range(20, 40)]) < 0.1
    assert gate.moving(frame(4.0, box=True))


def test_gate_answers_the_same_again():
    frames = list(film(8, walker, 5.0))
    assert opened(iter(frames)) == opened(iter(frames))


@pytest.mark.material
@pytest.mark.parametrize(("clip", "keep"), [("busy_road/busy_road.mp4", 3), ("walking/walking.mp4", 3)])
def test_gate_drops_no_frame_of_moving_traffic(material, clip, keep):
    """These clips have something moving in every frame."""
    gate = MotionGate(())
    assert all(gate.moving(frame) for frame in footage(material / "videos" / clip, keep))


@pytest.mark.material
def test_gate_opens_when_a_frozen_street_comes_to_life(material):
    """One real picture with sensor noise shuts it; the footage going on opens it with its second frame at the latest."""
    frames = list(footage(material / "videos" / "busy_road" / "busy_road.mp4", 3))[:40]
    rng = np.random.default_rng(4)
    gate = MotionGate(())
    answers = []
    for number in range(50):
        luma = np.clip(frames[0].planes[0] + rng.normal(0, 2, frames[0].planes[0].shape).round(), 0, 255).astype(np.uint8)
        still = Frame(Stamp("test", number, number * 10**8, 0), (luma, *frames[0].planes[1:]), frames[0].format, frames[0].color, frames[0].size)
        answers.append(gate.moving(still))
    assert np.mean(answers[20:]) < 0.1
    alive = [
        gate.moving(Frame(Stamp("test", 50 + n, (50 + n) * 10**8, 0), each.planes, each.format, each.color, each.size))
        for n, each in enumerate(frames[1:])
    ]
    assert all(alive[1:])


def footage(path, keep: int) -> Iterator[Frame]:
    import av

    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number % keep:
                continue
            planes = tuple(np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width].copy() for p in picture.planes)
            stamp = Stamp("test", number, round(picture.time * 1e9), 0)
            yield Frame(stamp, planes, PixelFormat.YUV420P, ColorSpec(Matrix.BT709), Size(picture.width, picture.height))
