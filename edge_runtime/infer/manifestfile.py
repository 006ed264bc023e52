"""manifest.toml: read into `Manifest`, and written from it, so that the two can never disagree.

Everything wrong in a file is found at once; each problem names its line. Labels stand in labels.txt beside it, one a line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from edge_runtime import manifest as types
from edge_runtime.decode import DECODERS
from edge_runtime.errors import BundleError, Problem
from edge_runtime.manifest import Golden, ImageInput, Manifest, Thresholds
from edge_runtime.options import ID_PATTERN
from edge_runtime.types import Size

SCHEMA = 1
MAX_SIDE = 4096
MAX_FILE_BYTES = 1 << 20  # of a manifest, and of labels
MAX_LABELS = 32767  # labels travel as int16

VERSION_PATTERN = r"[0-9A-Za-z][0-9A-Za-z.+-]*"

_PLAIN_FILE = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r'\s*"?([A-Za-z0-9_-]+)"?\s*(?:=|\.)')


def read_manifest(file: Path, shown: str) -> Manifest:
    """The manifest in `file`; `shown` is how the user knows it. Raises BundleError with every problem in it."""
    from tomlkit import parse
    from tomlkit.exceptions import ParseError, TOMLKitError

    text = read_text(file, shown)
    try:
        document = parse(text).unwrap()
    except ParseError as error:
        raise _refusal(shown, [Problem(shown, error.line, "", f"no valid TOML: {error}")]) from None
    except TOMLKitError as error:  # a key twice, say: it does not tell where
        raise _refusal(shown, [Problem(shown, 0, "", f"no valid TOML: {error}")]) from None
    reader = _Reader(shown, _lines_of(text))
    manifest = reader.manifest(document)
    if reader.problems or manifest is None:
        raise _refusal(shown, sorted(reader.problems, key=lambda problem: problem.line))
    return manifest


def read_labels(file: Path, shown: str) -> tuple[str, ...]:
    """One label a line, spaces around it and empty lines at the end left out. Raises BundleError, with every problem."""
    lines = [line.strip() for line in read_text(file, shown).rstrip().splitlines()]
    problems = [Problem(shown, number, "", "an empty line: the labels after it would be shifted") for number, line in enumerate(lines, 1) if not line]
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if line and seen.setdefault(line, number) != number:
            problems.append(Problem(shown, number, "", f'label "{line}" stands in line {seen[line]} already'))
    if not 1 <= len(lines) <= MAX_LABELS:
        problems.append(Problem(shown, 0, "", f"{len(lines)} labels: expected 1–{MAX_LABELS}, one a line"))
    if problems:
        raise _refusal(shown, problems)
    return tuple(lines)


def write_manifest(manifest: Manifest) -> str:
    """The text of manifest.toml; labels are not in it. `read_manifest` gives back what was written."""
    from tomlkit import aot, comment, document, dumps, table

    out = document()
    out.add(comment("What the runtime must know about model.onnx; labels.txt names its classes."))
    for key in ("schema", "name", "version", "task", "family", "licence", "source", "sha256"):
        out[key] = getattr(manifest, key)
    rows = aot()
    for each in manifest.inputs:
        row = table()
        row["name"], row["kind"], row["size"] = each.name, "image", list(each.size)
        for key in ("layout", "dtype", "color", "resize", "align", "pad", "scale"):
            row[key] = getattr(each, key)
        row["mean"], row["std"] = list(each.mean), list(each.std)
        rows.append(row)
    out["input"] = rows
    for name, values in (("thresholds", manifest.thresholds), ("golden", manifest.golden)):
        if values is not None:
            section = table()
            for key in ("score", "iou") if name == "thresholds" else ("file", "atol"):
                section[key] = getattr(values, key)
            out[name] = section
    return dumps(out)


def read_text(file: Path, shown: str) -> str:
    """A small UTF-8 file. Raises BundleError when it is missing, too large, or something else."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise BundleError(f"{shown}: {file.stat().st_size:,} bytes: expected at most {MAX_FILE_BYTES:,}")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BundleError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{shown}: byte {error.start} is no UTF-8 text") from None


