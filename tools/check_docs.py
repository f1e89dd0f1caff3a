"""Check the documents: links, named files and rooms are there, sources are listed, what tables make is up to date.

With --write the parts that are made from tables are written again.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from wattrail.chips import CHIPS, MeteringChip

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
ROOM = re.compile(r"[a-z_][a-z0-9_]*")
NAMED_FILE = re.compile(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.(?:py|js|css|html))`")
SOURCE = re.compile(r"Source: ([a-z0-9-]+/[a-z0-9-]+)")
REGISTER_PART = re.compile(r"(<!-- registers.*?-->\n).*?(<!-- end of registers -->)", re.DOTALL)


def broken_links() -> Iterator[str]:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changes/*.md")]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: link to {target} leads nowhere"


def missing_files() -> Iterator[str]:
    """Files that the page of the architecture names, below the package or the root, and that are not there."""
    page = ROOT / "docs/architecture.md"
    for name in NAMED_FILE.findall(page.read_text(encoding="utf-8")):
        if not (ROOT / "src/wattrail" / name).is_file() and not (ROOT / name).is_file():
            yield f"{page.relative_to(ROOT)}: there is no file {name}"


def rooms_of(text: str) -> set[str]:
    """The rooms that the lines of a picture name; what stands behind two blanks says what they are."""
    return {room for line in text.splitlines() for room in ROOM.findall(re.split(r"(?<=\w)  +(?=\S+ \S)", line)[0])}


def rooms_pictured_wrongly() -> Iterator[str]:
    """Rooms of the import contract that the picture of the architecture leaves out, and others that are not there."""
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", encoding="utf-8")
    rooms = rooms_of(contract["importlinter:contract:rooms"]["layers"]) - {"__main__"}
    picture = rooms_of((ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1])
    for room in sorted(rooms ^ picture):
        yield f"docs/architecture.md: the picture {'lacks' if room in rooms else 'has no such room as'} {room}"


def unlisted_sources() -> Iterator[str]:
    listed = (ROOT / "docs/references.md").read_text(encoding="utf-8")
    for module in ROOT.glob("src/**/*.py"):
        for key in SOURCE.findall(module.read_text(encoding="utf-8")):
            if f"`{key}`" not in listed:
                yield f"{module.relative_to(ROOT)}: source {key} is not in docs/references.md"


def register_table(chip: MeteringChip) -> str:
    lines = ["| address | name | bits | access | reset | meaning |", "|---|---|---|---|---|---|"]
    for register in chip.registers:
        bits = f"{register.bits}, signed" if register.signed else str(register.bits)
        lines.append(
            f"| 0x{register.address:02X} | {register.name} | {bits} | {register.access.value} | "
            f"0x{register.reset:X} | {register.meaning} |"
        )
        for field in register.fields:
            span = f"[{field.low + field.width - 1}:{field.low}]" if field.width > 1 else f"[{field.low}]"
            words = ", ".join(f"{word.value} {word.name.lower()}" for word in field.values or ())
            lines.append(f"| | `{field.name}` {span} | | | | {words} |")
    return "\n".join(lines) + "\n"


def register_pages() -> Iterator[tuple[Path, str]]:
    """The page of every chip with registers, and what should stand there."""
    for chip in CHIPS.values():
        if chip.registers:
            page, table = ROOT / f"docs/protocols/{chip.name}.md", register_table(chip)
            text = page.read_text(encoding="utf-8")
            yield page, REGISTER_PART.sub(lambda part, table=table: part[1] + table + part[2], text)


def stale_pages() -> Iterator[str]:
    for page, wanted in register_pages():
        if wanted != page.read_text(encoding="utf-8"):
            yield f"{page.relative_to(ROOT)}: the register table is stale; run tools/check_docs.py --write"


def main() -> int:
    if "--write" in sys.argv:
        for page, wanted in register_pages():
            page.write_text(wanted, encoding="utf-8")
    faults = [*broken_links(), *missing_files(), *rooms_pictured_wrongly(), *unlisted_sources(), *stale_pages()]
    print(
        "\n".join(faults) or "docs: links, sources and tables are in order", file=sys.stderr if faults else sys.stdout
    )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
