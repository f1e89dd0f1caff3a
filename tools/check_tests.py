"""Check the tests: a name is a sentence that fits one line of a report, and names what one test of its file shows."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

MAX_NAME: Final = 69
"""Characters of a test's name: with a file of the usual length before it, a line of pytest's report still fits."""


def tests_of(module: Path) -> Iterator[tuple[str, int]]:
    """Every test of a module with its line."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, node.lineno


def faults_of(module: Path) -> Iterator[str]:
    """Names that are too long, and names that stand twice: the second test hides the first, which then never runs."""
    seen: dict[str, int] = {}
    for name, line in tests_of(module):
        at = f"{module.relative_to(ROOT)}:{line}: {name}"
        if len(name) > MAX_NAME:
            yield f"{at} has {len(name)} characters, at most {MAX_NAME} are allowed; shorten it"
        if name in seen:
            yield f"{at} is also at line {seen[name]}, and only one of them runs; rename one"
        seen[name] = line


def main() -> int:
    faults = [fault for module in sorted(ROOT.glob("tests/**/*.py")) for fault in faults_of(module)]
    print("\n".join(faults) or "tests: names are in order", file=sys.stderr if faults else sys.stdout)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
