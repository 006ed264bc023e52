"""Published models of the small families, on photographs: read by a plain decode, prepared as by their authors, held against what people labelled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.decode import make_decoder
from edge_runtime.infer.adopt import Choices, adopt
from edge_runtime.infer.bundle import Bundle, load_bundle
from edge_runtime.infer.session import open_session
from tests import naive
from tests.decode.stills import FORMATS, STAMP, Walk, as_bgr, photographs
from tests.decode.test_yolox import average_precision, found, truth
from tests.naive_heads import TWINS, Found
from tests.system.test_counts import replayed, totals, write

pytestmark = pytest.mark.material

Picture = NDArray[np.uint8]
Prepared = tuple[NDArray[np.float32], float, float, float, float]  # tensor [h, w, 3]; by how much x and y were scaled, then moved


@dataclass(frozen=True)
class Published:
    """One model of the material. `prepare`: its authors' steps, in OpenCV. `floor`: what was counted on for `least` boxes."""

    file: str
    family: str
    label: str | None  # None: COCO's
    prepare: Callable[[Picture], Prepared]
    floor: float
    least: int


def nanodet_steps(picture: Picture) -> Prepared:
    """opencv_zoo, object_detection_nanodet/demo.py: the longer side becomes 416, the rest 0."""
    height, width = picture.shape[:2]
    ratio = 416 / max(height, width)
    wide, high = int(width * ratio), int(height * ratio)
    left, top = (416 - wide) // 2, (416 - high) // 2
    canvas = np.zeros((416, 416, 3), np.float32)
    canvas[top : top + high, left : left + wide] = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
    return (canvas - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395], wide / width, high / height, left, top


def stretched(picture: Picture, width: int, height: int) -> Prepared:
    small = cv2.resize(picture, (width, height)).astype(np.float32)
    return small, width / picture.shape[1], height / picture.shape[0], 0, 0


def fastestdet_steps(picture: Picture) -> Prepared:
    """FastestDet, test.py."""
    small, *where = stretched(picture, 352, 352)
    return small / 255, *where  # type: ignore[return-value]


def ultraface_steps(picture: Picture) -> Prepared:
    """Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detection_onnx.py."""
    small, *where = stretched(picture[..., ::-1], 320, 240)
    return (small - 127) / 128, *where  # type: ignore[return-value]


def lpd_steps(picture: Picture) -> Prepared:
    """opencv_zoo, license_plate_detection_yunet/demo.py."""
    return stretched(picture, 320, 240)


def yunet_steps(picture: Picture) -> Prepared:
    """OpenCV's FaceDetectorYN, given a picture that was made to fit: filled up with 0 to the right and below."""
    ratio = 640 / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=ratio, fy=ratio)
    canvas = np.zeros((640, 640, 3), np.float32)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0], 0, 0


PLATES = (0, 1, 2, 3, 5, 6, 7, 41, 78, 148, 216, 240)  # street photographs; a number plate can be read in half of them

MODELS = {
    "nanodet": Published("nanodet/object_detection_nanodet_2022nov.onnx", "nanodet", None, nanodet_steps, 0.35, 20),
    "nanodet-int8": Published("nanodet/object_detection_nanodet_2022nov_int8.onnx", "nanodet", None, nanodet_steps, 0.35, 20),
    "fastestdet": Published("fastestdet/FastestDet.onnx", "fastestdet", None, fastestdet_steps, 0.4, 20),
    "yunet": Published("yunet/face_detection_yunet_2023mar.onnx", "yunet", "face", yunet_steps, 0.5, 5),
    "ultraface": Published("ultraface/version-RFB-320.onnx", "ssd", "face", ultraface_steps, 0.5, 5),
    "lpd-yunet": Published("lpd_yunet/license_plate_detection_lpd_yunet_2023mar.onnx", "lpd-yunet", "plate", lpd_steps, 0.5, 5),
}


