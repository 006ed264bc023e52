"""How good what was seen is, held against truth: pure functions on arrays. The `evaluate` verb and the export project use them."""
