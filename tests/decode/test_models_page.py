"""MODELS.md lists the rows of the decoder table, all of them and no others."""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.decode import DECODERS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_every_family_is_documented() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "MODELS.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == sorted(DECODERS)


def test_the_readme_leads_to_the_page() -> None:
    assert "(MODELS.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
