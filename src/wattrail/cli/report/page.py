"""One self-contained page: no script, nothing loaded; light or dark as the reader's system, and fit for paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Final

__all__ = ["figure", "page", "paragraph", "section", "table"]

_MINUS: Final = re.compile(r"(?<!\w)-(?=\d)")
_STYLE: Final = (files(__package__) / "page.css").read_text(encoding="utf-8")


def page(title: str, *, simulated: bool, url: str, when: str, sections: Iterable[str]) -> str:
    """The whole document."""
    badge = '<span class="badge">Simulated – digital twin</span>' if simulated else ""
    name = f"{escape(title)}{' (simulated)' if simulated else ''}"
    head = f'{badge}<h1>{escape(title)}</h1><p class="url">{escape(url)}</p><p class="soft">{escape(when)}</p>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><header>{head}</header>{''.join(sections)}</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A card; without a title if that is empty."""
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{heading}{''.join(parts)}</section>\n"


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph: a sentence, begun and ended as one."""
    words = _MINUS.sub("−", words[:1].upper() + words[1:])
    words = words if kind or words.endswith(".") else f"{words}."
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", kind: str = "", kinds: Sequence[str] = ()
) -> str:
    """A table; ``kinds`` gives the last cell of each row a class."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = ""
    for number, row in enumerate(rows):
        cells = [f"<td>{escape(cell)}</td>" for cell in row]
        if number < len(kinds) and kinds[number]:
            cells[-1] = f'<td class="{kinds[number]}">{escape(row[-1])}</td>'
        body += f"<tr>{''.join(cells)}</tr>"
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table class="{kind}">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(wide: str, narrow: str, caption: str, *, key: str = "") -> str:
    """A picture in two widths; the reader's screen picks one."""
    return f"<figure>{key}{wide}{narrow}<figcaption>{escape(caption)}</figcaption></figure>"
