"""Boxes on a small grid: many of them overlap."""

from __future__ import annotations

from hypothesis import strategies as st

CORNER = st.integers(0, 12)
BOX = st.tuples(CORNER, CORNER, st.integers(1, 8), st.integers(1, 8)).map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))
