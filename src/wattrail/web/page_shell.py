"""The HTML of every page: the head once, and a body that is the page's own file or, for most, filled by its script."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Final

__all__ = ["PAGES"]

_NUMBERS: Final = 'The numbers are also at <a href="/api/v1/{0}">/api/v1{1}</a>.'

_HEAD: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
$styles
<script src="/assets/whole.js"></script>
<script type="module" src="/assets/$name.js"></script>
</head>
<body>
$body</body>
</html>
""")

_HOME: Final = '<img class="icon" src="/assets/icon.svg" alt=""><a class="home" href="/">wattrail</a>'

_BODY: Final = Template(f"""<div class="page">
<header class="top" id="top">{_HOME}</header>
<noscript><p>This page needs JavaScript. $instead</p></noscript>
<p class="warning" id="connection" role="status" hidden></p>
<main id="main"></main>
</div>
""")


@dataclass(frozen=True, slots=True)
class _Shell:
    """``styles`` are those beside ``dashboard.css``; ``instead`` says what helps where scripts do not run.

    Without ``instead`` the body is the file ``NAME.html``.
    """

    title: str
    styles: tuple[str, ...]
    instead: str | None = None

    def html(self, name: str) -> bytes:
        if self.instead is None:
            body = (files(__package__) / "assets" / f"{name}.html").read_text(encoding="utf-8")
        else:
            body = _BODY.substitute(instead=self.instead)
        styles = "\n".join(
            f'<link rel="stylesheet" href="/assets/{style}.css">' for style in ("dashboard", *self.styles)
        )
        title = f"{self.title} – wattrail" if self.title else "wattrail"
        return _HEAD.substitute(title=title, styles=styles, name=name, body=body).encode()


_TABLE: Final = {
    "accuracy": _Shell("Accuracy", ("meter", "costs", "ledger", "accuracy"), _NUMBERS.format("docs", "")),
    "calibration": _Shell("Calibration", ("meter", "costs", "ledger"), _NUMBERS.format("docs", "")),
    "costs": _Shell("Costs", ("meter", "costs"), _NUMBERS.format("docs", "")),
    "dashboard": _Shell("", ("meter", "overview")),
    "health": _Shell(
        "Health", ("meter", "health"),
        'What it shows is also at <a href="/api/v1/health/report">/api/v1/health/report</a>.',
    ),
    "inspect": _Shell(
        "Inspect a dump", ("meter", "inspect"), "<code>wattrail image inspect FILE</code> shows the same."
    ),
    "ledger": _Shell("Ledger", ("meter", "costs", "ledger"), _NUMBERS.format("docs", "")),
    "login": _Shell("Sign in", ("login",)),
    "meter": _Shell("Meter", ("meter",), _NUMBERS.format("meters", "/meters")),
    "missing": _Shell("Not found", ("meter",)),
    "scope": _Shell("Oscilloscope", ("meter", "scope"), _NUMBERS.format("meters", "/meters")),
    "settings": _Shell("Settings", ("meter", "settings")),
}  # fmt: skip

PAGES: Final = {name: page.html(name) for name, page in _TABLE.items()}
"""The HTML of every page by its name; its script has the same name."""