def _refusal(shown: str, problems: Sequence[Problem]) -> BundleError:
    return BundleError(f"{shown}: {len(problems)} problem{'' if len(problems) == 1 else 's'}", problems)


def _lines_of(text: str) -> dict[str, int]:
    """Where each key stands: "family" -> 5, "input[0]" -> 9 (its header), "input[0].size" -> 12. Lines inside ''' and \"\"\" are passed over."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    section, inside = "", False
    for number, line in enumerate(text.splitlines(), 1):
        if not inside and (header := _HEADER.match(line)):
            section = header.group(2).strip("\"'")
            if header.group(1) == "[[":
                counts[section] = counts.get(section, -1) + 1
                section = f"{section}[{counts[section]}]"
            found.setdefault(section, number)
        elif not inside and (key := _KEY.match(line)):
            found.setdefault(f"{section}.{key.group(1)}" if section else key.group(1), number)
        inside ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return found


class _Reader:
    """Walks the document and collects problems instead of stopping at the first."""

    def __init__(self, shown: str, lines: Mapping[str, int]) -> None:
        self.problems: list[Problem] = []
        self.shown = shown
        self.lines = lines

    def manifest(self, document: Mapping[str, Any]) -> Manifest | None:
        top = _Section(self, "", document)
        if top.number("schema", low=0, high=1 << 31, whole=True) not in (SCHEMA, None):
            top.wrong("schema", f"schema = {document['schema']}: this runtime reads {SCHEMA}; update it, or adopt the model again")
        values: dict[str, Any] = {
            "name": top.text("name", pattern=ID_PATTERN),
            "version": top.text("version", pattern=VERSION_PATTERN),
            "task": top.text("task", choices=get_args(types.Task)),
            "family": top.text("family", choices=tuple(DECODERS)),
            "licence": top.text("licence"),
            "source": top.text("source"),
            "sha256": top.text("sha256", pattern=r"[0-9a-f]{64}"),
            "inputs": self._inputs(top),
            "thresholds": self._thresholds(top),
            "golden": self._golden(top),
        }
        top.refuse_unknown()
        return None if self.problems else Manifest(**values)

    def _inputs(self, top: _Section) -> tuple[ImageInput, ...]:
        rows = top.tables("input")
        if len(rows) != 1:
            top.wrong("input", f"{len(rows)} [[input]] tables: expected exactly one, of an image")
        return tuple(self._image(row) for row in rows)

    def _image(self, row: _Section) -> ImageInput:
        usual = ImageInput(name="", size=Size(0, 0))
        row.text("kind", choices=("image",))
        size = row.numbers("size", 2, low=8, high=MAX_SIDE, whole=True)
        values: dict[str, Any] = {"name": row.text("name"), "size": Size(*(int(side) for side in size or (8, 8)))}
        choices = {"layout": types.Layout, "dtype": types.Dtype, "color": types.ColorOrder, "resize": types.Resize, "align": types.Align}
        for key, allowed in choices.items():
            values[key] = row.text(key, choices=get_args(allowed), default=getattr(usual, key))
        values["pad"] = row.number("pad", low=0, high=255, whole=True, default=usual.pad)
        values["scale"] = row.number("scale", low=1e-6, high=1e6, default=usual.scale)
        values["mean"] = row.numbers("mean", 3, low=-1e6, high=1e6, default=usual.mean)
        values["std"] = row.numbers("std", 3, low=1e-6, high=1e6, default=usual.std)
        row.refuse_unknown()
        return ImageInput(**values)

    def _thresholds(self, top: _Section) -> Thresholds:
        section = top.table("thresholds")
        if section is None:
            return Thresholds()
        score = section.number("score", low=0, high=1, default=Thresholds().score)
        iou = section.number("iou", low=0, high=1, default=Thresholds().iou)
        section.refuse_unknown()
        return Thresholds(score=score, iou=iou)

    def _golden(self, top: _Section) -> Golden | None:
        section = top.table("golden")
        if section is None:
            return None
        file = section.text("file", pattern=_PLAIN_FILE, default=Golden().file)
        atol = section.number("atol", low=0, high=1e6, default=Golden().atol)
        section.refuse_unknown()
        return Golden(file=file, atol=atol)


class _Section:
    """One table. Each question is answered with a value of the right type, or with None and a problem noted."""

    def __init__(self, reader: _Reader, path: str, values: Mapping[str, Any]) -> None:
        self._reader = reader
        self._path = path
        self._values = values
        self._asked: list[str] = []

    def wrong(self, key: str, message: str) -> None:
        """Note a problem at `key`."""
        lines = self._reader.lines
        line = lines.get(f"{self._path}.{key}" if self._path else key) or lines.get(f"{key}[0]") or lines.get(self._path, 0)
        where = f"[{self._path}]" if self._path else ""
        self._reader.problems.append(Problem(self._reader.shown, line, where, message))

    def refuse_unknown(self) -> None:
        """Note every key that was not asked for."""
        for key in self._values:
            if key not in self._asked:
                close = difflib.get_close_matches(key, self._asked, 1)
                self.wrong(key, f"unknown key {key!r}" + (f": did you mean {close[0]!r}?" if close else f": known are {', '.join(self._asked)}"))

    def text(self, key: str, *, pattern: str = "", choices: Sequence[str] = (), default: str | None = None) -> Any:
        value = self._value(key, default)
        expected = f"one of {', '.join(choices)}" if choices else f"text like {pattern}" if pattern else "text"
        fits = isinstance(value, str) and value != "" and (value in choices or not choices) and re.fullmatch(pattern or r"(?s:.+)", value)
        if not fits:
            return self._unfit(key, value, expected)
        return cast("str", value)

    def number(self, key: str, *, low: float, high: float, whole: bool = False, default: float | None = None) -> Any:
        value = self._value(key, default)
        if not _is_number(value, low, high, whole):
            return self._unfit(key, value, _expected(low, high, whole))
        return value if whole else float(cast("float", value))

    def numbers(self, key: str, count: int, *, low: float, high: float, whole: bool = False, default: Sequence[float] | None = None) -> Any:
        value = self._value(key, default)
        fits = isinstance(value, (list, tuple)) and len(value) == count and all(_is_number(each, low, high, whole) for each in value)
        if not fits:
            return self._unfit(key, value, f"{count} numbers, each {_expected(low, high, whole)}")
        return tuple(each if whole else float(each) for each in cast("Sequence[float]", value))

    def table(self, key: str) -> _Section | None:
        self._asked.append(key)
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, f"{key} = {value!r}: expected a table [{key}]")
            return None
        return _Section(self._reader, key, value)

    def tables(self, key: str) -> list[_Section]:
        self._asked.append(key)
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.wrong(key, f"{key}: expected tables [[{key}]]")
            return []
        return [_Section(self._reader, f"{key}[{index}]", each) for index, each in enumerate(value)]

    def _value(self, key: str, default: object) -> object:
        self._asked.append(key)
        return self._values.get(key, default)

    def _unfit(self, key: str, value: object, expected: str) -> Any:
        """Notes the problem; the answer is None, and no manifest is made of it."""
        self.wrong(key, f"{key} is missing: expected {expected}" if value is None else f"{key} = {value!r}: expected {expected}")


def _is_number(value: object, low: float, high: float, whole: bool) -> bool:
    right = isinstance(value, int) if whole else isinstance(value, (int, float))
    return right and not isinstance(value, bool) and low <= cast("float", value) <= high


def _expected(low: float, high: float, whole: bool) -> str:
    return f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}"
