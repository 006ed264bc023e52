"""How good what was seen is, held against truth: pure functions on arrays. What measures models (export/) uses them, and the tests."""
