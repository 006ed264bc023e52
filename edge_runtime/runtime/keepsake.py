"""What a replay can leave beside its events, on this machine only and only when the command line asks: an annotated film, records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from edge_runtime.config.schema import CameraConfig
from edge_runtime.runtime.analysis import Analysis
from edge_runtime.runtime.lane import Watcher
from edge_runtime.types import Detections, Frame, Tracks


@contextmanager
def watching(camera: CameraConfig, analysis: Analysis, labels: Sequence[str], film: Path | None, folder: Path | None) -> Iterator[Watcher]:
    """A watcher that writes the film and the records asked for; both are complete when the context ends."""
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        if film is not None:
            watchers.append(stack.enter_context(_filming(camera, analysis, labels, film)))
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            watchers.append(_recording(stack, labels, folder, camera.name))

        def watch(frame: Frame, detections: Detections, tracks: Tracks) -> None:
            for watcher in watchers:
                watcher(frame, detections, tracks)

        yield watch


@contextmanager
def _filming(camera: CameraConfig, analysis: Analysis, labels: Sequence[str], path: Path) -> Iterator[Watcher]:
    from edge_runtime.present.annotate import Annotator
    from edge_runtime.present.picture import Pictures
    from edge_runtime.sources.film import Film

    with Film(path, camera.fps) as film:
        annotator: Annotator | None = None
        pictures = Pictures(camera.mask)

        def watch(frame: Frame, detections: Detections, tracks: Tracks) -> None:  # noqa: ARG001 - tracks hold what is drawn
            nonlocal annotator
            if annotator is None:
                annotator = Annotator(frame.upright, camera.line, camera.zone, labels)
            picture = pictures.to_bgr(frame)
            annotator.draw(picture, tracks, analysis.totals())
            film.write(picture, frame.stamp.mono_ns)

        yield watch


def _recording(stack: ExitStack, labels: Sequence[str], folder: Path, name: str) -> Watcher:
    detected = stack.enter_context((folder / f"{name}.detections.jsonl").open("w", encoding="utf-8"))
    tracked = stack.enter_context((folder / f"{name}.tracks.jsonl").open("w", encoding="utf-8"))

    def watch(frame: Frame, detections: Detections, tracks: Tracks) -> None:  # noqa: ARG001 - no pixels in records
        _write(detected, detections, labels, None)
        _write(tracked, tracks.boxes, labels, tracks.id.tolist())

    return watch


def _write(out: TextIO, boxes: Detections, labels: Sequence[str], ids: list[int] | None) -> None:
    row = {
        "seq": boxes.stamp.seq,
        "t_ms": round(boxes.stamp.mono_ns / 1e6, 3),
        "xyxy": [[round(float(value), 2) for value in box] for box in boxes.xyxy],
        "score": [round(float(score), 4) for score in boxes.score],
        "class": [labels[label] for label in boxes.label],
    }
    if ids is not None:
        row["id"] = ids
    out.write(json.dumps(row, separators=(",", ":")) + "\n")
