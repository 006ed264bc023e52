"""Trials of `check --online`: whatever one does, the others are told, and the command ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_runtime.errors import Disconnected
from edge_runtime.runtime.online import Finding, Trial, try_rows


def fails(error: Exception) -> Callable[[], str]:
    def attempt() -> str:
        raise error

    return attempt


def test_try_rows_tells_of_each_and_returns_them_in_order() -> None:
    told: list[Finding] = []
    first = threading.Event()

    def late() -> str:
        assert first.wait(10)
        return "late"

    def early() -> str:
        first.set()
        return "early"

    rows = [
        [Trial("camera", "a", late)],
        [Trial("model", "m", early), Trial("model", "n", fails(Disconnected("n: away")))],
        [Trial("broker", "b", fails(KeyError("x")))],
    ]
    found = try_rows(rows, 20.0, told.append)
    assert [(each.kind, each.name, each.ok) for each in found] == [
        ("camera", "a", True), ("model", "m", True), ("model", "n", False), ("broker", "b", False)
    ]  # fmt: skip
    assert [each.says for each in found] == ["late", "early", "n: away", "unexpected KeyError: 'x'"]
    assert sorted(each.name for each in told) == ["a", "b", "m", "n"]


def test_try_rows_leaves_a_trial_that_hangs_behind() -> None:
    release = threading.Event()
    told: list[Finding] = []

    def hang() -> str:
        release.wait(60)
        return "too late"

    found = try_rows([[Trial("camera", "a", hang)], [Trial("camera", "b", lambda: "well")]], 1.0, told.append)
    release.set()
    assert [(each.name, each.ok) for each in found] == [("a", False), ("b", True)]
    assert "did not end within 1 s" in found[0].says
    assert [each.name for each in told] == ["b", "a"]
