"""The map of a flash as a picture: lines for a terminal, and an SVG.

Both are drawn from the map of the record, so neither can show what the record hides. The heights are not to scale: a
sector of 4 KiB beside a megabyte of code would not be seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from wattrail.sanitize import printable

__all__ = ["picture_lines", "picture_svg"]

MapEntry = Mapping[str, Any]

_BAR: Final = 24
_WIDTH: Final = 860
_ROW: Final = 26
_MAX_ROW: Final = 110
_TOP: Final = 44
_COLOURS: Final = (
    ({"bootloader"}, "#7c6fb0"),
    ({"app", "update"}, "#4a7fb5"),
    ({"rf"}, "#c98a2b"),
    ({"tuya-key", "tuya-kv", "licence"}, "#b5544a"),
    ({"config", "littlefs", "constants"}, "#4d9a6a"),
    ({"erased"}, "none"),
)
_OTHER: Final = "#9a9a9a"


def picture_lines(regions: Sequence[MapEntry]) -> Iterator[str]:
    """One line a region: where, how long, how full, what. ``#`` is in use, ``.`` is erased."""
    yield "flash               bytes  in use                    what"
    for region in regions:
        start, end, used = region["start"], region["end"], region["used_bytes"]
        filled = math.ceil(used / (end - start) * _BAR)
        bar = "#" * filled + "." * (_BAR - filled)
        sure = "" if region["by_content"] else " ?"
        name = f"{region['name']}{sure}: {printable(str(region['holds']))}"
        yield f"{start:#08x}-{end:#08x}{end - start:8}  {bar}  {name}"


def picture_svg(regions: Sequence[MapEntry], title: str) -> str:
    """A picture that stands by itself, without style or script: a column of boxes, and what each holds."""
    rows, at = [], _TOP
    for region in regions:
        height = _height(region)
        rows.append(_row(region, at, height))
        at += height
    text = escape(printable(title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {at + 16}" role="img" '
        f'aria-label={quoteattr(printable(title))} font-family="sans-serif" font-size="13" fill="#555">\n'
        f'<title>{text}</title>\n<text x="16" y="26" font-weight="bold">{text}</text>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def _height(region: MapEntry) -> int:
    """Grows with the logarithm of the length, so that a sector and a megabyte can both be read."""
    sectors = (region["end"] - region["start"]) / 4096
    return min(_MAX_ROW, _ROW + int(8 * max(0.0, math.log2(sectors))))


def _row(region: MapEntry, at: int, height: int) -> str:
    start, end, used = region["start"], region["end"], region["used_bytes"]
    name = str(region["name"])
    colour = next((colour for names, colour in _COLOURS if name in names), _OTHER)
    dashed = "" if region["by_content"] else ' stroke-dasharray="4 3"'
    share = used / (end - start)
    what = escape(printable(f"{region['holds']}" if region["holds"] else "nothing", limit=72))
    evidence = escape(printable(str(region["evidence"]), limit=90))
    middle = at + height // 2 + 4
    return (
        f"<g><title>{evidence}</title>"
        f'<text x="16" y="{at + 16}" font-family="monospace">{start:#08x}</text>'
        f'<rect x="100" y="{at}" width="150" height="{height}" fill="none" stroke="#888"{dashed}/>'
        f'<rect x="100" y="{at}" width="{150 * share:.0f}" height="{height}" fill="{colour}" fill-opacity="0.45"/>'
        f'<text x="264" y="{middle}" font-weight="bold">{escape(name)}</text>'
        f'<text x="360" y="{middle}">{what} ({(end - start) / 1024:g} KiB)</text></g>'
    )
