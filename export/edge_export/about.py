"""about.toml: what only the person who trained a network can say of it. Bundling turns it into manifest.toml, parity holds a manifest against it.

    [model]        name version family licence source labels          who it is
    [input]        color resize align pad scale mean std              what its pictures looked like in training
    [thresholds]   score iou                                          defaults for decoding
    [card]         summary, intended, limits, data …                  prose for MODEL_CARD.md (card.py)

The size is the network's own. Unknown keys are refused: a misspelt `color` must not become the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from edge_export.errors import ExportError
from edge_runtime.decode import DECODERS
from edge_runtime.infer.manifestfile import VERSION_PATTERN
from edge_runtime.manifest import Align, ColorOrder, Golden, ImageInput, Manifest, Resize, Thresholds
from edge_runtime.options import ID_PATTERN
from edge_runtime.types import Size


@dataclass(frozen=True, slots=True)
class Data:
    """One source of training pictures, as the card lists it."""

    name: str
    what: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Prose:
    """What the card says beside numbers; every entry one sentence or two."""

    summary: str = ""
    intended: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    ethics: tuple[str, ...] = ()
    data: tuple[Data, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """One network, described."""

    name: str
    version: str
    family: str
    licence: str
    source: str
    labels: tuple[str, ...]
    picture: ImageInput  # name and size are the converted model's: filled in by `manifest`
    thresholds: Thresholds
    prose: Prose = field(default_factory=Prose)

    def manifest(self, name: str, size: Size, sha256: str) -> Manifest:
        """The manifest of the model that was converted from the network."""
        from dataclasses import replace

        return Manifest(
            name=self.name,
            version=self.version,
            task="detect",
            family=self.family,
            licence=self.licence,
            source=self.source,
            sha256=sha256,
            inputs=(replace(self.picture, name=name, size=size),),
            labels=self.labels,
            thresholds=self.thresholds,
            golden=Golden(),
        )


def read_about(path: Path) -> About:
    """Raises ExportError with every problem of the file."""
    import tomlkit

    if not path.is_file():
        raise ExportError(f"{path}: no such file: expected about.toml with [model], [input] and [thresholds] (export/README.md shows one)")
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (ValueError, OSError) as error:  # tomlkit's errors are ValueErrors
        raise ExportError(f"{path}: no valid TOML: {error}") from None
    reader = _Reader()
    about = reader.about(document)
    if reader.problems:
        raise ExportError(f"{path}: {len(reader.problems)} problem{'s' * (len(reader.problems) > 1)}\n" + "\n".join(reader.problems))
    return about


class _Reader:
    """Answers with a value of the right type, or notes a problem and answers with something harmless."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def about(self, document: Mapping[str, Any]) -> About:
        self._refuse_unknown("", document, ("model", "input", "thresholds", "card"))
        model, picture, limits = (self._table(document, key) for key in ("model", "input", "thresholds"))
        self._refuse_unknown("model", model, ("name", "version", "family", "licence", "source", "labels"))
        self._refuse_unknown("input", picture, ("color", "resize", "align", "pad", "scale", "mean", "std"))
        self._refuse_unknown("thresholds", limits, ("score", "iou"))
        return About(
            name=self._text("model", model, "name", ID_PATTERN),
            version=self._text("model", model, "version", VERSION_PATTERN),
            family=self._choice("model", model, "family", tuple(DECODERS)),
            licence=self._text("model", model, "licence"),
            source=self._text("model", model, "source"),
            labels=self._texts("model", model, "labels", least=1),
            picture=self._picture(picture),
            thresholds=Thresholds(score=self._number("thresholds", limits, "score", 0, 1), iou=self._number("thresholds", limits, "iou", 0, 1)),
            prose=self._prose(self._table(document, "card", needed=False)),
        )

    def _picture(self, table: Mapping[str, Any]) -> ImageInput:
        return ImageInput(
            name="",
            size=Size(0, 0),
            color=self._choice("input", table, "color", get_args(ColorOrder)),
            resize=self._choice("input", table, "resize", get_args(Resize)),
            align=self._choice("input", table, "align", get_args(Align)),
            pad=int(self._number("input", table, "pad", 0, 255)),
            scale=self._number("input", table, "scale", 1e-6, 1e6),
            mean=self._three(table, "mean", -1e6),
            std=self._three(table, "std", 1e-6),
        )

    def _prose(self, table: Mapping[str, Any]) -> Prose:
        self._refuse_unknown("card", table, ("summary", "intended", "limits", "ethics", "data"))
        keys = ("name", "what", "source", "licence")
        data = []
        for index, row in enumerate(table.get("data", [])):
            self._refuse_unknown(f"card.data[{index}]", row, keys)
            data.append(Data(**{key: self._text(f"card.data[{index}]", row, key) for key in keys}))
        lists = {key: self._texts("card", table, key) for key in ("intended", "limits", "ethics")}
        return Prose(summary=str(table.get("summary", "")), data=tuple(data), **lists)

    def _wrong(self, where: str, key: str, value: object, expected: str) -> None:
        found = "nothing" if value is None else repr(value)
        self.problems.append(f"[{where}] {key}: expected {expected}, found {found}" if where else f"[{key}]: expected {expected}, found {found}")

    def _refuse_unknown(self, where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                self.problems.append(f"[{where}] {key}: unknown; known are {', '.join(known)}")

    def _table(self, document: Mapping[str, Any], key: str, *, needed: bool = True) -> Mapping[str, Any]:
        value = document.get(key)
        if isinstance(value, dict):
            return value
        if needed or value is not None:
            self._wrong("", key, value, "a table")
        return {}

    def _text(self, where: str, table: Mapping[str, Any], key: str, pattern: str = r"(?s:.+)") -> str:
        value = table.get(key)
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        self._wrong(where, key, value, "text" if pattern.startswith("(?s") else f"text like {pattern}")
        return ""

    def _texts(self, where: str, table: Mapping[str, Any], key: str, least: int = 0) -> tuple[str, ...]:
        value = table.get(key, [])
        if (
            isinstance(value, list)
            and len(value) >= least
            and all(isinstance(each, str) and each for each in value)
            and len(set(value)) == len(value)
        ):
            return tuple(value)
        self._wrong(where, key, value, "a list of different texts")
        return ()

    def _choice(self, where: str, table: Mapping[str, Any], key: str, allowed: Sequence[str]) -> Any:
        if table.get(key) not in allowed:
            self._wrong(where, key, table.get(key), f"one of {', '.join(allowed)}")
            return allowed[0]
        return table[key]

    def _number(self, where: str, table: Mapping[str, Any], key: str, low: float, high: float) -> float:
        value = table.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self._wrong(where, key, value, f"a number from {low:g} to {high:g}")
        return low

    def _three(self, table: Mapping[str, Any], key: str, low: float) -> tuple[float, float, float]:
        value = table.get(key)
        fits = isinstance(value, list) and len(value) == 3
        if fits and all(isinstance(each, (int, float)) and not isinstance(each, bool) and each >= low for each in value or ()):
            first, second, third = [float(each) for each in value or ()]
            return first, second, third
        self._wrong("input", key, value, "three numbers")
        return (1.0, 1.0, 1.0)
