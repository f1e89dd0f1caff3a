"""Check the documents: every relative link leads somewhere, every source key is listed in docs/references.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SOURCE = re.compile(r"Source: ([a-z0-9-]+/[a-z0-9-]+)")


def broken_links() -> Iterator[str]:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changes/*.md")]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: link to {target} leads nowhere"


def unlisted_sources() -> Iterator[str]:
    listed = (ROOT / "docs/references.md").read_text(encoding="utf-8")
    for module in ROOT.glob("src/**/*.py"):
        for key in SOURCE.findall(module.read_text(encoding="utf-8")):
            if f"`{key}`" not in listed:
                yield f"{module.relative_to(ROOT)}: source {key} is not in docs/references.md"


def main() -> int:
    faults = [*broken_links(), *unlisted_sources()]
    print("\n".join(faults) or "docs: links and sources are in order", file=sys.stderr if faults else sys.stdout)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
