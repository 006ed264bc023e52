"""Does every runtime dependency come as a binary wheel for 64-bit Arm, on every supported Python?

    python tests/environment/arm_wheels.py        a table of the versions that a board would get; exit 1 where one has no wheel

The oldest C library that counts is glibc 2.31 (64-bit Raspberry Pi OS 11, JetPack 5). Nothing is compiled on a board, so source
distributions do not count.
"""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLATFORM = "aarch64-manylinux_2_31"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def main() -> int:
    """Resolve for each Python, print the table, and say what is missing."""
    with ThreadPoolExecutor(len(PYTHONS)) as pool:
        answers = dict(zip(PYTHONS, pool.map(resolve, PYTHONS), strict=True))
    failures = {python: answer for python, answer in answers.items() if isinstance(answer, str)}
    for python, why in failures.items():
        print(f"no set of {PLATFORM} wheels for Python {python}:\n{why}", file=sys.stderr)
    if failures:
        return 1
    print(table({python: answer for python, answer in answers.items() if isinstance(answer, dict)}))
    return 0


def resolve(python: str) -> dict[str, str] | str:
    """Name -> version of everything that a board with this Python would install, or the resolver's words on why it cannot."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "pyproject.toml", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-platform", PLATFORM, "--python-version", python]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return done.stderr.strip()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", done.stdout, re.MULTILINE))


def table(versions: dict[str, dict[str, str]]) -> str:
    """One row a package, one column a Python; the packages of pyproject.toml first."""
    direct = direct_dependencies()
    names = sorted({name for column in versions.values() for name in column}, key=lambda name: (name not in direct, name))
    rows = [("wheels, " + PLATFORM, *versions)]
    rows += [(name if name in direct else f"  {name}", *(column.get(name, "-") for column in versions.values())) for name in names]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def direct_dependencies() -> set[str]:
    """The names under [project] dependencies."""
    import tomlkit

    project = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["dependencies"]}


if __name__ == "__main__":
    sys.exit(main())