@pytest.fixture(scope="module")
def bundles(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """Each adopted when it is first asked for; nobody says of which family it is."""
    folder, made = tmp_path_factory.mktemp("published"), {}

    def bundle(name: str) -> Bundle:
        if name not in made:
            published, labels = MODELS[name], None
            if published.label is not None:
                labels = str(folder / published.label)
                Path(labels).write_text(published.label)
            made[name] = load_bundle(adopt(material / "models" / published.file, folder / name, Choices(labels=labels)))
        return made[name]

    return bundle


def shown_to(name: str, material: Path) -> Iterator[Picture]:
    """Twelve pictures: photographs of streets and people, or with number plates that can be read."""
    if name == "lpd-yunet":
        for number in PLATES:
            yield cv2.imread(str(material / "streets" / "openimages_vehicles" / "images" / f"openimages_vehicles_{number:04}.jpg"))
    else:
        yield from (picture for _, picture in islice(photographs(material), 12))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_published_model_is_adopted_as_its_family(bundles: Callable[[str], Bundle], name: str) -> None:
    assert bundles(name).manifest.family == MODELS[name].family


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("pixels", sorted(FORMATS))
def test_real_outputs_are_decoded_as_by_a_plain_decode(bundles: Callable[[str], Bundle], material: Path, name: str, pixels: str) -> None:
    published, walk = MODELS[name], Walk(bundles(name))
    labels = len(walk.manifest.labels)
    decoder, count = make_decoder(walk.manifest, published.floor, None, 0.45), 0
    for picture in shown_to(name, material):
        outputs, geometry = walk(FORMATS[pixels](picture))
        seen = decoder.decode(outputs, STAMP, geometry)
        xyxy, score, label = TWINS[published.family](outputs, walk.manifest.inputs[0].size, published.floor, np.ones(labels, np.bool_))
        kept = naive.nms(xyxy, score, label, 0.45, 0.7)
        np.testing.assert_allclose(seen.xyxy, geometry.to_source(xyxy[kept]), atol=0.5)
        np.testing.assert_allclose(seen.score, score[kept], atol=1e-3)
        np.testing.assert_array_equal(seen.label, label[kept])
        count += len(seen.score)
    assert count >= published.least


def as_its_authors(session: Any, bundle: Bundle, published: Published, picture: Picture) -> Found:
    """Boxes in source pixels, scores and labels: their preparation, a plain decode, a plain suppression."""
    tensor, across, down, left, top = published.prepare(picture)
    outputs = session.run(None, {bundle.manifest.inputs[0].name: np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], np.float32)})
    everything = np.ones(len(bundle.manifest.labels), np.bool_)
    xyxy, score, label = TWINS[published.family](outputs, bundle.manifest.inputs[0].size, published.floor, everything)
    kept = naive.nms(xyxy, score, label, 0.45, 0.7)
    return (xyxy[kept] - [left, top, left, top]) / [across, down, across, down], score[kept], label[kept]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_pictures_are_prepared_as_its_authors_do(bundles: Callable[[str], Bundle], material: Path, name: str) -> None:
    """Colours, fit and normalisation: what is seen clearly by one is seen by the other, nearly always; pixels are sampled a little otherwise."""
    published, bundle = MODELS[name], bundles(name)
    walk, decoder = Walk(bundle), make_decoder(bundle.manifest, published.floor, None, 0.45)
    session, met = open_session(bundle.model_path, bundle.manifest, ("cpu",), 1), []
    for picture in shown_to(name, material):
        outputs, geometry = walk(as_bgr(picture))
        seen = decoder.decode(outputs, STAMP, geometry)
        ours, theirs = (seen.xyxy, seen.score, seen.label), as_its_authors(session, bundle, published, picture)
        met += [*clear_ones_met(ours, theirs, published.floor + 0.15), *clear_ones_met(theirs, ours, published.floor + 0.15)]
    assert len(met) >= published.least
    assert np.mean(met) > 0.85


def clear_ones_met(ours: Found, theirs: Found, clear: float) -> list[bool]:
    """Of ours with a score above `clear`: whether one of theirs has the same label, nearly the same box, and nearly the same score."""
    met = []
    for box, score, label in zip(*ours, strict=True):
        if score >= clear:
            overlap = naive.iou(np.array([box], np.float32), np.asarray(theirs[0], np.float32))[0]
            met.append(bool(((overlap > 0.8) & (theirs[2] == label) & (np.abs(theirs[1] - score) < 0.1)).any()))
    return met


@pytest.mark.parametrize("name", ["nanodet", "fastestdet"])
def test_people_are_seen_as_people_labelled_them(bundles: Callable[[str], Bundle], material: Path, name: str) -> None:
    assert average_precision(found(bundles(name), material)["person"], truth(material, "person")) > 0.6


def test_busy_road_is_counted_by_nanodet_as_people_counted_it(
    bundles: Callable[[str], Bundle], material: Path, busy_road: Path, tmp_path: Path
) -> None:
    """The whole walk with another family than YOLOX, with nothing but its bundle."""
    known = json.loads((material / "videos" / "truth.json").read_text())["busy_road/busy_road.mp4"]
    config = write(tmp_path, bundles("nanodet").folder, busy_road, known["line"], (640, 360))
    ways = totals(replayed(config, tmp_path / "out.jsonl", "--set", "camera.main.fps=10"))
    assert abs(ways["forward"] - known["down"]) <= 1
    assert ways["backward"] == known["up"]


def test_faces_are_those_that_opencv_s_own_detector_finds(bundles: Callable[[str], Bundle], material: Path) -> None:
    """The same file in FaceDetectorYN: another implementation of the decode, by the model's own authors."""
    published, bundle = MODELS["yunet"], bundles("yunet")
    detector = cv2.FaceDetectorYN.create(str(bundle.model_path), "", (640, 640), 0.5, 0.45)
    decoder, session = make_decoder(bundle.manifest, 0.5, None, 0.45), open_session(bundle.model_path, bundle.manifest, ("cpu",), 1)
    count = 0
    for picture in shown_to("yunet", material):
        canvas = published.prepare(picture)[0].astype(np.uint8)
        _, faces = detector.detect(canvas)
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)
        outputs = session.run(None, {bundle.manifest.inputs[0].name: tensor})
        ours: Any = decoder
        seen = ours.candidates(outputs)
        kept = naive.nms(*seen, 0.45, 1.0)
        known = np.zeros((0, 15), np.float32) if faces is None else faces
        known = known[np.argsort(-known[:, 14], kind="stable")]
        np.testing.assert_allclose(seen.score[kept], known[:, 14], atol=1e-3)
        np.testing.assert_allclose(seen.xyxy[kept], np.concatenate([known[:, :2], known[:, :2] + known[:, 2:4]], axis=1), atol=0.5)
        count += len(known)
    assert count >= 5
