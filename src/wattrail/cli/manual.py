"""Where the pages of the manual are on this machine: beside the checkout, or inside the installed package.

Messages name a page as ``docs/safety.md``, which is right in a checkout's folder alone. Every message
passes through ``located``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import wattrail

__all__ = ["folder", "located"]

_PAGE: Final = re.compile(r"(?<![\w/.-])docs/(?P<page>[a-z0-9/-]+\.md)")


@cache
def folder() -> Path | None:
    """The folder of the manual; None where it was not installed."""
    package = Path(wattrail.__file__).resolve().parent
    places = (package / "docs", package.parent.parent / "docs")
    return next((place for place in places if (place / "safety.md").is_file()), None)


def located(text: str) -> str:
    """A message with every page of the manual named by where it is; a page that is nowhere keeps its name."""
    found = folder()
    if found is None or "docs/" not in text:
        return text
    return _PAGE.sub(lambda page: str(found / page["page"]) if (found / page["page"]).is_file() else page[0], text)
