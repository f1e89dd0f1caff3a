"""Run every benchmark and print one table: ``make bench``. With ``--readme`` the README's table is written anew."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from bench import bookkeeping, corruption, day, flashing, help_time, packing, twin_speed
from bench.table import Row, markdown, text

README = Path(__file__).resolve().parent.parent / "README.md"
PART = re.compile(r"(<!-- bench.*?-->\n).*?(<!-- end of bench -->)", re.DOTALL)


def main() -> int:
    rows: list[Row] = []
    for module in (help_time, twin_speed, day, bookkeeping, corruption, packing, flashing):
        print(f"... {module.__name__.removeprefix('bench.')}", file=sys.stderr, flush=True)
        rows += module.rows()
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, one run"
    print(text(rows), f"\n{machine}", sep="\n")
    if "--readme" in sys.argv:
        page = README.read_text(encoding="utf-8")
        README.write_text(
            PART.sub(lambda part: f"{part[1]}{markdown(rows)}\n\n{machine}.\n{part[2]}", page), encoding="utf-8"
        )
    return any(row.met is False for row in rows)


if __name__ == "__main__":
    sys.exit(main())
