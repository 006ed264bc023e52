"""Files that are no config at all, and the line of everything in files that are."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config.places import Lost, Places
from edge_runtime.config.reading import MAX_BYTES, parse, read
from edge_runtime.config.tree import Node
from edge_runtime.errors import ConfigError
from tests.config.street import GOOD, line_of


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(file)
    (problem,) = caught.value.problems
    return str(problem)


GARBAGE = [
    ("elf", b"\x7fELF\x02\x01\x01\0\0\0", 1, "NUL byte"),
    ("nul-later", b"a = 1\nb = 2\nc = \0\n", 3, "NUL byte"),
    ("latin-1", 'a = 1\nname = "M\xe4rz"\n'.encode("latin-1"), 2, "not UTF-8: save the file as UTF-8"),
    ("utf-16", "a = 1\n".encode("utf-16"), 1, "no"),
    ("control", b"a = 1\nb = \x01\n", 2, "not valid TOML"),
    ("bare-cr", b'a = 1\nb = "x\ry"\n', 2, "not valid TOML"),
    ("open-list", b"a = 1\nb = [1, 2\n", 2, "a ] or a } is missing"),
    ("number", b"a = 1.2.3\n", 1, "this is no number"),
    ("date", b"a = 2026-13-45\n", 1, "this is no date"),
    ("escape", b'a = "C:\\qdata"\n', 1, "an escape that TOML does not know"),
    ("bare-word", b"a = 5m\n", 1, "expected digits such as 10 or 0.5, or a text in quotes"),
    ("yaml", b"device:\n  site: north\n", 1, "not valid TOML"),
    ("json", b'{"device": {}}\n', 1, "not valid TOML"),
    ("deep", b"a = " + b"[" * 5000, 1, "nested"),
    ("table-on-value", b"a = 1\n[a]\nb = 2\n", 2, "[a] is written twice: it stands in line 1"),
    ("tables-on-table", b"[a]\nb = 2\n[[a]]\n", 3, "[[a]] is written twice: it stands in line 1"),
    ("dotted-twice", b"a.b = 1\na.c = 2\na.b = 3\n", 3, '"b" is written twice: it stands in line 1'),
    ("inline-twice", b"a = { b = 1, b = 2 }\n", 1, '"b" is written twice'),
    ("far-apart", b"[a]\nx = 1\n[b]\ny = 1\n[a]\nz = 1\n", 5, "[a] is written twice: it stands in line 1"),
]


@pytest.mark.parametrize(("data", "line", "words"), [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_read_garbage_is_one_sentence_with_its_line(data: bytes, line: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_bytes(data)
    said = refusal(file)
    assert said.startswith((f"{file}:{line}: ", f"{file}: ") if line == 1 else f"{file}:{line}: ")
    assert words in said


def test_read_what_is_no_file_says_so(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "gone.toml")
    assert "is a folder" in refusal(tmp_path)
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    assert "not a regular file" in refusal(fifo)
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "1,000,001 bytes: expected at most 1,000,000" in refusal(big)
    assert "cannot be read" in refusal(Path("a\0b"))


def test_read_unreadable_file_names_the_fix() -> None:
    with tempfile.TemporaryDirectory() as folder, as_nobody(Path(folder)) as become:
        file = Path(folder) / "device.toml"
        file.write_text(GOOD)
        file.chmod(0)
        become()
        assert f"chmod u+r {file}" in refusal(file)


@contextlib.contextmanager
def as_nobody(folder: Path) -> Iterator[Callable[[], None]]:
    """Root may read everything: `become` gives that up until the end. For anybody else it does nothing."""
    folder.chmod(0o755)
    mine = os.geteuid()
    try:
        yield lambda: os.seteuid(65534) if mine == 0 else None
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_read_empty_is_an_empty_table(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_bytes(data)
    assert read(file).plain() == {}


# -- lines -----------------------------------------------------------------------------------------------------------------------

WINDING = '''\
# a comment with key = 1 and [header]
top.dotted = 1                              #@ top.dotted
"quoted key" = { inner = 1, "a.b" = 2 }     #@ quoted key/inner
[[camera]]                                  #@ camera/0
name = "north"                              #@ camera/0/name
text = """
not_a_key = 1
[not.a.header]
"""
after = 1                                   #@ camera/0/after
points = [                                  #@ camera/0/points
  [1, # ] not the end
   2],
  # a comment = 3
  [3, 4],                                   #@ camera/0/points/1
]
next = 'C:\\'                               #@ camera/0/next

  [[camera.line]]                           #@ camera/0/line/0
  name = "a"                                #@ camera/0/line/0/name
  [[camera.line]]                           #@ camera/0/line/1
  name = "b"                                #@ camera/0/line/1/name
  [camera.line.deep]                        #@ camera/0/line/1/deep
  x = 2026-11-05T10:00:00Z                  #@ camera/0/line/1/deep/x

[mqtt]                                      #@ mqtt
url = "x"                                   #@ mqtt/url

[[camera]]                                  #@ camera/1
name = "south"                              #@ camera/1/name
  [[camera.line]]                           #@ camera/1/line/0
  name = "c"                                #@ camera/1/line/0/name
[a.b.c]                                     #@ a/b/c
k = 1                                       #@ a/b/c/k
[a]                                         #@ a
m = 1                                       #@ a/m
'''


def at(root: Node, path: str) -> Node:
    node = root
    for step in path.split("/"):
        below = node.child(int(step) if step.isdigit() else step)
        assert below is not None, (path, step)
        node = below
    return node


@pytest.mark.parametrize("text", [WINDING, WINDING.replace("\n", "\r\n"), "\ufeff" + WINDING], ids=["lf", "crlf", "bom"])
def test_every_key_has_the_line_it_stands_in(text: str, tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_bytes(text.encode())
    root = read(file)
    marks = [(number, line.partition("#@ ")[2].strip()) for number, line in enumerate(WINDING.split("\n"), 1) if "#@ " in line]
    assert len(marks) > 20
    for number, path in marks:
        assert at(root, path.replace("top.dotted", "top/dotted")).line == number, path
    assert root.plain() == tomlkit.parse(text.removeprefix("\ufeff")).unwrap()


KEYS = st.sampled_from(["a", "b", "c-1", '"q k"', "'l.k'", r'"\u00e9"'])
SCALARS = st.sampled_from(
    ["1", "-0.5", "true", '"x # ] }"', "'[[y]]'", '"""\nk = 1\n"""', "'''\n[t]\n'''", '"""a""""', "2026-11-05 10:00:00", r'"\"]"', "1e3", '""', "''"]
)


def arrays(values: Any) -> Any:
    joined = st.lists(values, max_size=3)
    return st.one_of(
        joined.map(lambda each: f"[{', '.join(each)}]"), joined.map(lambda each: "[ # c ]\n" + "".join(f"  {one},\n" for one in each) + "]")
    )


def inlines(values: Any) -> Any:
    pairs = st.dictionaries(KEYS, values, max_size=3)
    return pairs.map(lambda each: "{ " + ", ".join(f"{key} = {value}" for key, value in each.items()) + " }")


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(arrays(inner), inlines(inner.filter(lambda value: "\n" not in value))), max_leaves=6)
PAIRS = st.tuples(KEYS, KEYS, VALUES, st.booleans(), st.sampled_from(["", " # c = 1", "\n", "\n# [x]"]))
HEADERS = st.sampled_from(["[t]", "[[r]]", "[r.s]", "[[r.t]]", "[ u . v ]", "[[ w ]]"])


@given(st.lists(st.one_of(PAIRS, HEADERS), max_size=12))
def test_scan_agrees_with_the_parser_on_any_file(parts: list[Any]) -> None:
    """Whatever the parser takes, the scan finds every key of it, in a line that holds it."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part + "\n"
        else:
            first, second, value, dotted, tail = part
            text += f"{first}{'.' + second if dotted else ''} = {value}{tail}\n"
    try:
        data = tomlkit.parse(text).unwrap()
    except (tomlkit.exceptions.TOMLKitError, ValueError):
        return
    places = Places(text)
    lines = text.split("\n")

    def compare(value: Any, spot: Any) -> None:
        if isinstance(value, dict):
            assert set(spot.keys) == set(value)
            for key, each in value.items():
                if key.isascii() and key.isalnum():
                    assert key in lines[spot.keys[key].line - 1]
                compare(each, spot.keys[key])
        elif isinstance(value, list):
            assert len(spot.items) == len(value)
            for each, item in zip(value, spot.items, strict=True):
                compare(each, item)

    if places.twice is None:
        compare(data, places.root)


@given(st.text(alphabet="ab=.[]{}\"'#,\n\\ 1", max_size=60))
def test_scan_of_anything_ends_or_is_lost(text: str) -> None:
    with contextlib.suppress(Lost):
        Places(text)


def test_good_file_is_read_as_the_parser_reads_it() -> None:
    assert parse(GOOD, "x").plain() == tomlkit.parse(GOOD).unwrap()
    assert at(parse(GOOD, "x"), "camera/0/line/0/points/1").line == line_of(GOOD, "[0.73, 0.69]]")
