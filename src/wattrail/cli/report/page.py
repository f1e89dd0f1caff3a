"""One self-contained page: no script, nothing loaded; light or dark as the reader's system, and fit for paper."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Final

__all__ = ["Axis", "Panel", "figure", "minus", "page", "paragraph", "picture", "round_ticks", "section", "table"]


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


def minus(words: str) -> str:
    """Numbers with a minus sign, which is as wide as a plus, in the place of the hyphen of the keyboard."""
    return words.replace("-", "−")


def section(title: str, *parts: str) -> str:
    """A card; without a title if that is empty."""
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{heading}{''.join(parts)}</section>\n"


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph: a sentence, begun and ended as one."""
    words = _MINUS.sub("−", words[:1].upper() + words[1:])
    words = words if kind or words.endswith(".") else f"{words}."
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "", kinds: Sequence[str] = ()) -> str:
    """A table; ``kinds`` gives the last cell of each row a class."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = ""
    for number, row in enumerate(rows):
        cells = [f"<td>{escape(cell)}</td>" for cell in row]
        if number < len(kinds) and kinds[number]:
            cells[-1] = f'<td class="{kinds[number]}">{escape(row[-1])}</td>'
        body += f"<tr>{''.join(cells)}</tr>"
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def figure(wide: str, narrow: str, caption: str, *, key: str = "") -> str:
    """A picture in two widths; the reader's screen picks one."""
    return f"<figure>{key}{wide}{narrow}<figcaption>{escape(caption)}</figcaption></figure>"


# ---- plots, as inline SVG. Colours are classes, so that the style sheet decides


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to pixels, linear or logarithmic."""

    low: float
    high: float
    begins: float
    ends: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; what lies outside is put on the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begins + share * (self.ends - self.begins)


class Panel:
    """One plot: a frame with two axes, and what is drawn into it."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self.x, self.y = x, y
        self.parts: list[str] = []

    def frame(
        self, x_ticks: Iterable[tuple[float, str]], y_ticks: Iterable[tuple[float, str]], *, title: str = ""
    ) -> None:
        """Grid lines with their labels, and a title above the left corner."""
        left, right, top, bottom = self.x.begins, self.x.ends, self.y.ends, self.y.begins
        for value, label in y_ticks:
            y = self.y.at(value)
            kind = "zero" if value == 0 else "grid"
            self.parts.append(f'<line class="{kind}" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self.label(left - 8, y + 4, label, anchor="end")
        for value, label in x_ticks:
            x = self.x.at(value)
            self.parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
            self.label(x, bottom + 18, label, anchor="middle")
        if title:
            self.label(left, top - 10, title, kind="title")

    def label(self, x: float, y: float, words: str, *, anchor: str = "start", kind: str = "label") -> None:
        """A text at a pixel."""
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def curve(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """Points joined by lines."""
        path = " ".join(f"{self.x.at(x):.1f},{self.y.at(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{path}"/>')

    def bar(self, x: float, value: float, *, width: float, kind: str, offset: float = 0.0) -> None:
        """A bar from zero, ``offset`` pixels beside its place."""
        left, foot, top = self.x.at(x) + offset - width / 2, self.y.at(max(0.0, self.y.low)), self.y.at(value)
        self.parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{min(foot, top):.1f}" width="{width:.1f}" '
            f'height="{abs(foot - top):.1f}"/>'
        )

    def mark(self, x: float, y: float, spread: float, kind: str, *, words: str, radius: float = 4.0) -> None:
        """A dot with its uncertainty, and words for whoever points at it."""
        px, py, low, high = self.x.at(x), self.y.at(y), self.y.at(y - spread), self.y.at(y + spread)
        whisker = ""
        if low - high > 9:
            ends = f"M{px - 4:.1f} {low:.1f}h8M{px - 4:.1f} {high:.1f}h8"
            whisker = f'<path class="whisker" d="M{px:.1f} {low:.1f}V{high:.1f}{ends}"/>'
        self.parts.append(
            f'<g class="{kind}"><title>{escape(words)}</title>{whisker}'
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{radius}"/></g>'
        )


def picture(panels: Iterable[Panel], *, width: int, height: int, label: str, kind: str) -> str:
    """Panels as one picture; ``kind`` is its class, ``label`` what is read out in its place."""
    parts = "".join(part for panel in panels for part in panel.parts)
    return f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{parts}</svg>'


def round_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round values between two others, about so many."""
    raw = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    # A tick that rounding has put a hair outside the range still belongs to it.
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) + 0.0 for n in range(first, math.floor(high / step + 1e-9) + 1)]
