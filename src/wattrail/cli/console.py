"""Rich output: as wide as the terminal, or as a page where there is none; escapes in a text do nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wattrail.cli.output import raw_stdout
from wattrail.sanitize import hide_credentials, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

__all__ = ["narration", "results"]

_PAGE_WIDTH = 132


def results() -> Console:
    """Where results are printed. Styles are rich's; escapes within a text are made visible."""
    stdout = raw_stdout()
    return _safe_console()(file=stdout, width=None if stdout.isatty() else _PAGE_WIDTH, highlight=False, markup=False)


def narration() -> Console:
    """Where a terminal is shown what goes on; the same about escapes."""
    return _safe_console()(file=sys.stderr, highlight=False, markup=False)


def _safe_console() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else hide_credentials(printable_lines(text)), style, control)

    return SafeConsole
