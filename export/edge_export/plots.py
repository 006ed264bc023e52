"""The card's figures: small PNG files, the same from the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.types import Json

_SIZE, _DPI = (6.4, 3.2), 80
_COLORS = ("#0b6e99", "#c2571a", "#5c8a3a", "#7a4b9d")


def training(rows: Sequence[Json], file: Path) -> None:
    """Loss, and AP50 on the tuning split, over all steps of all phases. `rows` as training.jsonl holds them."""
    figure, axis = _figure("step", "loss")
    before, phase, at = 0, None, 0
    losses: list[tuple[int, float]] = []
    marks: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row["phase"] != phase:
            if phase is not None:
                before = at
                axis.axvline(before, color="#bbbbbb", linewidth=0.8)
            phase = row["phase"]
        at = before + row["step"]
        if "loss" in row:
            losses.append((at, row["loss"]))
        for name, mark in row.get("tune", {}).items():
            if name.endswith(("vehicles", "two-wheelers", "pedestrians")):
                marks.setdefault(name, []).append((at, mark["ap50"]))
    axis.plot(*_columns(losses), color="#999999", linewidth=0.9)
    right = axis.twinx()
    right.set_ylim(0, 1)
    right.set_ylabel("AP50, tuning split")
    for index, (name, values) in enumerate(sorted(marks.items())):
        right.plot(*_columns(values), color=_COLORS[index % len(_COLORS)], linestyle="-" if index < len(_COLORS) else "--", label=name)
    if marks:
        right.legend(fontsize=7, loc="center right", frameon=False)
    _save(figure, file)


def precision_recall(report: Json, file: Path) -> None:
    """Precision over recall, any vehicle: one line a model and source of pictures."""
    figure, axis = _figure("recall", "precision")
    for line, (source, rows) in zip(("-", "--"), sorted(report["rows"].items(), reverse=True), strict=False):
        for row in rows:
            if (row["what"], row["where"]) == ("any vehicle", "all"):
                for model, numbers, color in zip(report["models"], row["models"], _COLORS, strict=False):
                    curve = numbers["curve"]
                    recall = [index / (len(curve) - 1) for index in range(len(curve))]
                    axis.plot(recall, curve, line, color=color, label=f"{model['name']}, {source} (AP50 {numbers['ap50']:.2f})")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    axis.legend(fontsize=7, frameon=False, loc="lower left")
    _save(figure, file)


def recall_by_height(report: Json, file: Path) -> None:
    """Recall of any vehicle by the object's height, a group of bars a source of pictures."""
    figure, axis = _figure("", "recall")
    names, bars = [], []
    for source, rows in sorted(report["rows"].items(), reverse=True):
        for row in rows:
            if row["what"] == "any vehicle" and row["where"].startswith("height"):
                names.append(f"{source}\n{row['where'].removeprefix('height ')}\nn = {row['truths']}")
                bars.append([each["recall"] or 0.0 for each in row["models"]])
    width = 0.8 / max(1, len(report["models"]))
    for index, (model, color) in enumerate(zip(report["models"], _COLORS, strict=False)):
        places = [place + (index - (len(report["models"]) - 1) / 2) * width for place in range(len(bars))]
        axis.bar(places, [values[index] for values in bars], width, color=color, label=model["name"])
    axis.set_xticks(range(len(names)), names, fontsize=7)
    axis.set_ylim(0, 1)
    axis.legend(fontsize=7, frameon=False, loc="upper left")
    _save(figure, file)


def _figure(x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axis = figure.add_subplot()
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.spines[["top"]].set_visible(False)
    axis.grid(alpha=0.25)
    return figure, axis


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Software": None})  # else the library's version is written into it
