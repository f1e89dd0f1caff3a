"""Run every benchmark and print one table: ``make bench``.

With ``--readme`` the tables of the documents are written: all rows to docs/numbers.md, ten to the README.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import bookkeeping, corruption, day, flashing, help_time, packing, twin_speed
from bench.table import Row, headlines, markdown, text

ROOT = Path(__file__).resolve().parent.parent
README, NUMBERS = ROOT / "README.md", ROOT / "docs/numbers.md"
PART = re.compile(r"(<!-- bench.*?-->\n).*?(<!-- end of bench -->)", re.DOTALL)


def main() -> int:
    rows: list[Row] = []
    for module in (help_time, twin_speed, day, bookkeeping, corruption, packing, flashing):
        print(f"... {module.__name__.removeprefix('bench.')}", file=sys.stderr, flush=True)
        rows += module.rows()
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, one run"
    print(text(rows), f"\n{machine}", sep="\n")
    if "--readme" in sys.argv:
        write_tables(rows, machine)
    return any(row.met is False for row in rows)


def write_tables(rows: Sequence[Row], machine: str, *, readme: Path = README, numbers: Path = NUMBERS) -> None:
    """Put the rows between the marks of both pages."""
    for path, shown in ((readme, headlines(rows)), (numbers, rows)):
        page, table = path.read_text(encoding="utf-8"), f"{markdown(shown)}\n\n{machine}.\n"
        path.write_text(PART.sub(lambda part, table=table: f"{part[1]}{table}{part[2]}", page), encoding="utf-8")  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main())
