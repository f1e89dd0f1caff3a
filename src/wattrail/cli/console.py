"""Rich output: as wide as the terminal, or as wide as a page where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["results"]

_PAGE_WIDTH = 132


def results() -> Console:
    """Where results are printed."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PAGE_WIDTH, highlight=False, markup=False)
