"""Files and functions that a person can hold in mind."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import wattrail

SOURCES = sorted(Path(wattrail.__file__).parent.rglob("*.py"))
MAX_FILE = 400
MAX_FUNCTION = 60
"""Lines of its own: what is defined inside of it counts by itself. Options of a command are most of the longest."""

MAX_FILES_PASSED = 61
"""Files in which a function runs between the arguments of ``flash write`` and its first erase (ADR 43)."""

ROOT = Path(__file__).resolve().parent.parent

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function))


def lines(node: Function | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def inside(node: ast.AST) -> int:
    """Lines of the functions and classes that a node defines."""
    return sum(
        lines(child) if isinstance(child, Function | ast.ClassDef) else inside(child)
        for child in ast.iter_child_nodes(node)
    )


def test_no_file_is_long() -> None:
    assert [path.name for path in SOURCES if len(path.read_text().splitlines()) > MAX_FILE] == []


def test_no_function_is_long() -> None:
    long = [
        f"{path.name}: {one.name}"
        for path in SOURCES
        for one in functions(path)
        if lines(one) - inside(one) > MAX_FUNCTION
    ]
    assert long == []


def test_a_write_passes_few_files_before_its_first_erase() -> None:
    command = [sys.executable, str(ROOT / "tools/files_passed.py"), "--count"]
    passed = int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert 15 < passed <= MAX_FILES_PASSED
