"""The person's own browser."""

from __future__ import annotations

import os
import sys
import threading

__all__ = ["is_at_a_desktop", "open_page"]


def is_at_a_desktop() -> bool:
    """Whether a person sits here, at a screen that can show a page."""
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_screen and sys.stdout.isatty()


def open_page(address: str) -> None:
    """Show a page; returns at once, for a browser may take its time."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
